"""A user's query can read the labelled archive, and nothing else."""

import pyarrow as pa
import pytest

from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.pipeline.warehouse.aggregates import AGGREGATES, INTERNAL_VIEWS
from emojob.pipeline.warehouse.query import open_session
from emojob.schemas.errors import OptionError


@pytest.fixture
def ask(session):
    def rows(query: str) -> list[tuple]:
        result = session.query(query)
        table = pa.Table.from_batches(list(result.batches), result.schema)
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
def test_a_query_that_only_reads_runs(ask, query):
    ask(query)


@pytest.mark.parametrize(
    ("query", "created"),
    [
        ("SELECT emotion FROM labelled", set()),
        ('SELECT * FROM "DAYS" AS other LIMIT 1', {"hours", "label_hours", "days"}),
        ("FROM duckdb_views()", set(AGGREGATES)),
    ],
)
def test_a_query_creates_only_the_aggregates_that_it_reads(out, query, created):
    with open_session(open_labelled(out)) as session:
        session.query(query)
        found = session.database.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
    assert {name for (name,) in found} & set(AGGREGATES) == created


def test_a_misspelt_aggregate_is_proposed_although_it_was_not_created(ask):
    with pytest.raises(OptionError, match='Did you mean "endings"'):
        ask("FROM endingz")


def test_the_result_is_right(ask):
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
        "SELECT * FROM rows",  # a variable of this module
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
def test_any_other_query_is_refused_in_one_line(session, ask, out, query):
    before = {file: file.read_bytes() for file in out.rglob("*") if file.is_file()}
    paths = {"out": str(out).replace("'", "''"), "part": str(next(out.glob("part-*"))).replace("'", "''")}
    with pytest.raises(OptionError) as refused:
        ask(query.format(**paths))
    assert "\n" not in str(refused.value)
    assert {file: file.read_bytes() for file in out.rglob("*") if file.is_file()} == before
    assert ask("SELECT count(*) FROM labelled") == [(3,)]


rows = pa.table({"text": ["좋아요"]})  # DuckDB would find it by its name


def test_a_misspelled_column_gets_a_suggestion(ask):
    with pytest.raises(OptionError, match=r'"emotio" not found.*Candidate bindings: "emotion"') as refused:
        ask("SELECT emotio\nFROM labelled")
    assert "LINE" not in str(refused.value)


@pytest.mark.parametrize("query", ["", "  ;", "-- nothing"])
def test_an_empty_query_is_refused_with_an_example(ask, query):
    with pytest.raises(OptionError, match=r"no query.* FROM labelled LIMIT 10"):
        ask(query)


def test_an_error_over_a_row_is_one_line_without_its_values(ask):
    with pytest.raises(OptionError, match=r"Conversion Error.*INT32") as failed:
        ask("SELECT text::INTEGER FROM labelled")
    assert "좋아요" not in str(failed.value)


def test_an_unsupported_operation_does_not_quote_a_text(ask):
    with pytest.raises(OptionError, match=r"the query failed") as failed:
        ask("SELECT timezone(text, now()) FROM labelled")
    assert "좋아요" not in str(failed.value)


def test_an_error_over_bytes_does_not_quote_them(ask):
    with pytest.raises(OptionError, match="the query failed"):
        ask("SELECT text::BIT FROM labelled")


def test_tables_lists_views_and_columns_for_completion(session):
    tables = session.tables()
    assert list(tables)[:2] == ["labelled", "utterances"]
    assert ("emotion", "VARCHAR") in tables["labelled"]
    assert set(AGGREGATES) - set(INTERNAL_VIEWS) <= set(tables)
