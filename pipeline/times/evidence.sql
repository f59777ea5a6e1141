-- One row: what the values of a time column (`given`: value, moment) tell about the orders of its dates.
-- `unread`: values that are not read yet. `hours`: distinct unread values of ten digits, which may be a day and an hour.
-- `seconds`: whether a value of ten digits between 1900000000 and 2099999999 is no day and hour. `long`, `short`: distinct
-- unread dates whose year has four or two digits. `rows` is the number of their values, `fits` the number of dates that
-- fit any order, and the other fields are the numbers of dates that fit one order. `years`, `spans`: distinct years, and days from the first to the last
-- date, of the short dates in each order.
WITH values AS (
    SELECT
        is_unread(value, moment) AS is_open,
        CASE WHEN is_unread(value, moment) THEN short_date(spelled(value)) END AS date,
        CASE WHEN is_unread(value, moment) AND may_be_hours(value) THEN value END AS hour,
        count(*) AS rows
    FROM given
    WHERE is_unread(value, moment) OR regexp_matches(value, '^(?:19|20)\d{8}(?:\.\d*)?$')
    GROUP BY ALL
), dates AS (
    SELECT
        rows,
        length(date.c) = 4 AS is_long,
        day_of_short_date(date, 'ymd') AS ymd,
        day_of_short_date(date, 'dmy') AS dmy,
        day_of_short_date(date, 'mdy') AS mdy
    FROM values
    WHERE date.a <> ''
), short AS (
    FROM dates WHERE NOT is_long AND coalesce(ymd, dmy, mdy) IS NOT NULL
), long AS (
    FROM dates WHERE is_long AND coalesce(dmy, mdy) IS NOT NULL
)
SELECT
    (SELECT coalesce(sum(rows) FILTER (is_open), 0)::BIGINT FROM values) AS unread,
    (SELECT count(hour) FROM values) AS hours,
    (SELECT coalesce(bool_or(NOT is_open), false) FROM values) AS seconds,
    (
        SELECT {'rows': coalesce(sum(rows), 0)::BIGINT, 'fits': count(*), 'dmy': count(dmy), 'mdy': count(mdy)}
        FROM long
    ) AS long,
    (
        SELECT {
            'rows': coalesce(sum(rows), 0)::BIGINT, 'fits': count(*), 'ymd': count(ymd), 'dmy': count(dmy),
            'mdy': count(mdy)
        }
        FROM short
    ) AS short,
    (
        SELECT {
            'ymd': count(DISTINCT year(ymd)), 'dmy': count(DISTINCT year(dmy)), 'mdy': count(DISTINCT year(mdy))
        }
        FROM short
    ) AS years,
    (
        SELECT {'ymd': max(ymd) - min(ymd), 'dmy': max(dmy) - min(dmy), 'mdy': max(mdy) - min(mdy)} FROM short
    ) AS spans
