-- The macros of evidence.sql and digit_evidence.sql.

-- The numbers of a date such as 26.11.23 or 03/04/2026, and its day of the week.
CREATE MACRO short_date(value) AS CASE WHEN regexp_matches(value, time_grammar()) THEN list_filter(
    [regexp_extract(
        value,
        concat(
            '(?i)^(?:[(\[]?', weekday_words(), '[)\]]?[.,]? ?)?',
            '(\d{1,2}) ?([-/. ]) ?(\d{1,2}) ?([-/. ]) ?(\d{4}|\d{1,2})(?:[^\d:]|$)'
        ),
        ['weekday', 'a', 'p', 'b', 'q', 'c']
    )],
    lambda t: t.p = t.q
)[1] END;

CREATE MACRO day_of_short_date(t, ordering) AS list_filter(
    [day_in_order(t.a, t.b, t.c, ordering)], lambda day: t.weekday = '' OR weekday_number(t.weekday) = isodow(day)
)[1];

-- The numbers of a date such as 2026-11-23 or 20261123 06:10, and its shape (see `moment`).
CREATE MACRO long_date(value) AS CASE WHEN regexp_matches(value, time_grammar()) THEN list_transform(
    list_filter(
        [regexp_extract(
            value,
            concat(
                '(?i)^(?:[(\[]?', weekday_words(), '[)\]]?[.,]? ?)?(\d{4})',
                '(?: ?([-/._: ]) ?(\d{1,2}) ?([-/._: ]) ?(\d{1,2})(?:[^\d:]|$)|(\d\d)(\d\d)[ _t-])'
            ),
            ['weekday', 'y', 'p', 'a', 'q', 'b', 'a2', 'b2']
        )],
        lambda t: t.p = t.q
    ),
    lambda t: {'year': t.y, 'a': concat(t.a, t.a2), 'b': concat(t.b, t.b2), 'shape': CASE WHEN t.p = '' THEN '8' ELSE t.p END}
)[1] END;

-- The shape of a date such as 2026-23-11 or 20262311 06:10 that can only be year, day, month.
CREATE MACRO year_day_month(value) AS list_filter(
    [long_date(value)],
    lambda t: calendar_day(t.year, t.b, t.a) IS NOT NULL AND calendar_day(t.year, t.a, t.b) IS NULL
)[1].shape;

-- The shape of a date that is already read and begins with a year.
CREATE MACRO shape_of_read(value) AS list_transform(
    [regexp_extract(value, '^(?:\D*[^\d''])?[1-9]\d{3}(?: ?([-/._: ]) ?\d{1,2} ?[-/._: ]|\d{4}([ _tT-]))', ['p', 'compact'])],
    lambda t: CASE WHEN t.compact = '' THEN t.p ELSE '8' END
)[1];

CREATE MACRO count_order(day, rows) AS
    {'dates': count(day), 'rows': coalesce(sum(rows) FILTER (day IS NOT NULL), 0)::BIGINT};

-- The number of values that may have another form, for digit_evidence.sql: `both` are read, `only` are not.
CREATE MACRO count_rivals(is_read, is_rival) AS {
    'both': count(*) FILTER (is_read AND is_rival),
    'only': count(*) FILTER (NOT is_read AND is_rival)
};
CREATE MACRO yyyyddmm() AS concat('^', digits_of_year(), digits_of_day(), digits_of_month(), digits_of_clock());
