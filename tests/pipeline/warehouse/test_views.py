"""The views over an archive: its own columns, the columns with a role in a dialogue, and times."""

import datetime

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.pipeline.warehouse.database import open_database
from emojob.pipeline.warehouse.export import export_database
from emojob.schemas.errors import ColumnError, OptionError
from emojob.schemas.labels import DEFAULT_LABELS
from tests.archives import table_of, utterance, write_archive, write_part, write_run

MONDAY = datetime.datetime(2026, 11, 23, 9, 30)


class TestLabelled:
    """The view `labelled`."""

    def test_it_has_the_input_columns_the_label_columns_and_the_roles(self, query_rows):
        rows = query_rows(
            [utterance("기쁨", room="r1", at=MONDAY)], "DESCRIBE labelled", conversation_column="room", time_column="at"
        )
        assert [row[0] for row in rows] == [
            "text", "room", "at", "emotion", "confidence", *(f"prob_{label}" for label in DEFAULT_LABELS),
            "emotion_status", "conversation_id", "said_at",
        ]  # fmt: skip

    def test_columns_with_usual_names_are_found(self, query_rows):
        rows = [utterance("기쁨", session_id=7, created_at="2026-11-23 09:30:00", 화자="상담원")]
        found = query_rows(rows, "SELECT conversation_id, said_at, speaker FROM labelled")
        assert found == [("7", MONDAY, "상담원")]

    def test_an_input_column_with_the_name_of_a_role_keeps_it(self, query_rows):
        rows = [utterance("기쁨", speaker="mine", who="theirs")]
        assert query_rows(rows, "SELECT speaker, who FROM labelled", speaker_column="who") == [("mine", "theirs")]

    def test_parts_with_different_columns_are_joined_by_name(self, tmp_path):
        write_part(tmp_path, table_of([utterance("기쁨", channel="앱")], labels=DEFAULT_LABELS))
        write_part(tmp_path, table_of([utterance("분노", shop=3)], labels=DEFAULT_LABELS), number=1)
        write_run(tmp_path)
        with open_database(open_labelled(tmp_path)) as db:
            found = db.execute("SELECT emotion, channel, shop FROM labelled ORDER BY ALL").fetchall()
        assert found == [("기쁨", "앱", None), ("분노", None, 3)]

    def test_a_part_without_a_marker_is_not_read(self, tmp_path):
        out = write_archive(tmp_path, [utterance("기쁨")])
        pq.write_table(table_of([utterance("분노")], labels=DEFAULT_LABELS), out / "part-00009-000000000000.parquet")
        with open_database(open_labelled(out)) as db:
            assert db.execute("SELECT emotion FROM labelled").fetchall() == [("기쁨",)]

    def test_names_may_contain_quotes(self, query_rows):
        rows = [utterance("기쁨", **{"a'b\"c; DROP VIEW labelled": "여기"})]
        options = {"conversation_column": "a'b\"c; DROP VIEW labelled"}
        assert query_rows(rows, "SELECT conversation FROM utterances", **options) == [("여기",)]

    def test_label_columns_may_have_a_prefix(self, tmp_path):
        with open_database(open_labelled(write_archive(tmp_path, [utterance("기쁨")], prefix="ai_"))) as db:
            assert db.execute("SELECT ai_emotion FROM labelled").fetchall() == [("기쁨",)]
            assert db.execute("SELECT emotion, status FROM utterances").fetchall() == [("기쁨", "scored")]

    def test_a_column_name_that_duckdb_reserves_is_refused(self, query_rows):
        with pytest.raises(ColumnError, match="file_row_number"):
            query_rows([utterance("기쁨", file_row_number=1)], "SELECT 1")


class TestTimes:
    """Time columns in many formats."""

    @pytest.mark.parametrize(
        "value",
        [
            "2026-11-23 09:30:00", "2026-11-23T09:30:00", "2026-11-23T09:30:00+09:00", "2026-11-23T00:30:00Z",
            "2026-11-23T00:30:00.000+0000", "2026-11-23 09:30", "2026.11.23 09:30", "2026/11/23 09:30:00",
            "'26.11.23 09:30", "26.11.23 오전 9:30", "26년 11월 23일 9:30",
            "2026. 11. 23. 오전 9:30", "2026년 11월 23일 오전 9:30", "2026년 11월 23일 09:30", " 2026-11-23 09:30 ",
            "20261123093000", "1795393800", "1795393800000", 20261123093000, 1795393800, 1795393800000,
            1795393800000000, 1795393800.0, MONDAY,
            MONDAY.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=9))),
        ],
    )  # fmt: skip
    def test_a_time_is_read(self, query_rows, value):
        assert query_rows([utterance("기쁨", at=value)], "SELECT said_at FROM labelled", time_column="at") == [
            (MONDAY,)
        ]

    @pytest.mark.parametrize(
        "value", ["2026-11-23", "20261123", "2026.11.23", "26년 11월 23일", 20261123, datetime.date(2026, 11, 23)]
    )
    def test_a_day_is_read(self, query_rows, value):
        found = query_rows([utterance("기쁨", at=value)], "SELECT said_at FROM labelled", time_column="at")
        assert found == [(datetime.datetime(2026, 11, 23),)]

    @pytest.mark.parametrize("value", ["", "모름", "2026-13-45", "26.13.45", "99:99", None])
    def test_an_invalid_time_is_null_and_the_row_stays(self, query_rows, value):
        rows = [utterance("기쁨", at=value), utterance("분노", at="2026-11-23")]
        assert len(query_rows(rows, "FROM labelled WHERE said_at IS NULL", time_column="at")) == 1

    def test_times_are_in_the_given_time_zone(self, query_rows):
        rows = [utterance("기쁨", at="2026-11-23T00:30:00Z")]
        found = query_rows(rows, "SELECT said_at FROM labelled", time_zone="America/New_York", time_column="at")
        assert found == [(datetime.datetime(2026, 11, 22, 19, 30),)]

    @pytest.mark.parametrize("zone", ["Nowhere/Else", "x'; DROP VIEW labelled; --"])
    def test_an_unknown_zone_is_refused(self, query_rows, zone):
        with pytest.raises(OptionError, match="--time-zone"):
            query_rows([utterance("기쁨")], "SELECT 1", time_zone=zone)


def moments_of(tmp_path, *columns: pa.Array, **options: object) -> list[datetime.datetime | None]:
    """Return said_at of an archive. Each column is the time column of one part."""
    for number, at in enumerate(columns):
        table = table_of([utterance("기쁨")] * len(at), labels=DEFAULT_LABELS).append_column("at", at)
        write_part(tmp_path, table, number)
    with open_database(open_labelled(write_run(tmp_path, time_column="at")), **options) as db:
        return [moment for (moment,) in db.execute("SELECT said_at FROM utterances ORDER BY part, row").fetchall()]


class TestZones:
    """Days and hours are in the time zone of the time column."""

    @pytest.mark.parametrize(
        ("zone", "minutes"),
        [
            ("Europe/Berlin", 60), ("+05:30", 330), ("-03:30", -210), ("+09:00", 540), ("-11:00", -660), ("EST", -300),
            ("Asia/Kolkata", 330), ("asia/kolkata", 330), ("Etc/GMT-3", 180), ("UTC", 540), ("Etc/UTC", 540),
            ("GMT", 540), ("+00:00", 540),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("unit", ["s", "us", "ns"])
    def test_the_time_zone_of_the_column_is_used(self, tmp_path, zone, minutes, unit):
        at = pa.array([0], pa.int64()).cast(pa.timestamp(unit)).cast(pa.timestamp(unit, zone))
        assert moments_of(tmp_path, at) == [datetime.datetime(1970, 1, 1) + datetime.timedelta(minutes=minutes)]

    def test_an_unknown_time_zone_of_the_column_becomes_the_default(self, tmp_path):
        at = pa.array([0], pa.int64()).cast(pa.timestamp("us", "Atlantis/Main"))
        assert moments_of(tmp_path, at) == [datetime.datetime(1970, 1, 1, 9)]

    @pytest.mark.parametrize("zone", ["+05:30", "Asia/Kolkata", "UTC+05:30", "GMT+5:30"])
    def test_an_offset_may_be_given(self, tmp_path, zone):
        at = pa.array(["2026-11-23T00:00:00Z"])
        assert moments_of(tmp_path, at, time_zone=zone) == [datetime.datetime(2026, 11, 23, 5, 30)]

    @pytest.mark.parametrize("zone", ["IST", "CST", "+15:00", "+09:60"])
    def test_an_unclear_zone_is_refused(self, query_rows, zone):
        with pytest.raises(OptionError, match="--time-zone"):
            query_rows([utterance("기쁨")], "SELECT 1", time_zone=zone)

    def test_parts_with_different_zones_give_the_same_moments(self, tmp_path, monkeypatch):
        monkeypatch.setenv("TZ", "America/Lima")
        seoul, berlin = (
            pa.array([MONDAY - datetime.timedelta(hours=9)], pa.timestamp("us", z))
            for z in ("Asia/Seoul", "Europe/Berlin")
        )
        naive = pa.array([MONDAY], pa.timestamp("us"))
        assert moments_of(tmp_path, seoul, berlin, naive) == [MONDAY] * 3


class TestOneTruth:
    """The whole column tells how its values are read."""

    def test_a_value_is_a_time_as_a_whole_or_null(self, tmp_path):
        values = {
            "2026-11-23 06:10:00 +0000": "2026-11-23 15:10:00", "2026-11-23 06:10:00 Z": "2026-11-23 15:10:00",
            "2026-11-23 06:10:00 -0500": "2026-11-23 20:10:00", "2026-11-23 06:10:00 UTC": "2026-11-23 15:10:00",
            "2026-11-23 06:10:00 America/New_York": "2026-11-23 20:10:00", "2026-11-23 3:10 PM": "2026-11-23 15:10:00",
            "2026-11-23 3:10 banana": None, "1763123456789": "2025-11-14 21:30:56.789000",
            "Mon, 23 Nov 2026 06:10:00 GMT": "2026-11-23 15:10:00", "2026-02-30": None,
        }  # fmt: skip
        found = moments_of(tmp_path, pa.array(list(values)))
        assert [moment and str(moment) for moment in found] == list(values.values())

    def test_the_order_of_day_and_month_is_the_same_in_all_parts(self, tmp_path):
        found = moments_of(tmp_path, pa.array(["03/04/2026"]), pa.array(["14/04/2026"]))
        assert [moment and moment.date() for moment in found] == [datetime.date(2026, 4, 3), datetime.date(2026, 4, 14)]
        assert moments_of(tmp_path / "open", pa.array(["03/04/2026"])) == [None]
        assert moments_of(tmp_path / "given", pa.array(["03/04/2026"]), date_order="mdy") == [
            datetime.datetime(2026, 3, 4)
        ]

    def test_unread_values_are_counted(self, tmp_path):
        found = []
        moments_of(tmp_path, pa.array(["2026-11-23", "모름", None, " ", "03/04/2026"]), on_times=found.append)
        (reading,) = found
        assert (reading.unread, reading.undecided) == (2, 1)

    def test_turns_are_in_order_when_the_clock_is_set_back(self, query_rows):
        times = ["05:50", "06:10", "06:20"]  # UTC; in New York 01:50, 01:10, 01:20
        rows = [
            utterance(emotion, room="a", at=f"2026-11-01T{time}:00Z")
            for emotion, time in zip(["기쁨", "분노", "슬픔"], times, strict=True)
        ]
        found = query_rows(
            rows[::-1], "SELECT emotion FROM turns ORDER BY turn", time_zone="America/New_York",
            conversation_column="room", time_column="at",
        )  # fmt: skip
        assert found == [("기쁨",), ("분노",), ("슬픔",)]

    def test_an_exported_database_reads_the_same_times(self, tmp_path):
        times = ["Nov 23, 2026 3:10 PM", "14/04/2026 9:00", "03/04/2026 9:00", "x"]
        archive = open_labelled(
            write_archive(tmp_path / "out", [utterance("기쁨", at=at) for at in times], time_column="at")
        )
        expected = [("2026-11-23 15:10:00",), ("2026-04-14 09:00:00",), ("2026-04-03 09:00:00",), (None,)]
        for copy in (True, False):
            file = tmp_path / f"{copy}.duckdb"
            notes = []
            export_database(archive, file, copy, note=notes.append)
            assert [note for note in notes if "1 value of the column at is not a time" in note]
            with duckdb.connect(str(file), read_only=True) as db:
                query = "SELECT said_at::VARCHAR FROM utterances ORDER BY part, row"
                assert db.execute(query).fetchall() == expected

    def test_a_day_and_a_time_of_day_in_two_columns_are_one_time(self, query_rows, tmp_path):
        rows = [utterance("기쁨", date=datetime.date(2026, 11, 20), time=datetime.time(10, 5))]
        rows.append(utterance("분노", date=None, time=None))
        query = "SELECT said_at::VARCHAR FROM utterances ORDER BY said_at"
        assert query_rows(rows, query) == [("2026-11-20 10:05:00",), (None,)]
        archive = open_labelled(write_archive(tmp_path / "given", rows, time_column="date"))
        with open_database(archive) as db:
            assert db.execute(query).fetchall() == [("2026-11-20 00:00:00",), (None,)]
        archive = open_labelled(write_archive(tmp_path / "both", rows, time_column="date+time"))
        assert archive.time_columns == "date+time"
        for copy in (True, False):
            export_database(archive, tmp_path / "x.duckdb", copy, note=lambda text: None)
            with duckdb.connect(str(tmp_path / "x.duckdb"), read_only=True) as db:
                assert db.execute(query).fetchall() == [("2026-11-20 10:05:00",), (None,)]
