"""A query reads the labelled archive, and can do nothing else."""

import contextlib
import csv
import io
import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emojob.jobs.terminal.query_table import print_table
from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.pipeline.warehouse.aggregates import AGGREGATES
from emojob.pipeline.warehouse.query import open_session
from emojob.pipeline.warehouse.results import format_of, write, write_file
from emojob.schemas.errors import OptionError
from emojob.schemas.sheet import FORMULA_PATTERN, escape_cell
from tests.archives import said, write_archive

ROWS = [said("기쁨", 0.9, "좋아요", room="a"), said("분노", 0.8, "=1+1", room="b"), said(None, room="b")]


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> Path:
    return write_archive(tmp_path_factory.mktemp("archive") / "it's out", ROWS, conversation_column="room")


@pytest.fixture(scope="module")
def session(out):
    with open_session(open_labelled(out)) as session:
        yield session


@pytest.fixture
def ask(session):
    def rows(query: str) -> list[tuple]:
        answer = session.query(query)
        table = pa.Table.from_batches(list(answer.batches), answer.schema)
        return [tuple(row.values()) for row in table.to_pylist()]

    return rows


@pytest.mark.parametrize(
    "query",
    [
        "SELECT emotion, count(*) FROM labelled GROUP BY ALL",
        "select emotion from labelled;",
        "-- a comment\nFROM labelled LIMIT 1",
        "WITH a AS (FROM labelled) SELECT count(*) FROM a",
        "DESCRIBE labelled",
        "SUMMARIZE labelled",
        "SHOW TABLES",
        "EXPLAIN SELECT 1 FROM labelled",
        "EXPLAIN ANALYZE SELECT 1 FROM labelled",
        "PIVOT labelled ON emotion USING count(*) GROUP BY room",
        "VALUES (1)",
        *(f"FROM {name}" for name in AGGREGATES),
    ],
)
def test_what_only_reads_is_answered(ask, query):
    ask(query)


def test_the_answer_is_right(ask):
    assert ask("SELECT emotion, text FROM labelled ORDER BY confidence DESC NULLS LAST LIMIT 2") == [
        ("기쁨", "좋아요"),
        ("분노", "=1+1"),
    ]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_blob('/etc/hostname')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM read_parquet('{out}/_emojob/rejects.parquet')",
        "SELECT * FROM read_json('{out}/_emojob/run.json')",
        "SELECT * FROM read_parquet('{out}/../other.parquet')",
        "SELECT * FROM read_parquet('https://example.com/x.parquet')",
        "SELECT * FROM parquet_scan(['{part}', '/etc/passwd'])",
        "SELECT getenv('HOME')",
        "SELECT * FROM duckdb_secrets()",
        "SELECT * FROM rows",  # a variable of this module's, and of its callers
        "COPY (SELECT 1) TO '{out}/new.csv'",
        "COPY labelled TO '{part}' (FORMAT parquet, USE_TMP_FILE false)",
        "COPY labelled FROM '/etc/passwd'",
        "EXPORT DATABASE '{out}/x'",
        "IMPORT DATABASE '{out}'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{part}' (USE_TMP_FILE false)",
        "EXPLAIN (ANALYZE) COPY (SELECT 1) TO '{part}' (USE_TMP_FILE false)",
        "explain /* ) */ analyze COPY (SELECT 1) TO '{part}' (USE_TMP_FILE false)",
        "PREPARE p AS COPY (SELECT 1) TO '{part}'",
        "WITH x AS (COPY (SELECT 1) TO '{part}' (FORMAT parquet, USE_TMP_FILE false)) FROM x",
        "SELECT '가나다', (WITH x AS (/* */ CoPy (SELECT 1) TO '{part}' (USE_TMP_FILE false)) FROM x)",
        "COPY (PIVOT labelled ON emotion USING count(*)) TO '{part}' (FORMAT parquet, USE_TMP_FILE false)",
        "CREATE TABLE t AS PIVOT labelled ON emotion USING count(*)",
        "WITH x AS (INSERT INTO labelled VALUES (1) RETURNING *) FROM x",
        "EXECUTE p",
        "ATTACH '{out}/new.duckdb'",
        "ATTACH ':memory:' AS other",
        "DETACH memory",
        "USE memory",
        "INSTALL httpfs",
        "LOAD httpfs",
        "LOAD '/tmp/x.duckdb_extension'",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "SET threads = 1",
        "RESET ALL",
        "SET VARIABLE x = 1",
        "PRAGMA enable_profiling",
        "PRAGMA database_list",
        "CALL duckdb_settings()",
        "CHECKPOINT",
        "BEGIN",
        "CREATE TABLE t AS SELECT 1",
        "CREATE OR REPLACE VIEW labelled AS SELECT 1",
        "CREATE MACRO f() AS 1",
        "CREATE SECRET (TYPE s3)",
        "DROP VIEW labelled",
        "ALTER VIEW labelled RENAME TO x",
        "COMMENT ON VIEW labelled IS 'x'",
        "INSERT INTO labelled VALUES (1)",
        "UPDATE labelled SET emotion = 'x'",
        "DELETE FROM labelled",
        "TRUNCATE labelled",
        "VACUUM",
        "SELECT 1; DROP VIEW labelled",
        "SELECT 1; COPY (SELECT 1) TO '{out}/new.csv'",
    ],
)
def test_what_does_anything_else_is_refused_in_one_line(session, ask, out, query):
    before = {file: file.read_bytes() for file in out.rglob("*") if file.is_file()}
    places = {"out": str(out).replace("'", "''"), "part": str(next(out.glob("part-*"))).replace("'", "''")}
    with pytest.raises(OptionError) as refused:
        ask(query.format(**places))
    assert "\n" not in str(refused.value)
    assert {file: file.read_bytes() for file in out.rglob("*") if file.is_file()} == before
    assert ask("SELECT count(*) FROM labelled") == [(3,)]


rows = ROWS  # what a replacement scan would find


def test_a_misspelt_column_gets_a_suggestion(ask):
    with pytest.raises(OptionError, match=r'"emotio" not found.*Candidate bindings: "emotion"') as refused:
        ask("SELECT emotio\nFROM labelled")
    assert "LINE" not in str(refused.value)


@pytest.mark.parametrize("query", ["", "  ;", "-- nothing"])
def test_no_query_is_refused_with_an_example(ask, query):
    with pytest.raises(OptionError, match=r"no query.* FROM labelled LIMIT 10"):
        ask(query)


def test_what_fails_while_it_runs_is_one_line(ask):
    with pytest.raises(OptionError, match=r"Conversion Error.*INT32") as failed:
        ask("SELECT text::INTEGER FROM labelled")
    assert "좋아요" not in str(failed.value)  # a value of the archive is kept back


def test_a_text_in_a_message_about_what_cannot_be_done_is_kept_back(ask):
    with pytest.raises(OptionError, match=r"the query failed") as failed:
        ask("SELECT timezone(text, now()) FROM labelled")
    assert "좋아요" not in str(failed.value)


@pytest.mark.parametrize(
    "value",
    [
        "DATE 'infinity'", "TIMESTAMP '290000-01-01'", "TIMESTAMPTZ 'infinity'", "TIME_NS '10:00:00.123456789'",
        "TIMESTAMP_NS '2020-01-01 00:00:00.123456789'", "[TIMESTAMP '-infinity', NULL]",
        "{'a': [DATE '200000-01-01']}", "MAP {DATE 'infinity': 1}", "union_value(a := 1)", "{'a': {'b': NULL}}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", ["table", "csv", "json", "parquet"])
def test_any_value_is_shown_or_refused_in_one_line(session, form, value, tmp_path):
    answer = session.query(f"SELECT {value} AS value FROM labelled")
    if form == "table":
        print_table(answer)
    elif form == "parquet" and ("union" in value or "{}" in value):
        with pytest.raises(OptionError, match="CAST it to VARCHAR"):
            write_file(answer, tmp_path / "found", form)
    else:
        assert write_file(answer, tmp_path / "found", form) == 3


def test_bytes_that_are_no_text_are_not_quoted(ask):
    with pytest.raises(OptionError, match="the query failed"):
        ask("SELECT text::BIT FROM labelled")


def test_views_and_columns_are_told_for_completion(session):
    tables = session.tables()
    assert list(tables)[:2] == ["labelled", "utterances"]
    assert ("emotion", "VARCHAR") in tables["labelled"]
    assert set(AGGREGATES) <= set(tables)


# -- formats -----------------------------------------------------------------------------------------------------------

_EVERYTHING = """
    SELECT 1::HUGEINT AS h, 1.5::DECIMAL(5, 2) AS d, TIMESTAMP '2026-11-25 10:00:00' AS t, DATE '2026-11-25' AS day,
    INTERVAL 3 DAY AS i, [1, 2] AS l, {'a': 1, 'b': 'x'} AS s, MAP {'k': 1} AS m, 'x'::BLOB AS b, 'NaN'::DOUBLE AS n,
    uuid() AS u, TIME '10:00' AS tm, true AS bo, NULL AS z, 'a"b' || chr(10) || '가' AS txt, 'a'::ENUM('a', 'b') AS e
"""


def written(session, query: str, form: str) -> bytes:
    stream = io.BytesIO()
    write(session.query(query), stream, form)
    return stream.getvalue()


def test_json_is_a_list_of_objects(session):
    assert json.loads(written(session, "SELECT emotion, room FROM labelled ORDER BY ALL", "json")) == [
        {"emotion": "기쁨", "room": "a"}, {"emotion": "분노", "room": "b"}, {"emotion": None, "room": "b"},
    ]  # fmt: skip
    assert json.loads(written(session, "FROM labelled WHERE false", "json")) == []


@pytest.mark.parametrize("form", ["json", "csv", "parquet"])
def test_every_type_can_be_written(session, form):
    content = written(session, _EVERYTHING, form)
    if form == "json":
        (row,) = json.loads(content)
        assert (row["t"], row["d"], row["l"], row["m"], row["n"]) == (
            "2026-11-25T10:00:00",
            1.5,
            [1, 2],
            {"k": 1},
            None,
        )
    if form == "csv":
        (row,) = csv.DictReader(io.StringIO(content.decode()))
        assert (row["h"], row["day"], row["l"], row["txt"]) == ("1", "2026-11-25", "[1, 2]", 'a"b\n가')


def test_csv_cells_that_a_spreadsheet_would_calculate_are_marked(session):
    query = """SELECT text AS "=cmd", -1 AS n FROM labelled ORDER BY text"""
    assert written(session, query, "csv").decode().splitlines() == [
        '"\'=cmd","n"', '"\'=1+1",-1', '"좋아요",-1', ",-1",
    ]  # fmt: skip


@given(st.text(max_size=12) | st.text("=+-@'＝\t\r\n \u200b\u3000\xad가1", max_size=6))
def test_the_pattern_for_columns_marks_what_inert_marks(text):
    with contextlib.suppress(UnicodeEncodeError):
        marked = pc.match_substring_regex(pa.array([text], pa.large_string()), FORMULA_PATTERN)[0].as_py()
        assert marked == (escape_cell(text, keep_values=True) != text)


def test_parquet_keeps_the_types(session, tmp_path):
    assert write_file(session.query("SELECT text, confidence FROM labelled"), tmp_path / "a.parquet", "parquet") == 3
    assert pq.read_schema(tmp_path / "a.parquet").field("confidence").type == pa.float32()


def test_a_file_is_there_whole_or_not_at_all(session, tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("before")
    with pytest.raises(OptionError):
        write_file(session.query("SELECT error('late') FROM range(300000) WHERE range = 299999"), file, "csv")
    assert file.read_text() == "before"
    assert [one.name for one in tmp_path.iterdir()] == ["a.csv"]


def test_the_format_is_the_one_asked_for_or_that_of_the_file():
    assert format_of(None, None) == "table"
    assert format_of(Path("a.JSON"), None) == "json"
    assert format_of(Path("a.txt"), "csv") == "csv"
    with pytest.raises(OptionError, match=re.escape(".txt")):
        format_of(Path("a.txt"), None)
