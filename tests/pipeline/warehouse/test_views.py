"""The views over an archive: its own columns, the columns with a role in a dialogue, and times."""

import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.pipeline.warehouse.database import open_database
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


def test_the_time_zone_of_the_column_is_used(tmp_path):
    at = pa.array([datetime.datetime(2026, 11, 23, 0, 30)], pa.timestamp("us", "Europe/Berlin"))
    table = table_of([utterance("기쁨")], labels=DEFAULT_LABELS).append_column("at", at)
    write_part(tmp_path, table)
    with open_database(open_labelled(write_run(tmp_path, time_column="at"))) as db:
        assert db.execute("SELECT said_at FROM labelled").fetchall() == [(datetime.datetime(2026, 11, 23, 1, 30),)]
