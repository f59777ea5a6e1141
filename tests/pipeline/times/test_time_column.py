"""The parser of times: each value is read as the right moment, or becomes null and is counted."""

import datetime
import decimal
import itertools
import random

import duckdb
import hypothesis.strategies as st
import pyarrow as pa
import pytest
from hypothesis import given

from emojob.pipeline.times.time_column import utc_times
from emojob.schemas.errors import OptionError
from tests.examples import examples
from tests.pipeline.times.forms import CLOCKS, DATES, IN_ORDER, SEOUL, unambiguous

_MOMENTS = st.datetimes(
    datetime.datetime(1990, 1, 1), datetime.datetime(2029, 12, 30), timezones=st.just(datetime.UTC)
)  # fmt: skip


def read(values: list, date_order: str | None = None, kind: pa.DataType | None = None) -> list:
    """Return the moments of a column in UTC, without time zone."""
    return utc_times(pa.array(values, kind), date_order)[0].to_pylist()


def local(value: object) -> str | None:
    """Return the time in Seoul of a column with one value, in ISO 8601."""
    (moment,) = read([value])
    if moment is None:
        return None
    return moment.replace(tzinfo=datetime.UTC).astimezone(SEOUL).replace(tzinfo=None).isoformat(" ")


@pytest.mark.slow
class TestForms:
    """Forms with one meaning, whatever the other values of the column are."""

    @examples(12)
    @given(_MOMENTS)
    def test_every_form_gives_the_right_moment(self, moment):
        texts, expected = zip(*unambiguous(moment), strict=True)
        assert len(set(texts)) > 3000
        assert len(DATES) * len(CLOCKS) >= 200
        found = read(list(texts))
        wrong = [
            (text, got, want)
            for text, got, want in zip(texts, found, expected, strict=True)
            if got != want.replace(tzinfo=None) and (got or not text.replace(".", "").isdigit())
        ]  # a single number may also have another form
        assert not wrong, wrong[:5]

    @examples(12)
    @given(_MOMENTS, st.randoms(use_true_random=False))
    def test_a_damaged_form_never_gives_another_moment_of_another_length(self, moment, rng):
        """A value with a rest that belongs to no form is null."""
        texts = [text for text, _ in rng.sample(list(unambiguous(moment)), 300)]
        rest = [
            "banana",
            "x",
            "?",
            "+",
            ":",
            "25:00",
            "13월",
            "PM PM",
            "[",
            "EST5",
            "+99:00",
            "1/2/3",
            "오후오후",
            "@9",
        ]
        assert not any(read([f"{text} {rng.choice(rest)}" for text in texts]))

    @examples(12)
    @given(st.lists(_MOMENTS, min_size=1, max_size=60), st.sampled_from(range(len(IN_ORDER))))
    def test_the_order_of_day_and_month_is_right_or_open(self, moments, number):
        order, write = IN_ORDER[number]
        there = [moment.astimezone(SEOUL) for moment in moments]
        texts = [f"{write(moment)} {moment:%H:%M:%S}" for moment in there]
        right = [moment.replace(microsecond=0, tzinfo=None) - datetime.timedelta(hours=9) for moment in there]
        assert all(got in (None, want) for got, want in zip(read(texts), right, strict=True))
        assert read(texts, order) == right


#: {value: time in Seoul, or None}
TRICKY = {
    # zones
    "2026-11-23 06:10:00 +0000": "2026-11-23 15:10:00",
    "2026-11-23 06:10:00 Z": "2026-11-23 15:10:00",
    "2026-11-23 06:10:00 -0500": "2026-11-23 20:10:00",
    "2026-11-23 06:10:00 UTC": "2026-11-23 15:10:00",
    "2026-11-23 06:10:00 America/New_York": "2026-11-23 20:10:00",
    "2026-11-23 06:10:00 america/new_york": "2026-11-23 20:10:00",
    "2026-11-23 06:10:00+05:30": "2026-11-23 09:40:00",
    "2026-11-23 06:10:00+0530": "2026-11-23 09:40:00",
    "2026-11-23 06:10:00-03:30": "2026-11-23 18:40:00",
    "2026-11-23 06:10:00 UTC+5:30": "2026-11-23 09:40:00",
    "2026-11-23 06:10:00+09": "2026-11-23 06:10:00",
    "2026-11-23 06:10:00 JST": "2026-11-23 06:10:00",
    "2026-11-23 06:10:00 EST": "2026-11-23 20:10:00",
    "2026-11-23 06:10:00 PST": "2026-11-23 23:10:00",
    "2026-11-23 06:10:00 CET": "2026-11-23 14:10:00",
    "2026-11-23 06:10:00 CST": None,
    "2026-11-23 06:10:00 IST": None,
    "2026-11-23 06:10:00 BST": None,
    "2026-11-23 06:10:00 XYZ": None,
    "2026-11-23 06:10:00 Asia/Atlantis": None,
    "2026-11-23 06:10:00 +0900 EST": None,
    "2026-11-23 06:10:00 +0900 CST": "2026-11-23 06:10:00",
    "2026-11-23T06:10:00+08:00[Asia/Seoul]": None,
    "2026-11-23T06:10:00Z[UTC]": "2026-11-23 15:10:00",
    "2026-11-23T06:10:00[Europe/Berlin]": "2026-11-23 14:10:00",
    "2026-11-23 06:10:00 +15:00": None,
    "2026-11-23 06:10:00 +09:60": None,
    "2026-11-23 06:10:00 - 07:00": None,
    "2026-11-23 06:10:00 − 07:00": None,
    "2026-11-23 06:10:00−05:00": "2026-11-23 20:10:00",
    "2026-11-23-05:00": None,
    # summer time: of two times the first, and after a gap the clock goes on
    "2026-11-01 01:30:00 America/New_York": "2026-11-01 14:30:00",
    "2026-03-08 02:30:00 America/New_York": "2026-03-08 16:30:00",
    "2026-04-05 01:45:00 Australia/Lord_Howe": "2026-04-04 23:45:00",
    # clocks
    "2026-11-23 3:10 PM": "2026-11-23 15:10:00",
    "2026-11-23 3:10 banana": None,
    "2026-11-23 12:10 AM": "2026-11-23 00:10:00",
    "2026-11-23 12:10 PM": "2026-11-23 12:10:00",
    "2026-11-23 오전 12:10": "2026-11-23 00:10:00",
    "2026-11-23 오후 12:10": "2026-11-23 12:10:00",
    "2026-11-23 오후 0:10": "2026-11-23 12:10:00",
    "2026-11-23 오후 15:10": "2026-11-23 15:10:00",
    "2026-11-23 오전 15:10": None,
    "2026-11-23 15:10 AM": None,
    "2026-11-23 오후 3:10 PM": None,
    "2026-11-23 PM 3:10": "2026-11-23 15:10:00",
    "2026-11-23 3pm": "2026-11-23 15:00:00",
    "2026-11-23 오후 3시": "2026-11-23 15:00:00",
    "2026-11-23 새벽 3:10": "2026-11-23 03:10:00",
    "2026-11-23 저녁 7:10": "2026-11-23 19:10:00",
    "2026-11-23 밤 11:10": "2026-11-23 23:10:00",
    "2026-11-23 밤 12:10": None,
    "2026-11-23 정오": "2026-11-23 12:00:00",
    "2026-11-23 자정": None,
    "2026-11-23 24:00:00": "2026-11-24 00:00:00",
    "2026-11-23 24:00:01": None,
    "2026-11-23 25:00": None,
    "2026-11-23 23:60": None,
    "2026-12-31 23:59:60": None,
    "2026-11-23T06:10:00.123456789": "2026-11-23 06:10:00.123456",
    "2026-11-23T06:10:00.1": "2026-11-23 06:10:00.100000",
    "2026-11-23 06:10:00.1234567890": None,
    "2026-11-23 06:10:": None,
    "2026-11-23 06": None,
    "15:10": None,
    "오후 3:10": None,
    # dates
    "2026-02-29": None,
    "2028-02-29": "2028-02-29 00:00:00",
    "2026-11-31": None,
    "2026-13-01": None,
    "2026-00-10": None,
    "0000-00-00 00:00:00": None,
    "2026-11": None,
    "2026": None,
    "11월 23일": None,
    "2026-W53-1": "2026-12-28 00:00:00",
    "2025-W53-1": None,
    "2026-W48": None,
    "2026-366": None,
    "2028-366": "2028-12-31 00:00:00",
    "Tue, 23 Nov 2026 06:10:00 +0900": None,
    "2026년 11월 23일 화요일": None,
    "23 Nvo 2026": None,
    "'26.11.23 15:10": "2026-11-23 15:10:00",
    "26년 11월 23일": "2026-11-23 00:00:00",
    "26.11.23 오후 3:10": "2026-11-23 15:10:00",
    "99.11.23 오후 3:10": "1999-11-23 15:10:00",
    "23-NOV-26": "2026-11-23 00:00:00",
    # digits
    "20261123": "2026-11-23 00:00:00",
    "20261123.0": "2026-11-23 00:00:00",
    "20261323": None,
    "23112026": None,
    "261123": None,
    "2026327": None,
    "202611230610": "2026-11-23 06:10:00",
    "202611232510": None,
    "20261123061000": "2026-11-23 06:10:00",
    "20261123066000": None,
    "20261123061000.123": "2026-11-23 06:10:00.123000",
    "20261123061000123": "2026-11-23 06:10:00.123000",
    "2026112306100012": None,
    "20261123T061000Z": "2026-11-23 15:10:00",
    "1764000000": "2025-11-25 01:00:00",
    "1764000000.123": "2025-11-25 01:00:00.123000",
    "1764000000123": "2025-11-25 01:00:00.123000",
    "1763123456789": "2025-11-14 21:30:56.789000",
    "1764000000123456": "2025-11-25 01:00:00.123456",
    "1764000000123456789": "2025-11-25 01:00:00.123456",
    "-1764000000": None,
    "785692800": None,  # seconds since 2001
    "785692800000000000": None,
    "639172812000000000": None,  # ticks of .NET
    "134082432000000000": None,  # ticks since 1601
    "3972988800": None,  # seconds since 1900
    "23 Nov 06:10:00": None,
    "Nov 23 06:10:00": None,
    "23.11. 06:10:00": None,
    "23/11 06:10:00": None,
    "11 23 06:10:00": None,
    "2026-11 23:10:30": None,
    "2026 Nov 06:10:00": None,
    "2026-11/23": None,
    "23/11/26 오후 3:10": None,
    "2026-11-23 (월) 24:00": "2026-11-24 00:00:00",
    "[Mon Nov 23 06:10:00.123456 2026]": "2026-11-23 06:10:00.123456",
    "２０２６－１１－２３Ｔ０６：１０：００Ｚ": "2026-11-23 15:10:00",
    "\u20682026-11-23\u2069\u200306:10": "2026-11-23 06:10:00",
    "115/11/23": None,
    "2026-11-23 06:1": None,
    "2026-11-23 06:10:0": None,
    "令和08年11月23日": None,
    "26年11月23日": None,
    "1.764E+12": None,
    "46349.25": None,
    "0": None,
    "99999999999999999999": None,
    # spelling
    "２０２６－１１－２３　０６：１０": "2026-11-23 06:10:00",
    "2026-11-23\u00a006:10": "2026-11-23 06:10:00",
    "\u200e2026-11-23, 3:10\u202fPM": "2026-11-23 15:10:00",
    "2026. 11. 23. \u110b\u1169\u1112\u116e 3:10": "2026-11-23 15:10:00",
    "  2026-11-23 06:10  ": "2026-11-23 06:10:00",
    "2026-11-23t06:10:00z": "2026-11-23 15:10:00",
    "2026-11-23 06:10\n2026-11-23 06:11": None,
    "": None,
}


def test_tricky_values():
    found = read(list(TRICKY))
    times = [
        moment and moment.replace(tzinfo=datetime.UTC).astimezone(SEOUL).replace(tzinfo=None).isoformat(" ")
        for moment in found
    ]
    assert dict(zip(TRICKY, times, strict=True)) == TRICKY


def test_values_that_are_no_times_are_counted_and_blank_ones_are_not():
    reading = utc_times(pa.array(["2026-11-23", "모름", "2026-02-30", "", " ", None, "\u3000"]))[1]
    assert (reading.unread, reading.undecided) == (2, 0)
    assert reading.note("when").startswith("2 values of the column when are not times, so these times stay empty; most")
    assert utc_times(pa.array(["2026-11-23"]))[1].note("when") is None


class TestOrder:
    """The order of day, month and year."""

    @pytest.mark.parametrize(
        ("values", "days"),
        [
            (["03/04/2026", "14/04/2026"], ["2026-04-03", "2026-04-14"]),
            (["03/04/2026", "04/14/2026"], ["2026-03-04", "2026-04-14"]),
            (["03/04/2026", "99/04/2026", "04/14/2026"], ["2026-03-04", None, "2026-04-14"]),
            (["03/04/2026", "2026-11-23"], [None, "2026-11-23"]),
            (["03/04/2026", "14/04/2026", "04/14/2026"], [None, None, None]),
            (["26.11.23"], [None]),
            (["26.11.32", "32.11.26"], [None, None]),
            (["26.4.3", "26.11.23"], ["2026-04-03", "2026-11-23"]),
            (["3.4.26", "13.4.26"], ["2026-04-03", "2026-04-13"]),
            (["3.4.26", "4.4.26"], [None, None]),
            (["77.11.23", "26.11.23"], ["1977-11-23", "2026-11-23"]),
            (["26.11.23", "26.11.24", "26.11.25", "26.11.26"], [None] * 4),
            ([f"{day}.11.10" for day in range(11, 27)], [None] * 16),
            (["26.2.6", "26.25.6", "26.26.6", "26.27.6"], [None] * 4),
            (["03/04/2026"] * 40 + [f"{m:02}/04/2026" for m in range(1, 13)] + ["04/14/2026"], [None] * 53),
            (["26.11.23", "26.11.24", "26.11.25"], [None, None, None]),
            (["24.01.23", "24.02.23", "24.03.23", "24.04.23", "24.05.23"], [None] * 5),
            (["14/04/2026", "03-04-26"], ["2026-04-14", None]),
            (["14/04/2026", "3-4-26"], ["2026-04-14", "2026-04-03"]),
            (["03/04/2026", "13-4-96"], ["2026-04-03", "1996-04-13"]),
            (["04/14/2026", "13-04-26"], ["2026-04-14", None]),
        ],
    )  # fmt: skip
    def test_the_whole_column_tells_the_order(self, values, days):
        found = [moment and (moment + datetime.timedelta(hours=9)).date().isoformat() for moment in read(values)]
        assert found == days

    def test_a_weekday_tells_the_order(self):
        assert local("Fri 03/04/2026") == "2026-04-03 00:00:00"
        assert local("Sun 03/04/2026") is None

    def test_an_open_order_is_counted_and_the_option_is_named(self):
        reading = utc_times(pa.array(["03/04/2026", "04/04/2026", "2026-11-23", "x"]))[1]
        assert (reading.unread, reading.undecided) == (3, 2)
        assert "--date-order" in (reading.note("when") or "")

    @pytest.mark.parametrize(
        ("order", "day"), [("ymd", "2003-04-05"), ("dmy", "2005-04-03"), ("mdy", "2005-03-04")]
    )  # fmt: skip
    def test_the_option_settles_the_order(self, order, day):
        (moment,) = read(["03/04/05"], order)
        assert (moment + datetime.timedelta(hours=9)).date().isoformat() == day

    def test_an_unknown_order_is_refused(self):
        with pytest.raises(OptionError, match="--date-order 'ydm' is unknown"):
            read(["03/04/05"], "ydm")

    def test_one_odd_value_does_not_change_the_order(self):
        days = [f"{day:02}/04/2026" for day in range(1, 29)]
        found = read([*days, "04/14/2026"])
        assert [moment and moment.month for moment in found] == [3] + [4] * 27 + [None]


class TestDigits:
    """Numbers and dates with the year first, whose meaning the whole column tells."""

    @pytest.mark.parametrize("kind", [str, int])
    def test_hours_from_1_to_24_are_hours(self, kind):
        found = read([kind(f"20261101{hour:02}") for hour in range(1, 25)])
        start = datetime.datetime(2026, 10, 31, 15)
        assert found == [start + datetime.timedelta(hours=hour) for hour in range(1, 25)]

    def test_an_odd_value_is_null_and_the_others_stay(self):
        assert read([2026112306, 2026112399]) == [datetime.datetime(2026, 11, 22, 21), None]

    @pytest.mark.parametrize(
        ("form", "year"),
        [
            *itertools.product(["%y%m%d%H%M", "%y%m%d%H%M%S", "%d%m%y%H%M", "%m%d%y%H%M", "%d%m%Y"], [2012, 2026]),
            ("%m%d%Y", 2012), ("%d%m%Y%H", 2026), ("%Y%d%m", 2012), ("%Y-%d-%m", 2026), ("%Y/%d/%m %H:%M", 2012),
            ("%Y. %d. %m. %H:%M", 2026), ("%Y-%d-%mT%H:%M:%SZ", 2012), ("%Y%d%m%H%M", 2026), ("%Y%d%m %H:%M", 2012),
        ],
    )  # fmt: skip
    def test_other_forms_are_null_and_counted(self, form, year):
        start = datetime.datetime(year, 1, 1, 0, 10)
        texts = [(start + datetime.timedelta(hours=35 * step)).strftime(form) for step in range(240)]
        times, reading = utc_times(pa.array(texts))
        assert times.null_count == len(texts) == reading.unread
        assert "several meanings" in (reading.note("when") or "")

    def test_a_typing_error_does_not_empty_the_column(self):
        days = [f"2026-{month:02}-{day:02}" for month in range(1, 13) for day in range(1, 13)]
        found = read([*days, "2026-13-01"])
        assert found.count(None) == 1
        assert read(["2026-02-06", "2026-25-01"], "ymd") == [datetime.datetime(2026, 2, 5, 15), None]

    @examples(30)
    @given(st.integers(1_400_000_000, 1_890_000_000), st.integers(1, 90_000), st.sampled_from([1, 1000, 10**6, 10**9]))
    def test_times_since_1970_are_read(self, first, step, unit):
        seconds = [first + step * number for number in range(100)]
        found = read([one * unit for one in seconds])
        assert found == [datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=one) for one in seconds]


class TestTypes:
    """Columns that are not texts."""

    NOON = datetime.datetime(2026, 11, 23, 3, 0)

    @pytest.mark.parametrize(
        "column",
        [
            pa.array([NOON], pa.timestamp("us", "UTC")),
            pa.array([NOON], pa.timestamp("ns", "Asia/Seoul")),
            pa.array([NOON], pa.timestamp("s", "+05:30")),
            pa.array([NOON + datetime.timedelta(hours=9)], pa.timestamp("ns")),
            pa.array([NOON + datetime.timedelta(hours=9)], pa.timestamp("ms")),
            pa.array([1795402800], pa.uint32()),
            pa.array([1795402800000]),
            pa.array([1795402800.0]),
            pa.array([decimal.Decimal("1795402800.000")]),
            pa.array(["2026-11-23 12:00"]).dictionary_encode(),
            pa.array(["2026-11-23 12:00"], pa.large_string()),
            pa.chunked_array([pa.array(["2026-11-23 12:00"])]),
        ],
    )
    def test_the_moment_is_right(self, column):
        assert utc_times(column)[0].to_pylist() == [self.NOON]

    @pytest.mark.parametrize(
        "column",
        [
            pa.array([datetime.time(6, 10)]), pa.array([True]), pa.array([["2026-11-23"]]), pa.array([{"a": 1}]),
            pa.array([b"2026-11-23"]), pa.array([20261123.0], pa.float32()), pa.array([46349.25]), pa.array([7]),
        ],
    )  # fmt: skip
    def test_a_type_or_number_without_times_is_null_and_counted(self, column):
        times, reading = utc_times(column)
        assert (times.to_pylist(), reading.unread) == ([None], 1)

    def test_nothing_is_read_from_nothing(self):
        assert utc_times(pa.array([], pa.string()))[0].to_pylist() == []
        assert utc_times(pa.array([None, None]))[0].to_pylist() == [None, None]
        assert utc_times(pa.array([float("nan"), None]))[1].unread == 0


@pytest.mark.slow
def test_random_texts_raise_no_error():
    rng = random.Random(7)
    pieces = [
        "20",
        "26",
        "11",
        "23",
        "-",
        ":",
        " ",
        "T",
        "오후",
        "년",
        "월",
        "일",
        "Nov",
        "+09",
        "[",
        "]",
        "(",
        "Z",
        "é",
        "\x00",
    ]
    texts = ["".join(rng.choices(pieces, k=rng.randrange(12))) for _ in range(20_000)]
    assert len(read(texts)) == len(texts)
    assert duckdb.__version__


class TestUnread:
    """What is said about values that are not times."""

    @pytest.mark.parametrize(
        "values", [["46340.5458", "46341.25"], ["46340", "46341"], [46340.5458, 46341.25], [46340]]
    )
    def test_day_numbers_of_excel_are_no_times_and_the_note_says_what_to_do(self, values):
        times, reading = utc_times(pa.array(values))
        assert times.null_count == len(values) == reading.serials
        assert "like Excel's day numbers" in (note := reading.note("date"))
        assert ".xlsx" in note
        assert "is not a time" not in note

    def test_the_note_shows_the_form_but_no_value(self):
        _, reading = utc_times(pa.array(["김철수 010-1234-5678", "이영희 010-8765-4321", "2026-11-23 10:00"]))
        note = reading.note("when")
        assert "aaa 999-9999-9999" in note
        assert "김" not in note
        assert (reading.values, round(reading.unread_share, 2)) == (3, 0.67)
        assert "no value of" not in note

    def test_a_column_without_any_time_is_said(self):
        assert "no value of the column when is a time" in utc_times(pa.array(["a", "b"]))[1].note("when")


@pytest.mark.parametrize(
    "value",
    [
        "2026.11.19 PM 03:10:00", "2026-11-19 pm 3:10", "2026.11.19(목) PM 03:10:00", "PM 03:10:00 2026.11.19",
        "오후 3:10, 2026-11-19", "3:10 PM 2026/11/19", "15:10 19/11/2026",
    ],
)  # fmt: skip
def test_the_words_of_a_half_day_and_the_time_of_day_may_stand_anywhere(value):
    assert local(value) == "2026-11-19 15:10:00"


@pytest.mark.parametrize("value", ["15:10 2026.11.19 16:00", "2026.11.19 XM 03:10:00", "03:10 2026.13.19"])
def test_contradicting_or_unknown_parts_are_no_times(value):
    assert local(value) is None
