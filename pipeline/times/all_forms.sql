-- The parser of all forms of times. `moment(value, short_order, long_order, refused)` converts a text to a struct like
-- `moment_of_common` in common_forms.sql. The whole text must fit the grammar below. Otherwise, both fields are null.
--
-- `short_order` (ymd, dmy, mdy) is the order of dates such as 26.11.23. `long_order` (dmy, mdy) is the order of dates
-- such as 03/04/2026. An empty text means: unknown. Such values become null. `refused` names the shapes whose values become
-- null, between commas: the separator of dates such as 2026-11-23, or the shape of digits (see digits.sql). `,-,12,` means:
-- the separator `-`, and 12 digits. An empty text means: none.

-- The grammar: pieces of a regular expression. ------------------------------------------------------------------------

CREATE MACRO weekday_words() AS
    '(mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:r(?:s(?:day)?)?)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?'
    || '|[월화수목금토일](?:요일)?)';

CREATE MACRO month_words() AS
    '(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?'
    || '|nov(?:ember)?|dec(?:ember)?)\.?';

CREATE MACRO day_part_words() AS '(오전|오후|새벽|아침|낮|저녁|밤|午前|午後|上午|下午|[ap]m\b|[ap]\.m\.?)';

-- The names of the groups follow each line. `p` and `q` are separators, which must be equal.
CREATE MACRO date_grammar() AS concat(
    '(?:',
    -- y p m q d: 2026-11-23, 2026. 11. 23., 2026년 11월 23일
    '([1-9]\d{3}) ?([-/._:년年 ]) ?(\d{1,2}) ?([-/._:월月 ]) ?(\d{1,2})(?: ?[.일日])?',
    -- y2 y3 m2 d2: '26.11.23, 26년 11월 23일
    '|(?:''(\d\d) ?[-/.년]|(\d\d) ?년) ?(\d{1,2}) ?[-/.월] ?(\d{1,2})(?: ?[.일])?',
    -- a p2 b q2 c: 26.11.23, 03/04/2026
    '|(\d{1,2}) ?([-/. ]) ?(\d{1,2}) ?([-/. ]) ?([1-9]\d{3}|\d{1,2})\.?',
    -- d4 mon4 y4: 23 Nov 2026
    '|(\d{1,2})(?:st|nd|rd|th)?\.?[-/ ]?', month_words(), '[-/, ]*([1-9]\d{3}|\d\d)',
    -- mon5 d5 y5: Nov 23, 2026
    '|', month_words(), '[-/ ]?(\d{1,2})(?:st|nd|rd|th)?(?:, ?|[-/ ])([1-9]\d{3})',
    -- y6 mon6 d6: 2026-Nov-23
    '|([1-9]\d{3})[-/. ]?', month_words(), '[-/. ]?(\d{1,2})',
    -- y7 week d7: 2026-W48-1
    '|([1-9]\d{3})-?w(\d\d)-?([1-7])',
    -- y8 d8: 2026-327
    '|([1-9]\d{3})-(\d{3})',
    -- y9 m9 d9 h9 i9 s9 f9: 20261123, 20261123_061000
    '|([1-9]\d{3})(\d\d)(\d\d)(?:[ _-]?(\d\d)(\d\d)(\d\d)(?:[.,](\d{1,9}))?)?',
    ')'
);

CREATE MACRO clock_grammar() AS concat(
    '(?:',
    '(?: ?t ?|[ ,_]+(?:at )?| - |(:))(?:',
    '(?:', day_part_words(), ' ?)?(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?: ?', day_part_words(), ')?',
    '|(?:', day_part_words(), ' ?)?(\d{1,2}) ?[시時时](?: ?(\d{1,2}) ?[분分](?: ?(\d{1,2})(?:\.(\d{1,9}))? ?[초秒])?)?',
    '|(\d{1,2}) ?([ap]m\b|[ap]\.m\.?)',
    '|(정오|noon)',
    ')',
    '|t(\d\d)(\d\d)(?:(\d\d)(?:[.,](\d{1,9}))?)?',
    ')'
);

CREATE MACRO zone_grammar() AS concat(
    ' ?\(?(?:',
    '(?:(?:gmt|utc?) ?([+-])(\d{1,2})|([+-])(\d\d))(?::?(\d\d))?(?: \([^()\d]*\))?(?: ?([a-z]{2,5}))?',
    '|([a-z]{1,5})\b',
    ')?\)?(?: ?\[?((?:[a-z_]+(?:/[a-z0-9_+-]+)+))\]?|\[(utc|gmt|z)\])?'
);

CREATE MACRO time_grammar() AS concat(
    '(?i)^(?:[(\[]?', weekday_words(), '[)\]]?[.,]? ?)?', date_grammar(),
    '(?:,? ?[(\[]?', weekday_words(), '[)\]]?[.,]?)?', '(?:', clock_grammar(), '(?:', zone_grammar(), ')?)?$'
);

CREATE MACRO time_fields(value) AS regexp_extract(value, time_grammar(), [
    'weekday', 'y', 'p', 'm', 'q', 'd', 'y2', 'y3', 'm2', 'd2', 'a', 'p2', 'b', 'q2', 'c', 'd4', 'mon4', 'y4', 'mon5', 'd5', 'y5',
    'y6', 'mon6', 'd6', 'y7', 'week', 'd7', 'y8', 'd8', 'y9', 'm9', 'd9', 'h9', 'i9', 's9', 'f9', 'weekday2',
    'colon', 'part', 'h', 'i', 's', 'f', 'part2', 'part3', 'h3', 'i3', 's3', 'f3', 'h4', 'part4', 'noon', 'h5', 'i5', 's5', 'f5',
    'sign', 'zh', 'sign2', 'zh2', 'zm', 'abbreviation', 'abbreviation2', 'region', 'region2'
]);

CREATE MACRO month_number(word) AS
    list_position(['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'], lower(word[1:3]));

-- The parts of a text that fits the grammar. The alternatives of the grammar exclude each other, so concat chooses the
-- alternative that fits. `is_korean`: Korean words prove that a date such as 26.11.23 begins with the year. `is_wrong`: the
-- parts contradict each other.
CREATE MACRO joined_fields(t) AS {
    'year': concat(t.y, t.y2, t.y3, t.y4, t.y5, t.y6, t.y7, t.y8, t.y9),
    'month': concat(t.m, t.m2, t.m9, month_number(concat(t.mon4, t.mon5, t.mon6))),
    'day': concat(t.d, t.d2, t.d4, t.d5, t.d6, t.d7, t.d8, t.d9),
    'a': t.a, 'b': t.b, 'c': t.c,
    'week': t.week, 'is_ordinal': t.y8 <> '',
    'weekday': t.weekday, 'weekday2': t.weekday2,
    'hour': concat(t.h, t.h3, t.h4, t.h5, t.h9),
    'word': concat(t.part, t.part2, t.part3, t.part4, t.noon),
    'minute': concat(t.i, t.i3, t.i5, t.i9), 'second': concat(t.s, t.s3, t.s5, t.s9),
    'fraction': concat(t.f, t.f3, t.f5, t.f9),
    'is_wrong': t.part <> '' AND t.part2 <> '' OR t.h9 <> '' AND concat(t.h, t.h3, t.h4, t.h5, t.noon) <> ''
        OR concat(t.p, t.p2) <> translate(concat(t.q, t.q2), '월月', '년年')
        OR t.colon <> '' AND (t.mon4 = '' OR length(t.y4) <> 4),  -- 23/Nov/2026:06:10:00, but not 23.11. 06:10:00
    'shape': CASE WHEN t.y9 = '' THEN t.p ELSE '8' END,
    'is_korean': t.p2 = '.' AND regexp_matches(concat(t.part, t.part2, t.part3, t.noon, t.weekday, t.weekday2), '[가-힣]'),
    'sign': concat(t.sign, t.sign2), 'zone_hours': concat(t.zh, t.zh2), 'zone_minutes': t.zm,
    'zone_word': upper(CASE WHEN t.abbreviation2 = '' AND concat(t.sign, t.sign2) = '' THEN t.region2 ELSE t.abbreviation2 END),
    'extra_zone_word': upper(
        CASE WHEN concat(t.abbreviation2, t.sign, t.sign2) = '' THEN '' ELSE concat(t.abbreviation, t.region2) END
    ),
    'region': t.region
};

-- Days. ---------------------------------------------------------------------------------------------------------------

CREATE MACRO weekday_number(word) AS coalesce(
    list_position(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'], lower(word[1:3])),
    list_position(['월', '화', '수', '목', '금', '토', '일'], word[1])
);

CREATE MACRO day_in_order(a, b, c, ordering) AS CASE
    WHEN ordering = 'ydm' AND length(a) = 2 AND length(c) <= 2 THEN calendar_day(a, c, b)
    WHEN ordering = 'ymd' AND length(a) = 2 AND length(c) <= 2 THEN calendar_day(a, b, c)
    WHEN ordering = 'dmy' AND length(c) >= 2 THEN calendar_day(c, b, a)
    WHEN ordering = 'mdy' AND length(c) >= 2 THEN calendar_day(c, a, b)
END;

CREATE MACRO day_of_week(year, week, day) AS list_transform(
    [make_date(year::INTEGER, 1, 4)],
    lambda fourth: fourth - isodow(fourth)::INTEGER + 7 * (week::INTEGER - 1) + day::INTEGER
)[1];

CREATE MACRO day_of_fields(t, short_order, long_order, refused) AS CASE
    WHEN is_refused(t.shape, refused) THEN NULL
    WHEN t.a <> '' THEN day_in_order(
        t.a, t.b, t.c,
        CASE WHEN length(t.c) = 4 THEN long_order WHEN t.is_korean THEN 'ymd' ELSE short_order END
    )
    WHEN t.week <> '' THEN list_filter([day_of_week(t.year, t.week, t.day)], lambda day: isoyear(day)::VARCHAR = t.year)[1]
    WHEN t.is_ordinal
        THEN list_filter([make_date(t.year::INTEGER, 1, 1) + (t.day::INTEGER - 1)], lambda day: year(day)::VARCHAR = t.year)[1]
    ELSE calendar_day(t.year, t.month, t.day)
END;

-- Clock times and time zones. -----------------------------------------------------------------------------------------

CREATE MACRO clock_of_fields(t) AS CASE
    WHEN t.is_wrong THEN NULL
    WHEN t.hour <> '' THEN clock(t.hour, t.word, t.minute, t.second, t.fraction)
    WHEN t.word <> '' THEN 43200000000
    ELSE 0
END;

-- Minutes ahead of UTC; null for a word with several meanings (CST, IST, BST ...) or without a meaning.
CREATE MACRO minutes_of_word(word) AS CASE
    WHEN word IN ('Z', 'UT', 'UTC', 'GMT') THEN 0
    WHEN word IN ('KST', 'JST') THEN 540
    WHEN word IN ('HKT', 'SGT') THEN 480
    WHEN word = 'EST' THEN -300
    WHEN word = 'EDT' THEN -240
    WHEN word = 'MDT' THEN -360
    WHEN word = 'PST' THEN -480
    WHEN word = 'PDT' THEN -420
    WHEN word = 'CET' THEN 60
    WHEN word IN ('CEST', 'EET') THEN 120
    WHEN word = 'EEST' THEN 180
    WHEN word = 'AEST' THEN 600
    WHEN word = 'AEDT' THEN 660
    WHEN word = 'NZST' THEN 720
    WHEN word = 'NZDT' THEN 780
END;

CREATE MACRO is_unclear_zone_word(word) AS word IN ('CST', 'CDT', 'IST', 'BST', 'MST', 'AST');

CREATE MACRO minutes_of_offset(sign, hours, minutes) AS CASE
    WHEN hours::INTEGER < 14 AND concat('0', minutes)::INTEGER < 60 OR hours::INTEGER = 14 AND concat('0', minutes)::INTEGER = 0
    THEN (hours::INTEGER * 60 + concat('0', minutes)::INTEGER) * CASE sign WHEN '-' THEN -1 ELSE 1 END
END;

-- Minutes ahead of UTC. If the text names no offset or if the parts of the zone contradict each other: null.
CREATE MACRO minutes_of_fields(t) AS list_filter(
    [CASE
        WHEN t.sign = '' THEN minutes_of_word(t.zone_word)
        ELSE minutes_of_offset(t.sign, t.zone_hours, t.zone_minutes)
    END],
    lambda minutes: t.extra_zone_word = '' OR is_unclear_zone_word(t.extra_zone_word)
        OR minutes = minutes_of_word(t.extra_zone_word)
)[1];

CREATE MACRO utc_in_zone(stated, offset_named, minutes, region) AS CASE
    WHEN region <> '' AND NOT regexp_full_match(lower(region), region_names()) THEN NULL
    WHEN NOT offset_named THEN utc_in_region(stated, region)
    WHEN region = '' OR timezone(region, timezone('UTC', stated - to_minutes(minutes))) = stated
        THEN stated - to_minutes(minutes)
END;

-- Whole values. -------------------------------------------------------------------------------------------------------

-- Full-width characters become ASCII, all spaces become one space, and invisible characters are removed.
CREATE MACRO plain_spelling(value) AS CASE
    WHEN regexp_matches(value, '^[!-~가-힣]+(?: [!-~가-힣]+)*$') THEN value
    ELSE trim(regexp_replace(
        translate(
            nfc_normalize(regexp_replace(value, '\p{Cf}+', '', 'g')),
            '０１２３４５６７８９：／．，－＋（）［］ＡＭＰＴＺａｍｐ' || '‐‑–−' || '’‘',
            '0123456789:/.,-+()[]AMPTZamp' || '----' || '''' || ''''
        ),
        '[\s\p{Z}]+', ' ', 'g'
    ))
END;

CREATE MACRO without_brackets(value) AS
    CASE WHEN regexp_matches(value, '^\[[^\[\]]*\]$') THEN value[2:-2] ELSE value END;

CREATE MACRO clock_before_date() AS
    '(?i)^((?:(?:오전|오후|[ap]m|[ap]\.m\.) ?)?\d{1,2}:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?: ?(?:[ap]m|[ap]\.m\.))?)[, ] ?(\d{4} ?[-/.년].*|\d{1,2}[-/.].*)$';

-- Moves the year of ctime (Mon Nov 23 06:10:00 KST 2026) to the date, and a time of day behind the date. Separates 23일14시.
CREATE MACRO plain_layout(value) AS CASE
    WHEN regexp_matches(value, '^[A-Za-z].* \d{4}$') THEN trim(regexp_replace(
        value, '^((?:[A-Za-z]+ )?[A-Za-z]+ \d{1,2}) (\d{1,2}:\d\d:\d\d(?:\.\d+)?)((?: [A-Za-z+-][A-Za-z0-9:+-]*)?) (\d{4})$',
        '\1 \4 \2\3'
    ))
    -- the time of day before the date: PM 3:10:00, 2026.11.23
    WHEN regexp_matches(value, clock_before_date()) THEN regexp_replace(value, clock_before_date(), '\2 \1')
    WHEN contains(value, '일') THEN regexp_replace(value, '일(\d|오[전후])', '일 \1')
    ELSE value
END;

CREATE MACRO spelled(value) AS plain_layout(without_brackets(plain_spelling(value)));

CREATE MACRO is_on_weekday(day, word) AS word = '' OR isodow(day) = weekday_number(word);

CREATE MACRO moment_of_fields(t, short_order, long_order, refused) AS list_transform(
    [{
        'day': day_of_fields(t, short_order, long_order, refused),
        'micros': clock_of_fields(t),
        'has_zone': concat(t.sign, t.zone_word, t.region) <> '',
        'has_offset': t.sign <> '' OR t.zone_word <> '',
        'minutes': minutes_of_fields(t)
    }],
    lambda one: CASE
        WHEN NOT (is_on_weekday(one.day, t.weekday) AND is_on_weekday(one.day, t.weekday2)) THEN nothing()
        WHEN one.has_zone THEN in_utc(
            utc_in_zone(one.day + to_microseconds(one.micros), one.has_offset, one.minutes, t.region)
        )
        ELSE without_zone(one.day + to_microseconds(one.micros))
    END
)[1];

CREATE MACRO moment(value, short_order, long_order, refused) AS CASE
    WHEN refused = '' AND regexp_matches(value, common_grammar()) THEN moment_of_common(value)
    WHEN value <> '' THEN list_transform(
        [spelled(value)],
        lambda text: CASE
            WHEN regexp_matches(text, digits_grammar()) THEN list_transform(
                [regexp_extract(text, digits_grammar(), ['digits', 'fraction'])],
                lambda one: moment_of_digits(one.digits, one.fraction, refused)
            )[1]
            ELSE list_transform(
                list_transform([time_fields(text)], lambda t: joined_fields(t)),
                lambda t: moment_of_fields(t, short_order, long_order, refused)
            )[1]
        END
    )[1]
END;

-- Integers: the same as the texts of their digits. The first case is only faster.
CREATE MACRO moment_of_integer(value, refused) AS CASE
    WHEN refused = '' AND (value BETWEEN 1000000000 AND 1899999999 OR value BETWEEN 1000000000000 AND 1899999999999)
        THEN moment_of_common_integer(value)
    ELSE moment(value::VARCHAR, '', '', refused)
END;
