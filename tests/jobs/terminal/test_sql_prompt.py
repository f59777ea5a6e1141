"""The prompt of `emojob sql`."""

from prompt_toolkit.application import create_app_session
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from emojob.jobs.terminal.sql_prompt import Names, _command, is_complete, run_prompt
from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.pipeline.warehouse.query import open_session
from tests.archives import utterance, write_archive

ROWS = [
    utterance("기쁨", 0.9, "좋아요", room="a"),
    utterance("분노", 0.8, "왜 안 와요", room="b"),
    utterance(None, room="b"),
]


def test_columns_views_and_keywords_are_completed():
    names = Names({"labelled": [("emotion", "VARCHAR"), ("prob_기쁨", "FLOAT"), ("내 열", "VARCHAR")]})

    def after(text: str) -> list[str]:
        return [one.text for one in names.get_completions(Document(text), None)]

    assert after("SELECT emo") == ["emotion"]
    assert after("FROM lab") == ["labelled"]
    assert after("sel") == ["SELECT"]
    assert after("SELECT 내") == ['"내 열"']


def test_a_hostile_type_name_does_not_control_the_terminal():
    tables = {"labelled": [("a", 'STRUCT("\x1b[31m" BIGINT)')]}
    assert "\x1b" not in _command("\\d labelled", tables)
    found = next(Names(tables).get_completions(Document("SELECT a"), None))
    assert "\x1b" not in found.display_meta_text


def test_enter_runs_a_complete_query():
    assert is_complete("SELECT 1;")
    assert is_complete("\\d")
    assert is_complete("")
    assert not is_complete("SELECT\n1")


def test_the_prompt_answers_until_the_user_leaves(tmp_path, monkeypatch, capsys):
    out = write_archive(tmp_path / "out", ROWS, conversation_column="room")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    typed = [
        "SELECT count(*) AS number", "FROM labelled;", "\\d labelled", "\\d nothing",
        "SELECT nothing FROM labelled;", "help", "EXIT;",
    ]  # fmt: skip
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        keys.send_text("".join(f"{line}\r" for line in typed))
        with open_session(open_labelled(out)) as session:
            run_prompt(session)
    printed = capsys.readouterr()
    lines = [line.split() for line in printed.out.splitlines()]
    assert ["number"] in lines
    assert ["3"] in lines
    assert ["conversation_id", "VARCHAR"] in lines
    assert "there is no view nothing; the views are labelled" in printed.out
    assert 'Referenced column "nothing" not found' in printed.err
    history = tmp_path / "emojob" / "sql_history"
    assert "+SELECT count(*) AS number\n+FROM labelled;" in history.read_text()
    assert history.stat().st_mode & 0o077 == 0


def test_words_for_help_and_for_the_end_are_known():
    for word in ("help", "HELP;", "exit", "quit;", "\\q"):
        assert is_complete(word)
    assert not is_complete("help me")
