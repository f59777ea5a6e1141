"""`emojob forget` asks before it removes rows, and a name in its condition means one column."""

import json
import unicodedata
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from emojob.schemas.labels import DEFAULT_LABELS
from tests.archives import table_of, utterance, write_archive, write_part, write_run

PHONE = "010-1234-5678"
NFC, NFD = (unicodedata.normalize(form, "고객") for form in ("NFC", "NFD"))


@pytest.fixture
def archive(tmp_path):
    rows = [utterance("기쁨", 0.9, f"{i}번 말, {PHONE}", person=f"p{i % 5}") for i in range(10)]
    return write_archive(tmp_path / "out", rows)


@pytest.fixture
def terminal(monkeypatch):
    """Answer the question of a command as in a terminal, and return the questions."""
    asked: list[str] = []

    def answer(text: str | None):
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)

        def say(prompt: str = "", *args: object) -> str:
            asked.append(prompt)
            if text is None:
                raise EOFError
            return text

        monkeypatch.setattr("click.termui.visible_prompt_func", say)
        return asked

    return answer


def left(out: Path) -> int:
    return sum(len(pq.read_table(part)) for part in out.glob("part-*.parquet"))


def test_two_rows_are_shown_masked_before_the_question(emojob, archive, terminal):
    terminal("n")
    code, printed, err = emojob("forget", archive, "--where", "person IN ('p1', 'p2')")
    assert (code, printed, left(archive)) == (2, "", 10)
    assert "p1" in err
    assert "2번 말, [전화번호]" in err
    assert PHONE not in err
    assert "3번 말" not in err
    assert "nothing was removed" in err
    terminal("y")
    assert emojob("forget", archive, "--where", "person IN ('p1', 'p2')")[0] == 0
    assert left(archive) == 6


@pytest.mark.parametrize(("typed", "code", "rows"), [("y", 2, 10), ("", 2, 10), ("10", 0, 0)])
def test_for_half_of_all_rows_their_number_is_typed(emojob, archive, terminal, typed, code, rows):
    terminal(typed)
    assert emojob("forget", archive, "--where", "true")[0] == code
    assert left(archive) == rows


def test_without_a_terminal_nothing_is_removed_unless_yes(emojob, archive):
    code, printed, err = emojob("forget", archive, "--where", "person = 'p1'")
    assert (code, printed, err.count("\n"), left(archive)) == (2, "", 1, 10)
    assert "2 of 10 rows" in err
    assert "--yes" in err
    code, printed, _ = emojob("forget", archive, "--where", "person = 'p1'", "--dry-run")
    assert (code, "[전화번호]" in printed, "2 rows in 1 part would be removed" in printed) == (0, True, True)
    assert emojob("forget", archive, "--where", "person = 'p1'", "--yes")[0] == 0
    assert left(archive) == 8


@pytest.mark.parametrize("extra", [(), ("--yes",), ("--dry-run",)])
def test_nobody_has_an_exit_code_of_its_own(emojob, archive, extra):
    assert emojob("forget", archive, "--where", "person = 'nobody'", *extra)[0] == 5
    assert left(archive) == 10


# -- names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("one", "two"), [("user_id", "User_ID"), (NFC, NFD), ("É", "é"), ("e\u0301tat", "état")])
def test_twins_in_part_files_of_an_earlier_version_are_refused_before_anything_happens(emojob, tmp_path, one, two):
    """Two nights wrote the column under two names. A run of today refuses the second one."""
    out = tmp_path / "out"
    for number, name in enumerate((one, two)):
        rows = [utterance("기쁨", 0.9, "말", **{name: f"p{i}"}) for i in range(3)]
        write_part(out, table_of(rows, labels=DEFAULT_LABELS), number)
    write_run(out)
    for name in (one, two, one.upper()):
        for where in (f"\"{name}\" = 'p0'", f"text IN (SELECT text FROM labelled WHERE \"{name}\" = 'p0')"):
            code, _, err = emojob("forget", out, "--yes", "--where", where)
            assert (code, err.count("\n"), left(out)) == (2, 1, 6), err
    assert emojob("forget", out, "--yes", "--where", "confidence > 2")[0] == 5


@pytest.mark.parametrize(("one", "two"), [("user_id", "User_ID"), (NFC, NFD)])
def test_a_second_night_with_another_spelling_is_refused(emojob, tmp_path, monkeypatch, one, two):
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate((one, two)):
        Path(f"{number}.jsonl").write_text(json.dumps({name: "p0", "text": "네"}, ensure_ascii=False) + "\n", "utf-8")
    assert emojob("score", "0.jsonl", "-o", "out", "--quiet")[0] == 0
    code, _, err = emojob("score", "1.jsonl", "-o", "out", "--quiet")
    assert (code, err.count("\n"), "Unicode form" in err, left(Path("out"))) == (2, 1, True, 1)
    Path("1.jsonl").write_text(json.dumps({one: "p0", "text": "네"}, ensure_ascii=False) + "\n", "utf-8")
    assert emojob("score", "1.jsonl", "-o", "out", "--quiet")[0] == 0
    code, printed, _ = emojob("forget", "out", "--yes", "--where", f"{one} = 'p0'")
    assert (code, "2 rows in 2 parts" in printed) == (0, True)


def test_a_folder_and_a_column_with_names_that_differ_in_case_are_refused(emojob, tmp_path):
    (tmp_path / "logs/User_ID=p9").mkdir(parents=True)
    (tmp_path / "logs/User_ID=p9/a.csv").write_text("user_id,text\np1,네\n")
    code, _, err = emojob("score", tmp_path / "logs", "-o", tmp_path / "out")
    assert (code, err.count("\n"), "user_id, User_ID" in err, (tmp_path / "out").exists()) == (2, 1, True, False)


def test_an_alias_of_the_view_gives_way_to_a_column_of_that_name(emojob, tmp_path):
    rows = [utterance("기쁨", 0.9, None, msg=f"말 {i}", Speaker=f"s{i}", 화자="고객", 방번호=f"r{i}") for i in range(4)]
    table = table_of(rows, labels=DEFAULT_LABELS).drop_columns(["text"])
    write_part(tmp_path / "out", table)
    write_run(tmp_path / "out")
    run = tmp_path / "out/_emojob/run.json"
    run.write_text(json.dumps(json.loads(run.read_text()) | {"text_column": "msg", "speaker_column": "화자"}))
    for where, kept in (
        ("speaker = '고객'", 4), ("speaker = 's0'", 3), ("text = '말 1'", 2), ("conversation_id = 'r2'", 1),
    ):  # fmt: skip
        code = emojob("forget", tmp_path / "out", "--yes", "--where", where)[0]
        assert (code, left(tmp_path / "out")) == (5 if kept == 4 else 0, kept), where
