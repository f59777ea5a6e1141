-- One row: what the values (`given`: value) with some number of digits tell. `shape`: see `shape_of_digits`. `rows`: their number. `read`: the number of
-- values that digits.sql can read. The other columns are forms that emojob does not read, see `count_rivals`.
WITH texts AS (
    SELECT CASE WHEN regexp_matches(value, '^\d+$') THEN value ELSE spelled(value) END AS text
    FROM given
    WHERE NOT contains(value, '-') AND NOT contains(value, ':')
), numbers AS (
    SELECT regexp_extract(text, digits_grammar(), ['digits', 'fraction']) AS number
    FROM texts
    WHERE regexp_matches(text, digits_grammar())
), found AS (
    SELECT
        number.digits AS digits,
        CASE
            WHEN rtrim(number.fraction, '0') = '' AND regexp_matches(number.digits, concat(stamp_grammar(), '|', yyyyddmm()))
                THEN number.digits
            ELSE ''
        END AS rival,
        list_transform(
            [moment_of_digits(number.digits, number.fraction, '')],
            lambda one: one.utc IS NOT NULL OR one.stated IS NOT NULL
        )[1] AS is_read
    FROM numbers
)
SELECT
    shape_of_digits(digits) AS shape,
    count(*) AS rows,
    count(*) FILTER (is_read) AS read,
    count_rivals(is_read, regexp_matches(rival, yymmdd())) AS yymmdd,
    count_rivals(is_read, regexp_matches(rival, ddmmyy())) AS ddmmyy,
    count_rivals(is_read, regexp_matches(rival, mmddyy())) AS mmddyy,
    count_rivals(is_read, regexp_matches(rival, ddmmyyyy())) AS ddmmyyyy,
    count_rivals(is_read, regexp_matches(rival, mmddyyyy())) AS mmddyyyy,
    count_rivals(is_read, regexp_matches(rival, yyyyddmm())) AS yyyyddmm
FROM found
GROUP BY ALL
ORDER BY ALL
