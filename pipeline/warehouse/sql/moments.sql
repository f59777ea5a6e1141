-- Macros that convert the values of a time column to TIMESTAMP in the local time of `zone`. A value that is not a time
-- becomes null. Local time is used, because reports show the days and hours of the speakers.

-- Accepts a number: 20261121, 20261121093000, or seconds, milliseconds, microseconds or nanoseconds since 1970.
CREATE MACRO moment_of_number(value, zone) AS CASE
    WHEN value BETWEEN 19000101 AND 21001231 THEN try_strptime(value::BIGINT::VARCHAR, '%Y%m%d')
    WHEN value BETWEEN 19000101000000 AND 21001231235959 THEN try_strptime(value::BIGINT::VARCHAR, '%Y%m%d%H%M%S')
    WHEN abs(value) < 1e11 THEN timezone(zone, to_timestamp(value::DOUBLE))
    WHEN abs(value) < 1e14 THEN timezone(zone, to_timestamp(value / 1e3))
    WHEN abs(value) < 1e17 THEN timezone(zone, to_timestamp(value / 1e6))
    WHEN abs(value) < 9e18 THEN timezone(zone, to_timestamp(value / 1e9))
END;

-- Accepts a text in ISO 8601, with or without an offset, or in a format of Korean logs and messengers. A year may have
-- two digits.
CREATE MACRO moment_of_text(value, zone) AS CASE WHEN regexp_matches(value, '^\s*\d{1,2}[./-]') THEN
    try_strptime(
        replace(replace(trim(value), '/', '.'), '-', '.'),
        ['%y.%m.%d', '%y.%m.%d %H:%M', '%y.%m.%d %H:%M:%S', '%y.%m.%d. %H:%M', '%y.%m.%d.']
    )
ELSE coalesce(
    CASE WHEN regexp_matches(value, '\d:\d\d(:\d\d(\.\d+)?)?\s*(Z|[+-]\d\d(:?\d\d)?)\s*$')
        THEN timezone(zone, TRY_CAST(trim(value) AS TIMESTAMPTZ))
    END,
    TRY_CAST(trim(value) AS TIMESTAMP),
    try_strptime(
        replace(replace(trim(value), '오전', 'AM'), '오후', 'PM'),
        [
            '%Y%m%d%H%M%S', '%Y%m%d', '%Y-%m-%d %H:%M', '%Y/%m/%d %H:%M:%S', '%Y/%m/%d %H:%M', '%Y/%m/%d',
            '%Y.%m.%d %H:%M:%S', '%Y.%m.%d %H:%M', '%Y.%m.%d', '%Y. %m. %d. %H:%M:%S', '%Y. %m. %d. %H:%M', '%Y. %m. %d.',
            '%Y-%m-%d %p %I:%M:%S', '%Y-%m-%d %p %I:%M', '%Y. %m. %d. %p %I:%M:%S', '%Y. %m. %d. %p %I:%M',
            '%Y년 %m월 %d일 %H:%M:%S', '%Y년 %m월 %d일 %H:%M', '%Y년 %m월 %d일 %p %I:%M:%S', '%Y년 %m월 %d일 %p %I:%M',
            '%Y년 %m월 %d일'
        ]
    ),
    moment_of_number(TRY_CAST(value AS BIGINT), zone)
) END;
