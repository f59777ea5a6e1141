-- One row: what the values of a time column (`given`: value, moment) look like. `values`: values that are not blank.
-- `serials`: values without a time that look like Excel's day numbers. `form`: the most frequent form of the values without
-- a time (see `form_of`).
SELECT
    count(*) FILTER (regexp_matches(value, '[^\s\x{a0}\x{200b}\x{3000}\x{feff}]')) AS values,
    count(*) FILTER (is_unread(value, moment) AND is_excel_day(value)) AS serials,
    (
        SELECT form_of(value) FROM given WHERE is_unread(value, moment)
        GROUP BY ALL ORDER BY count(*) DESC, form_of(value) LIMIT 1
    ) AS form
FROM given
