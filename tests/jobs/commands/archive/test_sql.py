"""`emojob sql` as a user types it."""

import io
import json
import os
import zipfile

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.archives import utterance, write_archive
from tests.pipeline.report.conftest import HOSTILE


def test_a_table_has_no_colours_in_a_pipe(emojob, out):
    code, printed, err = emojob("sql", out, "SELECT emotion, count(*) AS n FROM labelled GROUP BY ALL ORDER BY n, 1")
    assert (code, err) == (0, "")
    assert "\x1b" not in printed
    assert [line.split() for line in printed.splitlines() if "기쁨" in line] == [["기쁨", "1"]]
    assert printed.endswith("3 rows\n")


def test_a_query_comes_from_standard_input_too(emojob, out, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("SELECT count(*) AS n\nFROM labelled"))
    assert json.loads(emojob("sql", out, "--format", "json")[1]) == [{"n": 3}]


@pytest.mark.parametrize("name", ["a.csv", "a.json", "a.parquet"])
def test_a_result_is_written_in_the_format_of_the_file_name(emojob, out, tmp_path, name):
    code, printed, err = emojob("sql", out, "SELECT text FROM labelled WHERE emotion = '기쁨'", "-o", tmp_path / name)
    assert (code, printed, err.startswith(f"1 row in {tmp_path / name}; ")) == (0, "", True)
    read = {"csv": duckdb.read_csv, "json": duckdb.read_json, "parquet": duckdb.read_parquet}[name.split(".")[1]]
    assert read(str(tmp_path / name)).fetchall() == [("좋아요",)]


def test_a_refused_query_is_one_line_and_exit_code_2(emojob, out):
    code, printed, err = emojob("sql", out, "COPY (SELECT 1) TO 'x.csv'")
    assert (code, printed, err.count("\n")) == (2, "", 1)
    code, _, err = emojob("sql", out, "SELECT emotio FROM labelled")
    assert (code, err.count("\n")) == (2, 1)
    assert 'Candidate bindings: "emotion"' in err


@pytest.mark.parametrize("query", ["UPDATE EXTENSIONS", "SELECT ?", "SELECT json_serialize_plan('SELECT 1')"])
def test_such_a_query_is_refused_without_an_internal_error(emojob, out, query):
    code, printed, err = emojob("sql", out, query)
    assert (code, printed, err.count("\n")) == (2, "", 1)
    assert "not allowed" in err or "not supported" in err


def test_a_map_without_pairs_is_written(emojob, out, tmp_path):
    assert emojob("sql", out, "SELECT MAP {} AS m", "-o", tmp_path / "m.parquet")[0] == 0
    assert duckdb.read_parquet(str(tmp_path / "m.parquet")).fetchall() == [({},)]
    assert json.loads(emojob("sql", out, "SELECT MAP {} AS m", "--format", "json")[1]) == [{"m": {}}]


@pytest.mark.parametrize("form", ["table", "csv", "json", "parquet"])
def test_an_unexpected_error_while_a_result_is_written_is_one_line(emojob, out, monkeypatch, form):
    def fail(self, *arguments, **options):
        raise pa.ArrowInvalid("좋아요")

    if form == "table":
        monkeypatch.setattr("emojob.pipeline.warehouse.queries.values.values_of", fail)
    else:
        monkeypatch.setattr(f"emojob.pipeline.warehouse.results._write_{form}", fail)
    code, printed, err = emojob("sql", out, "SELECT 1", "--format", form)
    assert (code, printed, err.count("\n")) == (2, "", 1)
    assert f"cannot be written as {form} (ArrowInvalid)" in err
    assert "좋아요" not in err


def test_a_folder_that_is_no_archive_is_refused(emojob, tmp_path):
    code, _, err = emojob("sql", tmp_path, "SELECT 1")
    assert code == 2
    assert "not a labelled archive" in err


def test_many_rows_are_cut_and_counted(emojob, out):
    printed = emojob("sql", out, "FROM range(2500)")[1]
    assert printed.endswith("2,500 rows; only 1,000 are shown; --format csv prints all rows\n")


def test_hostile_text_does_not_control_the_terminal(emojob, tmp_path):
    out = write_archive(tmp_path / "hostile", [utterance("기쁨", 0.9, text) for text in HOSTILE])
    for arguments in (["sql", out, "SELECT text FROM labelled"], ["report", out]):
        shown = emojob(*arguments)[1]
        assert not set(shown) & set("\x1b\u202e\u202c\x07")
    assert "[red]빨강[/red]" in emojob("sql", out, "SELECT text FROM labelled")[1]


def test_a_database_for_other_tools_has_the_rows_and_the_aggregates(emojob, out, tmp_path):
    for more, kind in ((), "VIEW"), (("--copy",), "BASE TABLE"):
        file = tmp_path / f"{kind}.duckdb"
        assert emojob("sql", out, "--export", file, *more)[0] == 0
        with duckdb.connect(str(file), read_only=True) as db:
            tables = dict(db.execute("SELECT table_name, table_type FROM information_schema.tables").fetchall())
            assert tables["labelled"] == kind
            assert db.execute("SELECT sum(rows) FROM emotions").fetchall() == [(2,)]
            assert db.execute("SELECT conversation, turns FROM conversations ORDER BY 1").fetchall() == [
                ("a", 1),
                ("b", 1),
            ]
            comments = dict(db.execute("SELECT view_name, comment FROM duckdb_views() WHERE NOT internal").fetchall())
            assert comments["emotions"].startswith("One row: an emotion")


def test_an_export_does_not_replace_a_file_that_is_no_database(emojob, out, tmp_path):
    (tmp_path / "mine.duckdb").write_text("my notes")
    code, _, err = emojob("sql", out, "--export", tmp_path / "mine.duckdb")
    assert code == 2
    assert "nothing shows that emojob wrote this file" in err
    assert (tmp_path / "mine.duckdb").read_text() == "my notes"


@pytest.mark.parametrize("ending", ["csv", "json", "xlsx", "parquet"])
def test_a_result_that_was_edited_is_replaced_only_with_force(emojob, out, tmp_path, ending):
    file = tmp_path / f"found.{ending}"
    command = ("sql", out, "SELECT text FROM labelled", "-o", file)
    assert emojob(*command)[0] == emojob(*command)[0] == 0
    if ending == "xlsx":
        with zipfile.ZipFile(file) as packed:
            members = {name: packed.read(name) for name in packed.namelist()}
        with zipfile.ZipFile(file, "w") as saved:
            for name, content in members.items():
                saved.writestr(name, content.replace(b"</sheetData>", b"<!-- --></sheetData>"))
    elif ending == "parquet":
        pq.write_table(pa.table({"mine": ["메모"]}), file)
    else:
        stamp = file.stat()
        file.write_bytes(file.read_bytes().replace(b"text", b"mine"))  # the size and the time stay the same
        os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    edited = file.read_bytes()
    code, _, err = emojob(*command)
    assert (code, file.read_bytes()) == (2, edited)
    assert "it was changed after emojob wrote it" in err
    assert emojob(*command, "--force")[0] == emojob(*command)[0] == 0


def test_copy_alone_is_refused(emojob, out):
    assert "--copy needs --export" in emojob("sql", out, "--copy")[2]


def test_times_outside_the_years_1_to_9999_are_null(emojob, tmp_path):
    times = pa.array([2**62, 1_577_836_800_000_000, -(2**62)]).cast(pa.timestamp("us"))
    pq.write_table(pa.table({"text": ["네", "좋아요", "싫어요"], "sent_at": times}), tmp_path / "far.parquet")
    assert emojob("score", tmp_path / "far.parquet", "-o", tmp_path / "out", "--quiet")[0] == 0
    code, printed, err = emojob("report", tmp_path / "out", "--by", "sent_at")
    assert (code, err) == (0, "")
    assert "2020-01-01" in printed
    found = emojob(
        "sql", tmp_path / "out", "SELECT count(said_at) AS n, count(*) AS rows FROM labelled", "--format", "csv"
    )
    assert found[1].splitlines()[1] == "1,3"
