"""Every function and every kind of statement of DuckDB, with the paths of files: a query reads no other file and writes
none, both with the check of the query and without it.
"""

from __future__ import annotations

import hashlib
import io
import itertools
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.pipeline.warehouse.part_files import name_of
from emojob.pipeline.warehouse.queries.statements import SPACES
from emojob.pipeline.warehouse.query import Session, open_session
from emojob.pipeline.warehouse.results import write
from emojob.schemas.errors import EmojobError
from tests.archives import write_archive
from tests.pipeline.warehouse.conftest import ROWS

CANARY = "canary7f3a"


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    """A folder with an archive and foreign files of many formats. Each foreign file contains CANARY."""
    folder = tmp_path_factory.mktemp("tree")
    write_archive(folder / "out", ROWS, conversation_column="room")
    for name in ("x.txt", "x.csv"):
        (folder / name).write_text(f"a,b\n{CANARY},1\n")
    (folder / "x.json").write_text(f'{{"a": "{CANARY}"}}\n')
    pq.write_table(pa.table({"a": [CANARY]}, metadata={b"k": CANARY.encode()}), folder / "x.parquet")
    pq.write_table(pa.table({"raw": [CANARY]}), folder / "out/_emojob/rejects.parquet")
    (folder / f"{CANARY}.txt").touch()
    with duckdb.connect(str(folder / "x.duckdb")) as db:
        db.execute(f"CREATE TABLE t AS SELECT '{CANARY}' AS a")
    (folder / "db").mkdir()
    (folder / "db/schema.sql").write_text(f"CREATE TABLE {CANARY} (a INTEGER);")
    (folder / "db/load.sql").write_text("")
    return folder


@pytest.fixture
def session(tree) -> Iterator[Session]:
    with open_session(open_labelled(tree / "out"), numbered=True) as session:
        yield session


def state_of(folder: Path) -> dict[str, str]:
    files = (file for file in sorted(folder.rglob("*")) if "spill" not in str(file))
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else "" for file in files}


def paths_in(tree: Path) -> list[str]:
    part = next((tree / "out").glob("part-*.parquet"))
    names = ("x.txt", "x.csv", "x.json", "x.parquet", "x.duckdb", "db", "*", "out/_emojob/rejects.parquet", "new.file")
    return [*(str(tree / name) for name in names), str(part), f"file://{tree}/x.txt"]


def answers(session: Session, query: str, checked: bool) -> str:
    """Run a query, and return its result or its error message."""
    try:
        if checked:
            stream = io.BytesIO()
            write(session.query(query), stream, "json")
            return stream.getvalue().decode()
        return str(session._db.cursor().execute(query).fetchmany(50))
    except (EmojobError, duckdb.Error, RuntimeError, UnicodeDecodeError) as error:
        return str(error)


FILLERS = {"BOOLEAN": "true", "VARCHAR[]": "['a']", "MAP(VARCHAR, VARCHAR)": "MAP {'a': 'b'}", "ANY[]": "['a']"}
NUMBERS = ("INT", "DOUBLE", "FLOAT", "DECIMAL", "HUGEINT")
SLOW = {"sleep_ms", "pg_sleep"}


def calls(db: duckdb.DuckDBPyConnection, kinds: tuple[str, ...], path: str, named: bool) -> Iterator[str]:
    """Yield queries that call every function of these kinds with a path in every position, and with other values."""
    found = db.cursor().execute(
        "SELECT DISTINCT function_name, function_type, parameters, parameter_types FROM duckdb_functions() "
        "WHERE list_contains($kinds, function_type) ORDER BY ALL", {"kinds": list(kinds)}
    )  # fmt: skip
    text = "'" + path.replace("'", "''") + "'"
    for name, kind, parameters, types in found.fetchall():
        if name in SLOW:
            continue
        wheres = {"table": "FROM {}", "table_macro": "FROM {}", "pragma": "PRAGMA {}"}
        query = wheres.get(kind, "SELECT {}")
        fillers = [
            FILLERS.get(str(one)) or ("1" if any(number in str(one) for number in NUMBERS) else text) for one in types
        ]
        positional = [fillers[: n + 1] for n in range(min(len(fillers), 4))] or [[]]
        for some in [[], *positional]:
            for position in range(len(some)):
                yield query.format(f'"{name}"({", ".join([*some[:position], text, *some[position + 1 :]])})')
            if not some:
                yield query.format(f'"{name}"()')
        for parameter in parameters[1:] if named else ():
            yield query.format(f'"{name}"({fillers[0]}, "{parameter}" := {text})')
            yield query.format(f'"{name}"("{parameter}" := {text})')


def check_calls(tree: Path, kinds: tuple[str, ...], checked: bool, paths: list[str], named: bool = False) -> None:
    before = state_of(tree)
    with open_session(open_labelled(tree / "out"), numbered=True) as session:
        spill = Path(session._db.execute("SELECT current_setting('temp_directory')").fetchall()[0][0]).name
        for path in paths:
            for query in calls(session._db, kinds, path, named):
                answer = answers(session, query, checked)
                assert CANARY not in answer, query
                assert not checked or spill not in answer, query
            assert state_of(tree) == before, path
        assert "기쁨" in answers(session, "FROM labelled", checked=True)


def test_no_table_function_reads_or_writes_a_file(tree):
    check_calls(tree, ("table", "table_macro", "pragma"), False, paths_in(tree)[3:4])


@pytest.mark.slow
@pytest.mark.parametrize("checked", [True, False])
def test_no_table_function_reads_or_writes_any_of_many_files(tree, checked):
    check_calls(
        tree, ("table", "table_macro", "pragma"), checked, paths_in(tree) if not checked else paths_in(tree)[:4]
    )


@pytest.mark.slow
def test_no_other_function_reads_or_writes_a_file(tree):
    check_calls(tree, ("scalar", "macro", "aggregate"), False, paths_in(tree)[:2])


@pytest.mark.slow
def test_no_function_runs_or_binds_sql_text(session):
    """SQL in a text is not checked, so a function that evaluates it could show settings of the machine."""
    spill = Path(session._db.execute("SELECT current_setting('temp_directory')").fetchall()[0][0]).name
    hidden = "SELECT current_setting('temp_directory')"
    query = (
        "SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type IN ('scalar', 'macro', 'aggregate')"
    )
    for (name,) in session._db.execute(query).fetchall():
        if name in SLOW:
            continue
        for arguments in ("$${}$$", "json_serialize_sql($${}$$)", "$${}$$, optimize := true"):
            answer = answers(session, f'SELECT "{name}"({arguments.format(hidden)}) AS found', checked=True)
            assert spill not in answer, name
    assert "not allowed" in answers(session, f"SELECT json_serialize_plan($${hidden}$$)", checked=True)


STATEMENTS = [
    "COPY (SELECT 1) TO {path}", "COPY (SELECT 1) TO {path} (FORMAT csv, USE_TMP_FILE false)",
    "COPY (SELECT 1 AS a) TO {path} (FORMAT parquet, USE_TMP_FILE false, OVERWRITE true)",
    "COPY (SELECT 1 AS a) TO {path} (FORMAT json, PARTITION_BY (a), OVERWRITE_OR_IGNORE)",
    "WITH x AS (COPY (SELECT 1 AS a) TO {path} (USE_TMP_FILE false)) FROM x",
    "FROM (WITH x AS (COPY (SELECT 1 AS a) TO {path} (USE_TMP_FILE false)) FROM x)",
    "FROM query('WITH x AS (COPY (SELECT 1) TO {inner} (USE_TMP_FILE false)) FROM x')",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO {path} (USE_TMP_FILE false)",
    "PREPARE p AS COPY (SELECT 1) TO {path} (USE_TMP_FILE false)", "EXPORT DATABASE {path}", "IMPORT DATABASE {path}",
    "ATTACH {path} AS other", "ATTACH {path} AS other (READ_ONLY)", "CREATE TABLE t AS FROM {path}",
    "CREATE VIEW v AS FROM {path}", "CREATE MACRO m() AS TABLE FROM {path}", "FROM {path}", "SUMMARIZE {path}",
    "DESCRIBE TABLE {path}", "FROM query_table({path})", "TABLE {path}", "LOAD {path}", "INSTALL {path}",
    "SET temp_directory = {path}", "SET log_query_path = {path}", "SET profiling_output = {path}",
    "SET home_directory = {path}", "SET secret_directory = {path}", "SET file_search_path = {path}",
    "SET allowed_paths = [{path}]", "SET allowed_directories = [{path}]", "SET extension_directories = [{path}]",
    "SET GLOBAL logging_storage = {path}", "SET enable_external_access = true", "SET lock_configuration = false",
    "RESET enable_external_access", "RESET ALL", "PRAGMA profiling_output = {path}", "PRAGMA temp_directory = {path}",
    "PRAGMA import_database({path})", "SET VARIABLE x = {path}",
    "CREATE PERSISTENT SECRET s (TYPE http, SCOPE {path})", "CREATE SECRET s IN {path} (TYPE http)",
    "CALL enable_logging(storage_path := {path})",
    "CALL enable_logging('QueryLog', storage := 'file', storage_path := {path})",
    "CALL enable_profiling(save_location := {path})", "CHECKPOINT", "FORCE CHECKPOINT", "VACUUM", "USE {path}",
    "COPY FROM DATABASE memory TO other", "COPY labelled FROM {path}", "INSERT INTO labelled FROM {path}", "BEGIN",
    "ROLLBACK", "DROP VIEW labelled", "ALTER VIEW labelled RENAME TO other", "COMMENT ON VIEW labelled IS {path}",
    "EXECUTE p", "DEALLOCATE p", "CREATE TEMP TABLE t AS SELECT 1", "CREATE TYPE t AS ENUM ('a')", "CREATE SEQUENCE s",
    "CREATE SCHEMA s", "ANALYZE", "DETACH memory", "TRUNCATE labelled", "DELETE FROM labelled",
    "UPDATE labelled SET emotion = {path}", "MERGE INTO labelled USING labelled AS l ON true WHEN MATCHED THEN DELETE",
    "PIVOT read_csv({path}) ON a USING count(*)", "FROM (PIVOT (FROM {path}) ON a USING count(*))",
    "SELECT getenv('HOME')", "SHOW temp_directory", "FROM pg_settings",
    "WITH x AS MATERIALIZED (FROM read_text({path})) FROM x", "SELECT (SELECT max(content) FROM read_blob({path}))",
]  # fmt: skip


@pytest.mark.parametrize("statement", STATEMENTS)
def test_no_statement_reads_or_writes_a_file(tree, statement):
    before = state_of(tree)
    paths = [*paths_in(tree), name_of(0), "emojob://x.parquet", "/etc/passwd", "https://example.com/x.parquet"]
    archive = open_labelled(tree / "out")
    with open_session(archive) as session, open_session(archive) as without_check:
        for path in paths if "{" in statement else [""]:
            text = "'" + path.replace("'", "''") + "'"
            query = statement.format(path=text, inner=text.replace("'", "''"))
            if path != name_of(0) or "COPY" in query:
                with pytest.raises(EmojobError) as refused:
                    list(session.query(query).batches)
                assert "\n" not in str(refused.value)
                assert CANARY not in str(refused.value)
            assert CANARY not in answers(without_check, query, checked=False)
        assert "기쁨" in answers(session, "FROM labelled", checked=True)
    assert state_of(tree) == before


@pytest.mark.slow
def test_every_character_that_duckdb_reads_as_a_space_is_known():
    db = duckdb.connect()
    spaces = set()
    for code in itertools.chain(range(0x80, 0xD800), range(0xE000, 0x110000)):
        try:
            spaces.update(chr(code) for one in db.extract_statements(f"SELECT{chr(code)}1") if one)
        except duckdb.Error:
            continue
    assert spaces == SPACES


@pytest.mark.parametrize("space", sorted(SPACES))
def test_such_a_character_is_refused_outside_of_quotes(tree, session, space):
    part = next((tree / "out").glob("part-*.parquet"))
    before = state_of(tree)
    for query in (
        f"WITH x AS (COPY{space}(SELECT 1 AS a) TO '{part}' (FORMAT csv, USE_TMP_FILE false)) FROM x",
        f"SELECT{space}1", f"{space}SELECT 1", f"SELECT 1{space}", f"SELECT 'a'{space}, 1", f"SELECT $$a$$ {space}",
        f'SELECT "emotion"{space}FROM labelled', f"SELECT 1 /* x */{space}",
    ):  # fmt: skip
        with pytest.raises(EmojobError, match=rf"U\+{ord(space):04X}"):
            session.query(query)
    assert state_of(tree) == before
    for query in (
        f"SELECT 'a{space}b'",
        f'SELECT 1 AS "a{space}"',
        f"SELECT $$a{space}b$$",
        f"SELECT 1 -- a{space}b\n",
        f"SELECT /*{space}*/ 1",
    ):
        assert list(session.query(query).batches)
