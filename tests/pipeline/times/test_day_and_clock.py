"""Times in two columns: each row gets the moment that both columns tell, or none."""

import datetime

import pyarrow as pa
import pytest

from emojob.pipeline.times.time_column import utc_times

DAY = datetime.date(2026, 11, 20)
NOON = datetime.datetime(2026, 11, 20)


def local(days: list, clocks: list, kind: pa.DataType | None = None) -> tuple[list[str | None], str | None]:
    """Return the times in Seoul, in ISO 8601, and the note about the columns `date` and `time`."""
    times, reading = utc_times(pa.array(days), None, pa.array(clocks, kind))
    shift = datetime.timedelta(hours=9)
    return [time and (time + shift).isoformat(" ") for time in times.to_pylist()], reading.note("date+time")


@pytest.mark.parametrize(
    ("day", "clock"),
    [
        ("2026-11-20", "15:05:00"), ("2026-11-20", "오후 3:05"), ("2026. 11. 20.", "PM 03:05:00"), (DAY, "15시 5분"),
        ("2026년 11월 20일", "3:05 PM"), (DAY, datetime.time(15, 5)), (NOON, datetime.time(15, 5)),
        ("2026-11-20 00:00:00", "15:05"), (NOON, datetime.datetime(1899, 12, 30, 15, 5)), ("20261120", "15:05:00"),
        (20261120, 150500), ("20261120", "1505"), ("11/20/2026", "15:05"), ("2026-11-20", "2026-11-20 15:05:00"),
        ("2026-11-20 15:05:00", "15:05:00"), ("2026-11-20", "06:05:00Z"),
    ],
)  # fmt: skip
def test_the_day_and_the_time_of_day_are_one_time(day, clock):
    assert local([day], [clock]) == (["2026-11-20 15:05:00"], None)


def test_every_unit_of_arrow_times_is_read():
    for unit, factor in (("s", 1), ("ms", 1000), ("us", 10**6), ("ns", 10**9)):
        kind = pa.time32(unit) if unit in ("s", "ms") else pa.time64(unit)
        assert local([DAY], [pa.scalar(54300 * factor, kind)], kind)[0] == ["2026-11-20 15:05:00"]


def test_digits_without_their_leading_zeros_are_times_of_day():
    assert local([20261120] * 3, [150500, 93005, 7])[0] == [
        "2026-11-20 15:05:00", "2026-11-20 09:30:05", "2026-11-20 00:00:07",
    ]  # fmt: skip


def test_a_row_without_a_time_of_day_has_no_time():
    """Midnight would be wrong."""
    times, note = local(["2026-11-20"] * 3, ["15:05", None, "15:06"])
    assert times == ["2026-11-20 15:05:00", None, "2026-11-20 15:06:00"]
    assert note.startswith("1 value of the columns date and time is not a time, so these times stay empty")


def test_a_day_with_another_time_of_day_is_refused():
    times, note = local(["2026-11-20 09:00:00"], ["15:05"])
    assert times == [None]
    assert "no value of the columns date and time is a time" in note


@pytest.mark.parametrize("values", [["3.5", "12.25", "0.5"], ["7", "11", "20"], ["morning", "noonish", "late"]])
def test_a_second_column_without_times_of_day_is_left_out_and_named(values):
    times, note = local(["2026-11-20"] * 3, values)
    assert times == ["2026-11-20 00:00:00"] * 3
    assert note == "most rows have no time of day in the column time, so the times are those of the column date alone"
