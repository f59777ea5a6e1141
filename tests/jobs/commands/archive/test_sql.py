"""`emojob sql` and `emojob report` as a user types them."""

import io
import json

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput
from rich.cells import cell_len

from emojob.jobs.main import main
from emojob.jobs.terminal.sql_prompt import Names, _command, is_complete, run_prompt
from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.pipeline.warehouse.query import open_session
from tests.archives import said, write_archive
from tests.pipeline.report.conftest import HOSTILE

ROWS = [
    said("기쁨", 0.9, "좋아요", room="a", sent_at="2026-11-23 09:00"),
    said("분노", 0.8, "왜 안 와요", room="b", sent_at="2026-11-24 10:00"),
    said(None, room="b", sent_at="2026-11-24 11:00"),
]


@pytest.fixture
def emojob(capfdbinary):
    """Run a command in this process: (exit code, standard output, standard error)."""

    def run(*arguments: object):
        with pytest.raises(SystemExit) as ended:
            main([str(one) for one in arguments])
        said_ = capfdbinary.readouterr()
        return ended.value.code, said_.out.decode(), said_.err.decode()

    return run


@pytest.fixture
def out(tmp_path):
    return write_archive(tmp_path / "out", ROWS, conversation_column="room")


class TestSql:
    """Questions and their answers."""

    def test_a_table_has_no_colours_in_a_pipe(self, emojob, out):
        code, said_, err = emojob("sql", out, "SELECT emotion, count(*) AS n FROM labelled GROUP BY ALL ORDER BY n, 1")
        assert (code, err) == (0, "")
        assert "\x1b" not in said_
        assert [line.split() for line in said_.splitlines() if "기쁨" in line] == [["기쁨", "1"]]
        assert said_.endswith("3 rows\n")

    def test_a_query_comes_from_standard_input_too(self, emojob, out, monkeypatch):
        monkeypatch.setattr("sys.stdin", io.StringIO("SELECT count(*) AS n\nFROM labelled"))
        assert json.loads(emojob("sql", out, "--format", "json")[1]) == [{"n": 3}]

    @pytest.mark.parametrize("name", ["a.csv", "a.json", "a.parquet"])
    def test_an_answer_goes_to_a_file_of_the_kind_its_name_tells(self, emojob, out, tmp_path, name):
        code, said_, err = emojob("sql", out, "SELECT text FROM labelled WHERE emotion = '기쁨'", "-o", tmp_path / name)
        assert (code, said_, err) == (0, "", f"1 row in {tmp_path / name}\n")
        read = {"csv": duckdb.read_csv, "json": duckdb.read_json, "parquet": duckdb.read_parquet}[name.split(".")[1]]
        assert read(str(tmp_path / name)).fetchall() == [("좋아요",)]

    def test_what_is_refused_is_one_line_and_code_2(self, emojob, out):
        code, said_, err = emojob("sql", out, "COPY (SELECT 1) TO 'x.csv'")
        assert (code, said_, err.count("\n")) == (2, "", 1)
        code, _, err = emojob("sql", out, "SELECT emotio FROM labelled")
        assert (code, err.count("\n")) == (2, 1)
        assert 'Candidate bindings: "emotion"' in err

    def test_what_is_no_archive_is_refused(self, emojob, tmp_path):
        code, _, err = emojob("sql", tmp_path, "SELECT 1")
        assert code == 2
        assert "no labelled archive" in err

    def test_many_rows_are_cut_and_counted(self, emojob, out):
        said_ = emojob("sql", out, "FROM range(2500)")[1]
        assert said_.endswith("2,500 rows, the first 1,000 are shown: --format csv gives all\n")

    def test_hostile_text_cannot_steer_the_terminal(self, emojob, tmp_path):
        out = write_archive(tmp_path / "hostile", [said("기쁨", 0.9, text) for text in HOSTILE])
        for arguments in (["sql", out, "SELECT text FROM labelled"], ["report", out]):
            shown = emojob(*arguments)[1]
            assert not set(shown) & set("\x1b\u202e\u202c\x07")
        assert "[red]빨강[/red]" in emojob("sql", out, "SELECT text FROM labelled")[1]

    def test_a_database_for_other_tools_has_the_rows_and_the_aggregates(self, emojob, out, tmp_path):
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
                comments = dict(
                    db.execute("SELECT view_name, comment FROM duckdb_views() WHERE NOT internal").fetchall()
                )
                assert comments["emotions"].startswith("One row: an emotion")

    def test_an_export_does_not_replace_what_is_no_database(self, emojob, out, tmp_path):
        (tmp_path / "mine.duckdb").write_text("my notes")
        code, _, err = emojob("sql", out, "--export", tmp_path / "mine.duckdb")
        assert code == 2
        assert "is no DuckDB database" in err
        assert (tmp_path / "mine.duckdb").read_text() == "my notes"

    def test_copy_alone_is_refused(self, emojob, out):
        assert "--copy goes with --export" in emojob("sql", out, "--copy")[2]


class TestPrompt:
    """The prompt of a terminal."""

    def test_columns_views_and_words_are_completed(self):
        names = Names({"labelled": [("emotion", "VARCHAR"), ("prob_기쁨", "FLOAT"), ("내 열", "VARCHAR")]})

        def after(text: str) -> list[str]:
            return [one.text for one in names.get_completions(Document(text), None)]

        assert after("SELECT emo") == ["emotion"]
        assert after("FROM lab") == ["labelled"]
        assert after("sel") == ["SELECT"]
        assert after("SELECT 내") == ['"내 열"']

    def test_a_type_that_steers_a_terminal_is_shown_as_text(self):
        tables = {"labelled": [("a", 'STRUCT("\x1b[31m" BIGINT)')]}
        assert "\x1b" not in _command("\\d labelled", tables)
        found = next(Names(tables).get_completions(Document("SELECT a"), None))
        assert "\x1b" not in found.display_meta_text

    def test_a_query_is_run_when_it_ends(self):
        assert is_complete("SELECT 1;")
        assert is_complete("\\d")
        assert is_complete("")
        assert not is_complete("SELECT\n1")

    def test_it_answers_until_the_user_leaves(self, out, tmp_path, monkeypatch, capsys):
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
        typed = [
            "SELECT count(*) AS number", "FROM labelled;", "\\d labelled", "\\d nothing",
            "SELECT nothing FROM labelled;", "\\q",
        ]  # fmt: skip
        with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
            keys.send_text("".join(f"{line}\r" for line in typed))
            with open_session(open_labelled(out)) as session:
                run_prompt(session)
        said_ = capsys.readouterr()
        lines = [line.split() for line in said_.out.splitlines()]
        assert ["number"] in lines
        assert ["3"] in lines
        assert ["conversation_id", "VARCHAR"] in lines
        assert "no view nothing; there are labelled" in said_.out
        assert 'Referenced column "nothing" not found' in said_.err
        history = tmp_path / "emojob" / "sql_history"
        assert "+SELECT count(*) AS number\n+FROM labelled;" in history.read_text()
        assert history.stat().st_mode & 0o077 == 0


class TestReport:
    """What is shown, and what is written."""

    def test_it_shows_emotions_days_and_the_change(self, emojob, out):
        code, said_, err = emojob("report", out)
        assert (code, err) == (0, "")
        assert "\x1b" not in said_
        assert max(map(cell_len, said_.splitlines())) <= 80
        assert "2026-11-23 to 2026-11-24, 2 labelled utterances" in said_
        assert [line.split()[-2:] for line in said_.splitlines() if "분노" in line] == [["100.0%", "+100.0"]]

    def test_it_breaks_down_by_what_is_asked_for(self, emojob, out):
        assert "\n  room\n" in emojob("report", out, "--by", "room")[1]
        assert "\n  hour\n" in emojob("report", out, "--by", "hour")[1]
        code, _, err = emojob("report", out, "--by", "rum")
        assert (code, err.count("\n")) == (2, 1)

    def test_it_speaks_korean(self, emojob, out):
        assert "out의 감정" in emojob("report", out, "--language", "ko")[1]

    def test_it_writes_a_page_and_figures(self, emojob, out, tmp_path):
        code, said_, _ = emojob("report", out, "--html", tmp_path / "r.html", "--json", tmp_path / "r.json")
        assert code == 0
        assert str(tmp_path / "r.html") in said_
        assert json.loads((tmp_path / "r.json").read_text())["archive"]["labelled"] == 2
        assert (tmp_path / "r.html").read_text(encoding="utf-8").startswith("<!doctype html>")

    def test_json_on_standard_output_stands_alone(self, emojob, out):
        assert json.loads(emojob("report", out, "--json", "-")[1])["archive"]["rows"] == 3

    def test_a_place_that_cannot_be_is_refused_before_the_work(self, emojob, out, tmp_path):
        assert emojob("report", out, "--html", tmp_path / "no" / "r.html")[0] == 2
        part = next(out.glob("part-*"))
        before = pq.read_table(part)
        assert emojob("report", out, "--json", part)[0] == 2
        assert pq.read_table(part).equals(before)


def test_times_that_are_in_no_year_are_none(emojob, tmp_path):
    times = pa.array([2**62, 1_577_836_800_000_000, -(2**62)]).cast(pa.timestamp("us"))
    pq.write_table(pa.table({"text": ["네", "좋아요", "싫어요"], "sent_at": times}), tmp_path / "far.parquet")
    assert emojob("score", tmp_path / "far.parquet", "-o", tmp_path / "out", "--quiet")[0] == 0
    code, said_, err = emojob("report", tmp_path / "out", "--by", "sent_at")
    assert (code, err) == (0, "")
    assert "2020-01-01" in said_
    found = emojob(
        "sql", tmp_path / "out", "SELECT count(said_at) AS n, count(*) AS rows FROM labelled", "--format", "csv"
    )
    assert found[1].splitlines()[1] == "1,3"
