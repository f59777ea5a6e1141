"""`emojob.open`: a labelled archive for Python."""

import gc
import json

import duckdb
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.output.labelled_archive import LabelledArchive, open_labelled
from emojob.pipeline.warehouse.database import open_database
from emojob.pipeline.warehouse.forget import forget
from emojob.pipeline.warehouse.open_archive import open_archive
from emojob.pipeline.warehouse.query import open_session
from emojob.schemas.errors import ColumnError, OptionError, OutputError
from emojob.schemas.labels import DEFAULT_LABELS
from tests.archives import table_of, utterance, write_archive, write_part, write_run

ROWS = [
    utterance("기쁨", 0.9, "좋아요", room="a", sent_at="2026-11-23 09:00"),
    utterance("분노", 0.8, "왜 안 와요", room="b", sent_at="2026-11-24 10:00"),
    utterance(None, room="b", sent_at="2026-11-24 11:00"),
]


@pytest.fixture
def out(tmp_path):
    return write_archive(tmp_path / "out", ROWS, conversation_column="room")


def test_sql_returns_a_relation_over_the_views(out):
    with open_archive(out) as archive:
        relation = archive.sql("SELECT emotion, count(*) AS n FROM labelled GROUP BY ALL ORDER BY 1")
        assert isinstance(relation, duckdb.DuckDBPyRelation)
        assert relation.fetchall() == [("기쁨", 1), ("분노", 1), (None, 1)]
        assert relation.filter("n = 1").aggregate("sum(n)").fetchall() == [(3,)]
        assert archive.sql("SELECT day::VARCHAR, rows FROM days ORDER BY 1").fetchall()[0] == ("2026-11-23", 1)
        assert archive.sql("SELECT DISTINCT conversation_id FROM labelled ORDER BY 1").fetchall() == [("a",), ("b",)]


def test_an_archive_that_nobody_holds_keeps_its_relations(out):
    relation = open_archive(out).sql("FROM labelled").filter("emotion IS NOT NULL")
    gc.collect()
    assert relation.aggregate("count(*)").fetchall() == [(2,)]


def test_close_ends_its_relations_and_removes_its_files(out):
    archive = open_archive(str(out))
    relation = archive.sql("FROM labelled")
    archive.close()
    archive.close()
    with pytest.raises(duckdb.Error):
        relation.fetchall()
    for use in (lambda: archive.sql("FROM labelled"), archive.to_arrow, archive.to_polars):
        with pytest.raises(OutputError, match="is closed"):
            use()
    assert not list(out.rglob(".spill-*"))


def test_an_error_inside_the_with_block_is_not_changed(out):
    with pytest.raises(duckdb.ConversionException), open_archive(out) as archive:
        archive.sql("SELECT text::INTEGER FROM labelled").fetchall()


@pytest.mark.parametrize(
    "query",
    [
        "COPY (SELECT 1) TO 'x.csv'",
        "CREATE TABLE t AS FROM labelled",
        "SELECT * FROM read_text('/etc/hostname')",
        "SET threads = 1",
        "SELECT nothing FROM labelled",
        "SELECT 1; SELECT 2",
    ],
)
def test_a_query_that_does_more_than_reading_the_archive_is_refused(out, query):
    with open_archive(out) as archive, pytest.raises(OptionError):
        archive.sql(query)


def test_a_relation_cannot_write_files(out, tmp_path):
    with open_archive(out) as archive:
        relation = archive.sql("FROM labelled")
        with pytest.raises(duckdb.Error):
            relation.write_parquet(str(tmp_path / "stolen.parquet"))
    assert not (tmp_path / "stolen.parquet").exists()


def test_to_arrow_and_to_polars_have_the_rows_in_the_order_of_the_input(out):
    table, frame = open_archive(out).to_arrow(), open_archive(out).to_polars()
    expected = pq.read_table(next(out.glob("part-*.parquet")))
    assert table.column_names == expected.column_names == frame.columns
    assert table["text"].to_pylist() == frame["text"].to_list() == ["좋아요", "왜 안 와요", None]
    assert table["emotion"].to_pylist() == frame["emotion"].to_list() == ["기쁨", "분노", None]


def test_a_part_without_a_column_of_another_part_has_nulls_there(out):
    part = pq.read_table(next(out.glob("part-*.parquet")))
    write_part(out, part.drop_columns(["room"]), 1)
    assert open_archive(out).to_arrow()["room"].to_pylist() == ["a", "b", "b", None, None, None]


def test_run_is_run_json(out):
    assert open_archive(out).run == json.loads((out / "_emojob" / "run.json").read_text())


def test_a_folder_that_is_no_labelled_archive_is_refused(tmp_path):
    with pytest.raises(OutputError, match="not a labelled archive"):
        open_archive(tmp_path)


def two_days(out, first: dict, second: dict) -> None:
    """An archive of two inputs: a row with the columns of `first`, and a row with the columns of `second`."""
    for number, more in enumerate((first, second)):
        write_part(out, table_of([utterance("기쁨", text=f"{number}번", **more)], labels=DEFAULT_LABELS), number)
    write_run(out)


def test_columns_that_only_later_inputs_have_are_read(tmp_path):
    two_days(tmp_path, {}, {"sent_at": "2026-11-24 09:00", "room_id": "a", "speaker": "s"})
    with open_archive(tmp_path) as archive:
        rows = archive.sql("SELECT said_at::VARCHAR, conversation_id, speaker FROM labelled ORDER BY text").fetchall()
        assert rows == [(None, None, None), ("2026-11-24 09:00:00", "a", "s")]
        assert archive.to_arrow()["room_id"].to_pylist() == [None, "a"]
        assert archive.sql("SELECT day::VARCHAR FROM days").fetchall() == [("2026-11-24",)]


def test_types_that_differ_between_inputs_are_united(tmp_path):
    two_days(tmp_path, {"id": 7}, {"id": "x"})
    with open_archive(tmp_path) as archive:
        assert archive.sql("SELECT id FROM labelled ORDER BY text").fetchall() == [("7",), ("x",)]
        assert archive.to_arrow()["id"].to_pylist() == ["7", "x"]


def test_types_without_a_common_type_are_refused_with_the_name_of_the_column(tmp_path):
    two_days(tmp_path, {"id": 7}, {"id": ["x"]})
    with open_archive(tmp_path) as archive:
        assert archive.sql("SELECT count(*) FROM labelled").fetchall() == [(2,)]
        with pytest.raises(ColumnError, match="column 'id' has the type"):
            archive.to_arrow()
    with pytest.raises(ColumnError, match="column 'id' has the type"), open_session(open_labelled(tmp_path)) as session:
        list(session.query("SELECT id FROM labelled").batches)
    with pytest.raises(ColumnError, match="column 'id' has the type"), open_database(open_labelled(tmp_path)) as db:
        db.execute("SELECT id FROM labelled").fetchall()


def test_an_open_archive_reads_the_new_parts_after_a_forgetting(tmp_path):
    two_days(tmp_path, {"who": "a"}, {"who": "b"})
    with open_archive(tmp_path) as archive:
        assert archive.sql("SELECT count(*) FROM labelled").fetchall() == [(2,)]
        assert forget(tmp_path, "who = 'a'").rows == 1
        assert archive.sql("SELECT who FROM labelled").fetchall() == [("b",)]
        assert archive.to_arrow()["who"].to_pylist() == ["b"]


@pytest.mark.parametrize("when", range(4))
def test_all_rows_are_of_one_state_if_rows_are_forgotten_while_they_are_read(tmp_path, monkeypatch, when):
    two_days(tmp_path, {"who": "a"}, {"who": "b"})
    archive = open_archive(tmp_path)
    opened = []

    def open_part(self, part_file):
        if len(opened) == when:
            forget(tmp_path, "who IN ('a', 'b')")
        opened.append(part_file)
        return found(self, part_file)

    found = LabelledArchive.open_part
    monkeypatch.setattr(LabelledArchive, "open_part", open_part)
    assert archive.to_arrow()["who"].to_pylist() == ([] if when < 2 else ["a", "b"])
