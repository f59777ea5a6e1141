"""The file with drafts: its rows, going on after an interruption, and what it never replaces."""

import csv
import re
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.pipeline.replies.drafts import job
from emojob.pipeline.replies.drafts.choosing import Selection
from emojob.pipeline.replies.drafts.job import DraftOptions, draft_replies
from emojob.pipeline.replies.words import draft_columns
from emojob.pipeline.warehouse.forget import forget
from emojob.schemas.errors import BusyError, ChangedError, OptionError
from emojob.schemas.labels import DEFAULT_LABELS
from tests.archives import table_of, utterance, write_archive, write_part
from tests.pipeline.replies.drafts.bots import EchoBot, ReadOnce, stays_good, turned_bad, write_bad_archive


def draft(out, file, bot=None, **options):
    return draft_replies(open_labelled(out), bot or EchoBot(), DraftOptions(file, **options))


def read(file):
    with file.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def read_once():
    return ReadOnce()


@pytest.fixture(autouse=True)
def quick(monkeypatch, read_once):
    monkeypatch.setattr(job, "open_conversations", read_once.open)


@pytest.fixture
def many(tmp_path, monkeypatch):
    """An archive in which 20 conversations turn bad, with parts of 4 conversations."""
    monkeypatch.setattr(job, "_PART_ROWS", 4)
    return write_bad_archive(tmp_path / "out", 20)


def test_a_row_has_what_a_person_needs_to_answer(tmp_path):
    out = write_archive(tmp_path / "out", turned_bad("a", "010-1234-5678로 연락 주세요", flags=["refund"]))
    draft(out, tmp_path / "drafts.csv", drafts=2)
    (row,) = read(tmp_path / "drafts.csv")
    assert tuple(row) == draft_columns(2)
    assert row == {
        "conversation_id": "a", "turn": "3", "said_at": "2026-11-24 00:00:02", "text": "[전화번호]로 연락 주세요",
        "emotion": "분노", "confidence": "0.8", "flags": "refund",
        "draft_1": "1: [전화번호]로 연락 주세요 때문에 불편하셨군요.",
        "draft_2": "2: [전화번호]로 연락 주세요 때문에 불편하셨군요.",
        "way": "answers", "category": "배송/지연", "score": "0.8765", "ai_generated": "true", "status": "",
        "turns_before": "고객: 안녕하세요\n상담사: 무엇을 도와드릴까요", "turns_after": "",
        "note": "",
    }  # fmt: skip


def test_parquet_has_types_and_the_exact_numbers(tmp_path):
    draft(write_archive(tmp_path / "out", turned_bad("a", "왜 안 와요")), tmp_path / "drafts.parquet")
    table = pq.read_table(tmp_path / "drafts.parquet")
    assert tuple(table.column_names) == draft_columns(1)
    (row,) = table.to_pylist()
    assert row["score"] == pytest.approx(0.87654321)
    assert (row["flags"], row["ai_generated"], row["status"], row["turn"]) == ([], True, None, 3)
    assert str(row["said_at"]) == "2026-11-24 00:00:02"


def test_a_workbook_has_a_sheet_with_notes(tmp_path):
    draft(write_archive(tmp_path / "out", turned_bad("a", "=1+1 왜 안 와요")), tmp_path / "drafts.xlsx", language="ko")
    with zipfile.ZipFile(tmp_path / "drafts.xlsx") as packed:
        names, rows, notes = (
            packed.read(f"xl/{name}.xml").decode() for name in ("workbook", "worksheets/sheet1", "worksheets/sheet2")
        )
    assert re.findall(r'<sheet name="(\w+)"', names) == ["drafts", "notes"]
    assert re.findall(r"<c [^>]*inlineStr[^>]*><is><t[^>]*>([^<]*)", rows)[: len(draft_columns(1))] == [
        *draft_columns(1)
    ]
    assert "=1+1 왜 안 와요" in rows
    assert "<f>" not in rows
    for text in ("기계가 작성", "109", "echo"):
        assert text in notes
    assert not (tmp_path / "drafts.xlsx.notes.txt").exists()


def test_the_notes_say_who_wrote_the_drafts_and_have_no_dialogue(tmp_path):
    rows = [*turned_bad("a", "왜 안 와요"), *turned_bad("b", "몰라요"), *turned_bad("c", "죽고 싶어요")]
    draft(write_archive(tmp_path / "out", rows), tmp_path / "drafts.csv")
    notes = (tmp_path / "drafts.csv.notes.txt").read_text(encoding="utf-8")
    assert notes.startswith("emojob reply: a machine wrote the drafts")
    for line in ("Bot: echo", "Conversations: 3", "With a draft: 1", "reason: no answer is similar enough: 1"):
        assert line in notes
    assert notes.count("109") == 2
    assert not any(text in notes for text in ("왜 안", "몰라요", "죽고"))
    assert read(tmp_path / "drafts.csv")[0].keys() == set(draft_columns(1))  # the header is the first line


def test_a_crisis_gets_no_draft_but_a_flag_and_the_crisis_line(tmp_path):
    bot = EchoBot()
    out = write_archive(tmp_path / "out", turned_bad("a", "죽고 싶어요", flags=["refund"]))
    drafted = draft(out, tmp_path / "drafts.csv", bot, language="ko")
    (row,) = read(tmp_path / "drafts.csv")
    assert (row["draft_1"], row["ai_generated"], row["flags"]) == ("", "false", "refund, crisis")
    assert row["note"] == "사람 상담사에게 넘겨 주세요. 자살예방상담전화 109"
    assert bot.requests == []
    assert (drafted.tally.conversations, drafted.tally.with_draft) == (1, 0)


def test_an_utterance_without_text_gets_no_draft(tmp_path):
    blank = utterance(None, conversation_id="a", speaker="고객", sent_at="2026-11-24 10:00:00")
    draft(write_archive(tmp_path / "out", [*turned_bad("a", "왜 안 와요"), blank]), tmp_path / "drafts.csv")
    (row,) = read(tmp_path / "drafts.csv")
    assert (row["text"], row["emotion"], row["draft_1"], row["note"]) == ("", "", "", "the utterance has no text")
    assert row["turns_before"].endswith("고객: 왜 안 와요")


def test_the_bot_gets_masked_texts_the_emotion_and_what_the_customer_said_before(tmp_path):
    bot = EchoBot()
    draft(write_archive(tmp_path / "out", turned_bad("a", "kim@example.com 맞아요?")), tmp_path / "drafts.csv", bot)
    (request,) = bot.requests
    assert (request.text, request.emotion, request.before) == ("[이메일] 맞아요?", "분노", ("안녕하세요",))


def test_formulas_are_escaped_and_lines_stay_lines(tmp_path):
    rows = turned_bad('=cmd"', "=HYPERLINK(1)")
    rows[1]["text"] = "첫 줄\n상담사: 둘째 줄"
    draft(write_archive(tmp_path / "out", rows), tmp_path / "drafts.csv")
    (row,) = read(tmp_path / "drafts.csv")
    assert (row["text"], row["conversation_id"]) == ("'=HYPERLINK(1)", "'=cmd\"")
    assert row["turns_before"].split("\n") == ["고객: 안녕하세요", "상담사: 첫 줄 상담사: 둘째 줄"]


@pytest.mark.parametrize("name", ["drafts.csv", "drafts.parquet"])
def test_the_file_does_not_depend_on_batches_and_parts(many, tmp_path, name, monkeypatch):
    made = []
    for number, (batch_rows, part_rows) in enumerate([(1, 4), (64, 7), (64, 256)]):
        monkeypatch.setattr(job, "_PART_ROWS", part_rows)
        file = tmp_path / f"{number}-{name}"
        draft(many, file, drafts=2, batch_rows=batch_rows)
        made.append(file.read_bytes())
    assert len(set(made)) == 1


@pytest.mark.parametrize("name", ["drafts.csv", "drafts.parquet"])
def test_an_interrupted_run_goes_on_and_gives_the_same_file(many, tmp_path, name):
    file, whole = tmp_path / name, tmp_path / f"whole-{name}"
    draft(many, whole)
    with pytest.raises(KeyboardInterrupt):
        draft(many, file, EchoBot(most=10))
    work = tmp_path / f".{name}.parts"
    assert work.is_dir()
    assert work.stat().st_mode & 0o077 == 0
    assert not file.exists()
    bot = EchoBot()
    drafted = draft(many, file, bot)
    assert (drafted.resumed, len(bot.requests), drafted.tally.conversations) == (8, 12, 20)
    assert file.read_bytes() == whole.read_bytes()
    assert not work.exists()
    assert not list((many / "_emojob" / "derived").glob("*parts*"))


def test_parts_of_another_bot_or_archive_do_not_count(many, tmp_path):
    file = tmp_path / "drafts.csv"
    for change in (lambda: None, lambda: write_part(many, table_of(stays_good("new"), "", DEFAULT_LABELS), 1)):
        with pytest.raises(KeyboardInterrupt):
            draft(many, file, EchoBot(most=10))
        change()
        bot = EchoBot("echo-2")
        assert draft(many, file, bot, force=True).resumed == 0
        assert len(bot.requests) == 20


NAMES = pytest.mark.parametrize("name", ["drafts.csv", "drafts.parquet", "drafts.xlsx"])


@NAMES
def test_the_same_command_twice_does_nothing(many, tmp_path, name):
    file, bot = tmp_path / name, EchoBot()
    draft(many, file, bot)
    before, asked = file.stat(), len(bot.requests)
    again = draft(many, file, bot)
    assert (again.tally, again.is_changed, len(bot.requests)) == (None, False, asked)
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    assert draft(many, file, bot, force=True).tally.conversations == 20


@NAMES
def test_an_unchanged_file_is_replaced_when_the_archive_or_an_option_changes(many, tmp_path, name):
    draft(many, tmp_path / name)
    assert draft(many, tmp_path / name, EchoBot("echo-2")).tally.conversations == 20


def test_an_unchanged_file_is_replaced_after_rows_were_forgotten(many, tmp_path):
    draft(many, tmp_path / "drafts.csv")
    forget(many, "conversation_id = 'c0003'")
    assert not (tmp_path / "drafts.csv.notes.txt").exists()
    assert draft(many, tmp_path / "drafts.csv").tally.conversations == 19


def fill_in(file: Path) -> None:
    """Change a file as a person does who fills in the column status."""
    if file.suffix == ".xlsx":
        with zipfile.ZipFile(file) as packed:
            members = {name: packed.read(name) for name in packed.namelist()}
        with zipfile.ZipFile(file, "w") as saved:
            for name, content in members.items():
                saved.writestr(name, content.replace("왜 안 와요".encode(), "보냄".encode(), 1))
    elif file.suffix == ".csv":
        file.write_text(file.read_text(encoding="utf-8-sig").replace("true,,", 'true,"보냄",', 1), encoding="utf-8-sig")
    else:
        table = pq.read_table(file)
        pq.write_table(table.slice(1).replace_schema_metadata(table.schema.metadata), file)


@NAMES
def test_a_file_that_a_person_changed_is_never_replaced_without_force(many, tmp_path, name):
    file = tmp_path / name
    draft(many, file)
    fill_in(file)
    content = file.read_bytes()
    assert draft(many, file).tally is None  # the same command
    with pytest.raises(OptionError, match=r"status.*--force"):
        draft(many, file, EchoBot("echo-2"))
    assert file.read_bytes() == content
    assert draft(many, file, EchoBot("echo-2"), force=True).tally.conversations == 20


def test_a_file_of_somebody_else_is_not_replaced(many, tmp_path):
    for name in ("drafts.csv", "drafts.parquet", "drafts.xlsx"):
        (tmp_path / name).write_text("mine")
        with pytest.raises(OptionError, match="--force"):
            draft(many, tmp_path / name)
        assert (tmp_path / name).read_text() == "mine"


def test_only_who_reads_the_archive_reads_the_drafts(many, tmp_path):
    for part in many.glob("part-*"):
        part.chmod(0o600)
    draft(many, tmp_path / "drafts.csv")
    for name in ("drafts.csv", "drafts.csv.notes.txt"):
        assert (tmp_path / name).stat().st_mode & 0o077 == 0


def test_two_runs_do_not_write_the_same_file(many, tmp_path):
    class Slow(EchoBot):
        def reply(self, requests, drafts):
            with pytest.raises(BusyError):
                draft(many, tmp_path / "drafts.csv")
            return super().reply(requests, drafts)

    assert draft(many, tmp_path / "drafts.csv", Slow()).tally.conversations == 20


def test_rows_that_leave_the_archive_meanwhile_are_not_written(many, tmp_path):
    class Forgetting(EchoBot):
        def reply(self, requests, drafts):
            if not self.requests:
                forget(many, "conversation_id = 'c0003'")
            return super().reply(requests, drafts)

    with pytest.raises(ChangedError):
        draft(many, tmp_path / "drafts.csv", Forgetting())
    assert not (tmp_path / "drafts.csv").exists()


def test_no_conversation_to_look_at_gives_a_file_with_only_a_header(tmp_path):
    out = write_archive(tmp_path / "out", stays_good("a"))
    for name in ("drafts.csv", "drafts.parquet", "drafts.xlsx"):
        assert draft(out, tmp_path / name).tally.conversations == 0
    assert (tmp_path / "drafts.csv").read_text(encoding="utf-8-sig").count("\n") == 1
    assert pq.read_table(tmp_path / "drafts.parquet").num_rows == 0


@pytest.mark.parametrize(("file", "drafts"), [("drafts.txt", 1), ("drafts.csv", 0), ("drafts.csv", 10)])
def test_wrong_options_are_refused(file, drafts):
    with pytest.raises(OptionError):
        DraftOptions(Path(file), drafts)


def test_the_condition_is_part_of_the_fingerprint(many, tmp_path):
    file = tmp_path / "drafts.csv"
    assert draft(many, file).tally.conversations == 20
    assert draft(many, file, selection=Selection("conversation_id = 'c0001'")).tally.conversations == 1
