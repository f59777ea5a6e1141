-- One row: what the values of a time column (`given`: value, moment) tell about the orders of their dates.
-- `unread`: values that are not read yet. `long`, `short`: unread dates whose year has four or two digits. `rows` is the
-- number of their values that fit any order, `dates` the number of distinct dates, and the other fields say how many of
-- them fit one order. `short.year_day_month`: values such as 26.23.11 that fit no order, but would be year, day, month.
-- `year_day_month`: the same for values such as 2026-23-11, by shape (see `moment` in all_forms.sql).
WITH values AS (
    SELECT
        short_date(spelled(value)) AS date,
        year_day_month(spelled(value)) AS shape,
        count(*) AS rows
    FROM given
    WHERE is_unread(value, moment)
    GROUP BY ALL
), dates AS (
    SELECT
        rows,
        length(date.c) = 4 AS is_long,
        day_of_short_date(date, 'ymd') AS ymd,
        day_of_short_date(date, 'dmy') AS dmy,
        day_of_short_date(date, 'mdy') AS mdy,
        day_of_short_date(date, 'ydm') AS ydm
    FROM values
    WHERE date.a <> ''
), short AS (
    FROM dates WHERE NOT is_long AND coalesce(ymd, dmy, mdy) IS NOT NULL
), long AS (
    FROM dates WHERE is_long AND coalesce(dmy, mdy) IS NOT NULL
), shapes AS (
    SELECT shape, sum(rows)::BIGINT AS rows FROM values WHERE shape IS NOT NULL GROUP BY shape
)
SELECT
    (SELECT coalesce(sum(rows), 0)::BIGINT FROM values) AS unread,
    (
        SELECT {
            'rows': coalesce(sum(rows), 0)::BIGINT, 'dates': count(*),
            'dmy': count_order(dmy, rows), 'mdy': count_order(mdy, rows)
        }
        FROM long
    ) AS long,
    (
        SELECT {
            'rows': coalesce(sum(rows), 0)::BIGINT, 'dates': count(*),
            'ymd': count_order(ymd, rows), 'dmy': count_order(dmy, rows), 'mdy': count_order(mdy, rows),
            'year_day_month': (
                SELECT coalesce(sum(rows), 0)::BIGINT
                FROM dates
                WHERE NOT is_long AND coalesce(ymd, dmy, mdy) IS NULL AND ydm IS NOT NULL
            )
        }
        FROM short
    ) AS short,
    (SELECT coalesce(list({'shape': shape, 'rows': rows} ORDER BY shape), []) FROM shapes) AS year_day_month
