-- The common forms of times. `moment_of_common(value)` converts a text to {stated: TIMESTAMP as written, utc: TIMESTAMP in
-- UTC, or null if the text names no zone}. If the text has another form, both fields are null. The parser of all forms is in
-- all_forms.sql. It takes longer to plan and to run, so columns with only common forms do without it.
--
-- No cast of DuckDB reads a text that a regular expression has not checked, because DuckDB ignores what it does not
-- understand in a text.

CREATE MACRO nothing() AS {'stated': NULL::TIMESTAMP, 'utc': NULL::TIMESTAMP};
CREATE MACRO without_zone(time) AS {'stated': time, 'utc': NULL::TIMESTAMP};
CREATE MACRO in_utc(time) AS {'stated': NULL::TIMESTAMP, 'utc': time};

-- Two digits of a year mean 1969 to 2068, as in POSIX.
CREATE MACRO four_digits(year) AS CASE WHEN length(year) = 4 THEN year WHEN year >= '69' THEN '19' || year ELSE '20' || year END;

CREATE MACRO calendar_day(year, month, day) AS TRY_CAST(concat(four_digits(year), '-', month, '-', day) AS DATE);

-- The hour from 0 to 23. An hour that contradicts the word becomes null, and so does a word that leaves the day open,
-- such as 밤 12시.
CREATE MACRO hour_of_day(hour, word) AS CASE
    WHEN word = '' THEN CASE WHEN hour < 24 THEN hour END
    WHEN word IN ('오전', '上午') OR starts_with(lower(word), 'a') THEN CASE WHEN hour <= 12 THEN hour % 12 END
    WHEN word IN ('오후', '下午') OR starts_with(lower(word), 'p')
        THEN CASE WHEN hour <= 12 THEN hour % 12 + 12 WHEN hour < 24 THEN hour END
    WHEN word = '午前' THEN CASE WHEN hour < 12 THEN hour END
    WHEN word = '午後' THEN CASE WHEN hour BETWEEN 1 AND 11 THEN hour + 12 WHEN hour BETWEEN 13 AND 23 THEN hour END
    WHEN word = '새벽' THEN CASE WHEN hour BETWEEN 1 AND 6 THEN hour END
    WHEN word = '아침' THEN CASE WHEN hour BETWEEN 5 AND 11 THEN hour END
    WHEN word = '낮' THEN CASE WHEN hour BETWEEN 1 AND 5 THEN hour + 12 WHEN hour BETWEEN 11 AND 17 THEN hour END
    WHEN word = '저녁' THEN CASE WHEN hour BETWEEN 5 AND 11 THEN hour + 12 WHEN hour BETWEEN 17 AND 23 THEN hour END
    WHEN word = '밤' THEN CASE WHEN hour BETWEEN 7 AND 11 THEN hour + 12 WHEN hour BETWEEN 19 AND 23 THEN hour END
END;

-- Microseconds since midnight. 24:00 is the next midnight. A leap second becomes null.
CREATE MACRO clock(hour, word, minute, second, fraction) AS CASE
    WHEN hour = '24' AND word = '' AND rtrim(concat(minute, second, fraction), '0') = '' THEN 86400000000
    WHEN lpad(minute, 2, '0') < '60' AND lpad(second, 2, '0') < '60' THEN
        hour_of_day(hour::INTEGER, word) * 3600000000 + lpad(minute, 2, '0')::BIGINT * 60000000
        + lpad(second, 2, '0')::BIGINT * 1000000 + rpad(fraction, 6, '0')[1:6]::BIGINT
END;

CREATE MACRO iso_grammar() AS
    '^ *[12]\d{3}-\d\d-\d\d(?:[ T](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,6})?)?)? *$';

CREATE MACRO iso_grammar_with_offset() AS
    '^ *[12]\d{3}-\d\d-\d\d[ T](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?(?:Z|[+-](?:0\d|1[0-3]):[0-5]\d) *$';

-- Formats of Korean logs and messengers: 2026.11.23 6:10, 2026년 11월 23일 오후 3:10, 2026.11.23 PM 3:10:00.
CREATE MACRO korean_grammar() AS
    '^ *([1-9]\d{3})[-/.년] ?(\d{1,2})[-/.월] ?(\d{1,2})[.일]? (?:(오전|오후|[AaPp][Mm]) ?)?(\d{1,2}):(\d\d)(?::(\d\d))? *$';

-- Seconds or milliseconds since 1970, in the years 2001 to 2030.
CREATE MACRO epoch_grammar() AS '^ *1[0-8]\d{8}(?:\d{3})? *$';

CREATE MACRO common_grammar() AS
    concat(iso_grammar(), '|', iso_grammar_with_offset(), '|', korean_grammar(), '|', epoch_grammar());

CREATE MACRO moment_of_common(value) AS CASE
    WHEN regexp_matches(value, iso_grammar()) THEN without_zone(TRY_CAST(value AS TIMESTAMP))
    WHEN regexp_matches(value, iso_grammar_with_offset()) THEN in_utc(timezone('UTC', TRY_CAST(value AS TIMESTAMPTZ)))
    WHEN regexp_matches(value, korean_grammar()) THEN list_transform(
        [regexp_extract(value, korean_grammar(), ['y', 'm', 'd', 'word', 'h', 'i', 's'])],
        lambda t: without_zone(calendar_day(t.y, t.m, t.d) + to_microseconds(clock(t.h, t.word, t.i, t.s, '')))
    )[1]
    WHEN regexp_matches(value, epoch_grammar())
        THEN in_utc(make_timestamp(trim(value)::BIGINT * CASE WHEN length(trim(value)) = 10 THEN 1000000 ELSE 1000 END))
    ELSE nothing()
END;

CREATE MACRO moment_of_common_integer(value) AS CASE
    WHEN value BETWEEN 1000000000 AND 1899999999 THEN in_utc(make_timestamp(value::BIGINT * 1000000))
    WHEN value BETWEEN 1000000000000 AND 1899999999999 THEN in_utc(make_timestamp(value::BIGINT * 1000))
    ELSE nothing()
END;

-- Digits of other forms. Emojob does not read these forms, but their values may look like the time since 1970: 1711010000 is
-- 2024-03-21, or 2017-11-01 in the form YYMMDDHHMM. Their years are 1990 to 2039.
CREATE MACRO digits_of_year() AS '(?:199\d|20[0-3]\d)';
CREATE MACRO short_digits_of_year() AS '(?:9\d|[0-3]\d)';
CREATE MACRO digits_of_month() AS '(?:0[1-9]|1[0-2])';
CREATE MACRO digits_of_day() AS '(?:0[1-9]|[12]\d|3[01])';
CREATE MACRO digits_of_clock() AS '(?:(?:[01]\d|2[0-4])(?:[0-5]\d(?:[0-5]\d+)?)?)?$';

CREATE MACRO yymmdd() AS concat('^', short_digits_of_year(), digits_of_month(), digits_of_day(), digits_of_clock());
CREATE MACRO ddmmyy() AS concat('^', digits_of_day(), digits_of_month(), short_digits_of_year(), digits_of_clock());
CREATE MACRO mmddyy() AS concat('^', digits_of_month(), digits_of_day(), short_digits_of_year(), digits_of_clock());
CREATE MACRO ddmmyyyy() AS concat('^', digits_of_day(), digits_of_month(), digits_of_year(), digits_of_clock());
CREATE MACRO mmddyyyy() AS concat('^', digits_of_month(), digits_of_day(), digits_of_year(), digits_of_clock());

CREATE MACRO stamp_grammar() AS concat_ws('|', yymmdd(), ddmmyy(), mmddyy(), ddmmyyyy(), mmddyyyy());
CREATE MACRO is_stamp(value) AS regexp_matches(trim(value), stamp_grammar());

-- The same for integers. In each form, the two digits after the first two are a day or a month.
CREATE MACRO is_epoch_integer(value) AS
    value BETWEEN 1000000000 AND 1899999999 OR value BETWEEN 1000000000000 AND 1899999999999;
CREATE MACRO is_stamp_integer(value) AS CASE
    WHEN value BETWEEN 1000000000 AND 1899999999 THEN value // 1000000 % 100 BETWEEN 1 AND 31 AND is_stamp(value::VARCHAR)
    WHEN value BETWEEN 1000000000000 AND 1899999999999
        THEN value // 1000000000 % 100 BETWEEN 1 AND 31 AND is_stamp(value::VARCHAR)
END;

CREATE MACRO text_of_double(value) AS CASE
    WHEN value = trunc(value) AND abs(value) < 9e18 THEN value::BIGINT::VARCHAR
    WHEN abs(value) < 9e18 THEN value::DECIMAL(38, 6)::VARCHAR
END;

-- The UTC time of a local time in a region. If clocks show the local time twice, the first time. If clocks skip the
-- local time, the time after the same waiting time: 02:30 becomes 03:30.
CREATE MACRO utc_in_region(stated, region) AS list_transform(
    [timezone('UTC', timezone(region, stated))],
    lambda utc: CASE
        WHEN timezone(region, timezone('UTC', utc - INTERVAL 1 HOUR)) = stated THEN utc - INTERVAL 1 HOUR
        WHEN timezone(region, timezone('UTC', utc - INTERVAL 30 MINUTE)) = stated THEN utc - INTERVAL 30 MINUTE
        ELSE utc
    END
)[1];

-- The local time in a zone.
CREATE MACRO local_time(moment, zone) AS
    CASE WHEN moment.utc IS NULL THEN moment.stated ELSE timezone(zone, timezone('UTC', moment.utc)) END;

-- The time in UTC. A time without a zone is a local time in `zone`.
CREATE MACRO utc_time(moment, zone) AS
    CASE WHEN moment.utc IS NULL THEN utc_in_region(moment.stated, zone) ELSE moment.utc END;

CREATE MACRO is_unread(value, moment) AS
    moment.stated IS NULL AND moment.utc IS NULL AND regexp_matches(value, '[^\s\x{a0}\x{200b}\x{3000}\x{feff}]');

-- A number of days since 1899-12-30, as Excel stores times: years 1954 to 2119.
CREATE MACRO is_excel_day(value) AS
    CASE WHEN regexp_matches(value, '^ *\d{5}(?:\.\d+)? *$') THEN trim(value)::DOUBLE BETWEEN 20000 AND 80000 ELSE false END;

-- What a value looks like, without the value: digits become 9, letters become a.
CREATE MACRO form_of(value) AS regexp_replace(
    regexp_replace(regexp_replace(left(trim(value), 30), '\p{N}', '9', 'g'), '\p{L}\p{M}*', 'a', 'g'), '[\s\p{C}]+', ' ', 'g'
);
