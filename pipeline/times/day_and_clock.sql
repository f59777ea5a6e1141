-- Times in two columns: one with the day, one with the time of day. `day_and_clock(day, clock, digits)` joins the two texts
-- to one text that the parsers in common_forms.sql and all_forms.sql read. `digits`: see `ClockReading` in day_and_clock.py.

-- Programs that know no times of day write a day of their own before them: Excel 1899-12-30, Python and Java 1970-01-01.
CREATE MACRO clock_alone(clock) AS
    regexp_replace(trim(clock), '^(?:1899-12-3[01]|1900-01-0[01]|1970-01-01|1900-01-01|0001-01-01)[ T]+', '');

-- A whole time: a year with four digits before a separator, or the digits of a time or of the time since 1970.
CREATE MACRO is_whole_time(clock) AS regexp_matches(clock, '^\D{0,4}\d{4} ?[-/.년]|^\d{8,}(?:\.\d*)?$');

-- Ends in the middle, so that other texts may follow, such as a time zone.
CREATE MACRO is_clock(clock) AS regexp_matches(
    clock,
    '(?i)^t?(?:(?:오전|오후|새벽|아침|낮|저녁|밤|[ap]\.?m\.?) ?)?\d{1,2} ?(?:[:시]|[ap]\.?m)|^(?:정오|noon)$'
);

CREATE MACRO is_bare_clock(clock, digits) AS regexp_matches(clock, '^\d{1,6}$') AND regexp_matches(
    lpad(clock, digits, '0'),
    CASE digits WHEN 6 THEN '^(?:[01]\d|2[0-3])[0-5]\d[0-5]\d$' ELSE '^(?:[01]\d|2[0-3])[0-5]\d$' END
) AND length(clock) <= digits;

CREATE MACRO spelled_clock(clock, digits) AS CASE
    WHEN digits = 6 AND regexp_matches(clock, '^\d{1,6}$')
        THEN list_transform([lpad(clock, 6, '0')], lambda six: concat(six[1:2], ':', six[3:4], ':', six[5:6]))[1]
    WHEN digits = 4 AND regexp_matches(clock, '^\d{1,4}$')
        THEN list_transform([lpad(clock, 4, '0')], lambda four: concat(four[1:2], ':', four[3:4]))[1]
    ELSE clock
END;

-- The day of a text that also has the time of day 00:00, which pandas and Excel add.
CREATE MACRO day_alone(day) AS regexp_replace(trim(day), '[ T]+0?0:00(?::00(?:\.0+)?)?$', '');

-- A row without a time of day has no time: midnight would be wrong. So its text must not be a time.
CREATE MACRO day_and_clock(day, clock, digits) AS CASE
    WHEN coalesce(trim(day), '') = '' THEN clock
    WHEN coalesce(trim(clock), '') = '' THEN concat(day, ' ?')
    ELSE list_transform(
        [clock_alone(clock)],
        lambda alone: CASE
            WHEN is_whole_time(alone) THEN alone
            WHEN ends_with(day, ' ' || alone) THEN day
            ELSE concat(day_alone(day), ' ', spelled_clock(alone, digits))
        END
    )[1]
END;
