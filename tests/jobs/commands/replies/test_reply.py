"""`emojob reply` as a user types it, with a bot that quotes the text."""

import csv
import signal

import pytest

from emojob.jobs.commands.replies import reply
from emojob.jobs.terminal.replies import draft_progress
from emojob.jobs.terminal.replies.draft_progress import DraftLog
from emojob.schemas.errors import Interrupted
from tests.archives import utterance, write_archive
from tests.command_line import one_line
from tests.pipeline.replies.drafts.bots import EchoBot, stays_good, turned_bad


@pytest.fixture
def bot(monkeypatch) -> EchoBot:
    found = EchoBot()
    monkeypatch.setattr(reply, "_open_bot", lambda *arguments: found)
    return found


@pytest.fixture
def out(tmp_path):
    rows = [
        *turned_bad("a", "왜 안 와요"),
        *turned_bad("b", "죽고 싶어요"),
        *turned_bad("c", "몰라요"),
        *stays_good("d"),
    ]
    return write_archive(tmp_path / "out", rows)


def read(file):
    with file.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_conversations_to_look_at_get_drafts(emojob, bot, out, tmp_path):
    file = tmp_path / "drafts.csv"
    code, printed, err = emojob("reply", out, "-o", file, "--drafts", 2, "--language", "en")
    assert (code, err) == (0, "")
    assert printed.splitlines() == [
        f"3 conversations in {file}: 1 with a draft",
        "  1 without a draft: hand over to a person; crisis line 109",
        "  1 without a draft: no answer is similar enough",
        "A machine wrote the drafts: a person must read and approve each one. Nothing was sent.",
    ]
    rows = {row["conversation_id"]: row for row in read(file)}
    assert rows["a"]["draft_2"] == "2: 왜 안 와요 때문에 불편하셨군요."
    assert (rows["b"]["draft_1"], rows["b"]["flags"]) == ("", "crisis")
    code, printed, _ = emojob("reply", out, "-o", file, "--drafts", 2, "--language", "en")
    assert (code, len(bot.requests)) == (0, 2)
    assert "is there already" in printed


def test_a_finished_file_of_other_options_is_made_again_and_a_line_says_so(emojob, bot, out, tmp_path):
    file = tmp_path / "drafts.csv"
    assert emojob("reply", out, "-o", file)[0] == 0
    code, _, err = emojob("reply", out, "-o", file, "--drafts", 2)
    assert code == 0
    line = f"the archive, the bot or an option has changed since {file} was made, so all drafts are made again"
    assert err == f"emojob: {line}\n"
    assert "draft_2" in read(file)[0]


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("", "--where '' is blank: give a condition on the columns, such as --where \"confidence > 0.9\""),
        ("emotion = ", 'syntax error at or near "="'),
        ("emotoin = '분노'", 'Candidate bindings: "emotion"'),
    ],
)
def test_a_wrong_condition_is_one_line_about_the_words_of_the_user(emojob, bot, out, tmp_path, where, said):
    code, _, err = emojob("reply", out, "-o", tmp_path / "drafts.csv", "--where", where)
    assert (code, said in one_line(err), "emojob row" in err) == (2, True, False), err
    assert not (tmp_path / "drafts.csv").exists()


def test_korean_messages(emojob, bot, out, tmp_path):
    _, printed, _ = emojob("reply", out, "-o", tmp_path / "drafts.csv", "--language", "ko")
    assert "대화 3개, 초안 있음 1개" in printed
    assert "자살예방상담전화 109" in printed
    assert "기계가 작성" in (tmp_path / "drafts.csv.notes.txt").read_text(encoding="utf-8")


def test_quiet_prints_nothing(emojob, bot, out, tmp_path):
    assert emojob("reply", out, "-o", tmp_path / "drafts.xlsx", "--quiet") == (0, "", "")


def test_no_conversation_that_turned_bad_is_no_error(emojob, bot, tmp_path):
    out = write_archive(tmp_path / "good", stays_good("a"))
    code, printed, _ = emojob("reply", out, "-o", tmp_path / "drafts.csv", "--language", "en")
    assert code == 0
    assert printed == f"no conversation turned bad; {tmp_path / 'drafts.csv'} has no rows\n"
    assert read(tmp_path / "drafts.csv") == []
    code, printed, _ = emojob(
        "reply", out, "-o", tmp_path / "drafts.csv", "--where", "emotion = '분노'", "--language", "en"
    )
    assert (code, printed.splitlines()[0].startswith("no utterance matches --where")) == (0, True)


@pytest.mark.parametrize("language", ["en", "ko"])
def test_few_conversations_are_followed_by_an_option_that_gives_more(emojob, bot, tmp_path, language):
    angry = [utterance("분노", 0.5, "아직 안 왔어요", conversation_id=f"d{n}", speaker="고객") for n in range(3)]
    anxious = utterance("불안", 0.5, "걱정돼요", conversation_id="e", speaker="고객")
    out = write_archive(tmp_path / "out", [*turned_bad("a", "왜 안 와요"), *with_times([*angry, anxious])])
    command = ("reply", out, "-o", tmp_path / "drafts.csv", "--language", language)
    _, printed, _ = emojob(*command)
    assert "--where \"emotion = '분노'\"" in printed
    assert len(read(tmp_path / "drafts.csv")) == 1
    _, printed, _ = emojob(*command, "--where", "emotion = '분노'")
    assert "--where" not in printed
    assert len(read(tmp_path / "drafts.csv")) == 4


def with_times(rows):
    return [{**row, "sent_at": "2026-11-24 10:00:00"} for row in rows]


def test_the_progress_line_ends_without_a_time_that_is_left(monkeypatch, capsys):
    monkeypatch.setattr(draft_progress, "_LINE_SECONDS", 0)
    for language in ("en", "ko"):
        with DraftLog(quiet=False, language=language) as log:
            for done in (0, 1, 2):
                log.callbacks.on_progress(done, 2)
    first, middle, last, *korean = capsys.readouterr().err.splitlines()
    assert (first, last) == ("emojob: 0 of 2 conversations", "emojob: 2 of 2 conversations, writing the file")
    assert middle.startswith("emojob: 1 of 2 conversations, about ")
    assert korean[2] == "emojob: 대화 2개 중 2개 완료, 파일을 쓰는 중"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_interrupt_the_command_and_get_their_handlers_back(number):
    before = signal.getsignal(number)
    with pytest.raises(Interrupted, match="run the same command again"), DraftLog(quiet=True, language="en"):
        signal.raise_signal(number)
    assert signal.getsignal(number) == before


def test_an_archive_without_conversations_is_refused_with_the_next_step(emojob, bot, tmp_path):
    out = write_archive(tmp_path / "plain", [utterance("분노", 0.8, "왜 안 와요")])
    code, _, err = emojob("reply", out, "-o", tmp_path / "drafts.csv")
    assert code == 2
    assert "--where" in one_line(err)
    code, _, _ = emojob("reply", out, "-o", tmp_path / "drafts.csv", "--where", "emotion = '분노'")
    assert code == 0
    assert [row["text"] for row in read(tmp_path / "drafts.csv")] == ["왜 안 와요"]


@pytest.mark.parametrize(
    "options",
    [
        "drafts.txt", "missing/drafts.csv", "drafts.csv --drafts 0", "out/part-00000-000000000000.parquet",
        "folder.csv", "link.csv",
    ],
)  # fmt: skip
def test_wrong_options_are_one_line(emojob, bot, out, tmp_path, options, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "link.csv").symlink_to(tmp_path / "mine.csv")
    code, _, err = emojob("reply", out, "-o", *options.split())
    assert code == 2
    one_line(err)


def test_notes_of_somebody_else_are_not_replaced(emojob, bot, out, tmp_path):
    (tmp_path / "drafts.csv.notes.txt").write_text("mine")
    code, _, err = emojob("reply", out, "-o", tmp_path / "drafts.csv")
    assert (code, "--force" in one_line(err)) == (2, True)
    assert (tmp_path / "drafts.csv.notes.txt").read_text() == "mine"


def test_forget_removes_or_lists_the_files(emojob, bot, out, tmp_path):
    for name in ("drafts.csv", "approved.csv", "drafts.parquet", "drafts.xlsx"):
        assert emojob("reply", out, "-o", tmp_path / name)[0] == 0
    (tmp_path / "approved.csv").write_text("changed by a person")
    bot.fingerprint, bot.most = "echo-2", 0
    assert emojob("reply", out, "-o", tmp_path / "cut.csv")[0] == 130  # the bot is interrupted
    (tmp_path / ".cut.csv.parts" / "part-000000.parquet").write_bytes((tmp_path / "drafts.parquet").read_bytes())
    code, printed, err = emojob("forget", out, "--where", "conversation_id = 'a'", "--yes")
    assert code == 3, err  # approved.csv is left
    left = {file.name for file in tmp_path.iterdir()}
    assert left == {"out", "approved.csv", "approved.csv.notes.txt"}
    assert f"--also {tmp_path / 'approved.csv'}" in printed + err


def test_forget_does_not_remove_a_folder_that_only_looks_like_a_work_folder(emojob, bot, out, tmp_path):
    bot.most = 0
    assert emojob("reply", out, "-o", tmp_path / "cut.csv")[0] == 130
    (tmp_path / ".cut.csv.parts" / "mine.txt").write_text("mine")
    assert emojob("forget", out, "--where", "conversation_id = 'a'", "--yes")[0] == 0
    assert (tmp_path / ".cut.csv.parts" / "mine.txt").read_text() == "mine"
