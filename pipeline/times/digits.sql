-- Digits: 20261123, 2026112306, 202611230610, 20261123061000 and so on, or the time since 1970. `moment_of_digits(digits,
-- fraction, refused)` converts the digits before and after the decimal point to a struct like `moment_of_common` in
-- common_forms.sql. `refused`: see all_forms.sql. No text has two of these meanings, but it may have other forms, see
-- digit_evidence.sql.

CREATE MACRO is_refused(shape, refused) AS refused <> '' AND contains(refused, concat(',', shape, ','));

CREATE MACRO digits_grammar() AS '^(\d{8,20})\.?(\d*)$';

CREATE MACRO compact_grammar() AS '^(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])';

-- The number of digits shows the unit. Seconds before 1000000000 have nine digits, and nine digits may count from 2001
-- (Apple). Numbers from 1990000000 on may be a day and an hour, such as 2026112306.
CREATE MACRO micros_since_1970(whole, fraction) AS CASE
    WHEN whole BETWEEN 1000000000 AND 1989999999 THEN whole * 1000000 + rpad(fraction, 6, '0')[1:6]::BIGINT
    WHEN whole BETWEEN 1000000000000 AND 1989999999999 THEN whole * 1000 + rpad(fraction, 3, '0')[1:3]::BIGINT
    WHEN whole BETWEEN 1000000000000000 AND 1989999999999999 THEN whole
    WHEN whole BETWEEN 1000000000000000000 AND 1989999999999999999 THEN whole // 1000
END;

CREATE MACRO moment_of_compact(digits, fraction) AS without_zone(
    calendar_day(digits[1:4], digits[5:6], digits[7:8]) + to_microseconds(
        clock(rpad(digits[9:10], 2, '0'), '', digits[11:12], digits[13:14], digits[15:] || fraction)
    )
);

CREATE MACRO is_compact(digits, fraction) AS regexp_matches(digits, compact_grammar()) AND CASE
    WHEN rtrim(fraction, '0') <> '' THEN length(digits) = 14
    WHEN length(digits) = 10 THEN digits >= '199'
    ELSE length(digits) IN (8, 12, 14, 17, 20)
END;

-- Ten digits are seconds or a day and an hour.
CREATE MACRO shape_of_digits(digits) AS CASE WHEN length(digits) = 10 AND digits < '199' THEN 'seconds' ELSE length(digits)::VARCHAR END;

CREATE MACRO moment_of_digits(digits, fraction, refused) AS CASE
    WHEN is_refused(shape_of_digits(digits), refused) OR digits[1] = '0' THEN nothing()
    WHEN is_compact(digits, fraction) THEN moment_of_compact(digits, fraction)
    ELSE in_utc(make_timestamp(micros_since_1970(TRY_CAST(digits AS BIGINT), fraction)))
END;
