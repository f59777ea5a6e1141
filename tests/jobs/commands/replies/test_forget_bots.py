"""`emojob forget` knows the bots that learned from the rows of an archive."""

import json
from pathlib import Path

import pytest

from emojob.pipeline.output.derived import bots
from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.schemas.errors import ChangedError, Interrupted, OutputError
from tests.archives import utterance, write_archive
from tests.pipeline.replies.conftest import ANSWERS, QUESTIONS


def comforted(talk: str, question: str, answer: str) -> list[dict]:
    """Return a conversation in which an answer makes a customer feel better."""
    said = (("고객", "분노", question), ("상담사", "일상", answer), ("고객", "기쁨", "다행이에요, 이제 괜찮아요"))
    return [utterance(label, 0.9, text, conversation_id=talk, speaker=who) for who, label, text in said]


@pytest.fixture
def out(tmp_path):
    talks = [pair for name, questions in QUESTIONS.items() for pair in zip(questions, ANSWERS[name], strict=True)]
    rows = [row for number, pair in enumerate(talks) for row in comforted(f"c{number}", *pair)]
    return write_archive(tmp_path / "out", rows)


def learn(out: Path, way: Path) -> None:
    """Do what `train-replies --from-archive` does, with a way that is only a file."""
    with bots.learning(open_labelled(out), way, lambda text: None):
        way.mkdir(exist_ok=True)
        (way / "book").write_text("여러 사람의 말", encoding="utf-8")


def forget(emojob, out: Path, talk: str, *options: object) -> tuple[int, str]:
    code, printed, _ = emojob("forget", out, "--where", f"conversation_id = '{talk}'", "--yes", *options)
    return code, printed


def test_forget_names_a_bot_until_it_is_made_again(emojob, out, tmp_path):
    bot = tmp_path / "bot"
    command = ("train-replies", "--from-archive", out, "-o", bot, "--quiet")
    code, printed, _ = emojob(*command[:-1])
    assert code == 0
    assert f"names of persons may remain in the answers: read {bot}/answers/answers.parquet before" in printed
    book = (bot / "answers" / "way.json").read_bytes()
    code, printed = forget(emojob, out, "c0", "--dry-run")
    assert f"kept     {bot / 'answers'} may show removed rows, because the bot learned from them" in printed
    code, printed = forget(emojob, out, "c0")
    assert code == 3
    assert "`emojob train-replies --from-archive`, its other options and --fresh" in printed
    assert (bot / "answers" / "way.json").read_bytes() == book
    assert emojob(*command)[0] == 2  # the texts of the archive are others now
    assert forget(emojob, out, "c0")[0] == 3
    assert emojob(*command, "--fresh")[0] == 0
    assert forget(emojob, out, "c0")[0] == 5  # no rows match, and nothing is left


def test_a_way_that_was_made_again_from_files_is_not_named(emojob, out, tmp_path):
    learn(out, tmp_path / "bot" / "answers")
    learn(out, tmp_path / "bot" / "gpt2")
    bots.learned_from_files(tmp_path / "bot" / "answers")
    code, printed = forget(emojob, out, "c0")
    assert code == 3
    assert str(tmp_path / "bot" / "gpt2") in printed
    assert str(tmp_path / "bot" / "answers") not in printed
    assert len(list((out / "_emojob" / "derived").glob("*.json"))) == 1


def test_a_removed_bot_is_not_named(emojob, out, tmp_path):
    learn(out, tmp_path / "bot" / "answers")
    (tmp_path / "bot").rename(tmp_path / "away")
    assert forget(emojob, out, "c0")[0] == 0
    assert not list((out / "_emojob" / "derived").glob("*.json"))


def test_an_interrupted_training_is_named_and_what_the_way_learned_before_counts(emojob, out, tmp_path):
    way = tmp_path / "bot" / "answers"
    learn(out, way)
    assert forget(emojob, out, "c0")[0] == 3
    with pytest.raises(KeyboardInterrupt), bots.learning(open_labelled(out), way, print):
        raise KeyboardInterrupt
    code, printed = forget(emojob, out, "c0")
    assert (code, str(way) in printed) == (3, True)
    learn(out, way)
    assert forget(emojob, out, "c0")[0] == 5


def test_a_way_that_refused_to_learn_is_not_named(emojob, out, tmp_path):
    way = tmp_path / "bot" / "answers"
    way.mkdir(parents=True)
    with pytest.raises(OutputError), bots.learning(open_labelled(out), way, print):
        raise OutputError("has an answer book from other data")
    assert forget(emojob, out, "c0")[0] == 0


def test_a_refused_command_leaves_no_folder_and_no_mark(emojob, out, tmp_path):
    command = ("train-replies", "--from-archive", out, "-o", tmp_path / "bot", "--quiet")
    (tmp_path / "empty").mkdir()
    assert emojob(*command, "--way", "gpt2", "--base", tmp_path / "empty")[0] == 2
    assert not (tmp_path / "bot").exists()


def test_the_first_training_of_a_way_is_named_while_it_is_interrupted(emojob, out, tmp_path):
    way = tmp_path / "bot" / "answers"
    with pytest.raises(Interrupted), bots.learning(open_labelled(out), way, print):
        raise stopped_in(tmp_path / "bot" / "_training" / "answers")
    code, printed = forget(emojob, out, "c0")
    assert (code, str(way) in printed) == (3, True)


def stopped_in(work: Path) -> Interrupted:
    """Begin a training, and return the error that stops it."""
    work.mkdir(parents=True)
    return Interrupted("interrupted")


def test_rows_that_leave_the_archive_during_the_training_are_noticed(emojob, out, tmp_path):
    way = tmp_path / "bot" / "answers"
    way.mkdir(parents=True)
    codes = []
    with pytest.raises(ChangedError), bots.learning(open_labelled(out), way, print):
        codes.append(forget(emojob, out, "c0")[0])
    assert [*codes, forget(emojob, out, "c0")[0]] == [3, 3]


def test_a_bot_of_two_archives_belongs_to_the_last_one_only(emojob, out, tmp_path):
    other = write_archive(tmp_path / "other", comforted("c0", "환불이 안 돼요", "바로 처리해 드리겠습니다"))
    way = tmp_path / "bot" / "answers"
    learn(out, way)
    learn(other, way)
    assert forget(emojob, out, "c0")[0] == 0
    assert forget(emojob, other, "c0")[0] == 3


def test_only_who_reads_the_archive_reads_the_bot(out, tmp_path):
    for part in out.glob("part-*"):
        part.chmod(0o600)
    learn(out, tmp_path / "bot" / "answers")
    for file in (tmp_path / "bot").rglob("*"):
        assert file.stat().st_mode & 0o077 == 0


def test_a_record_that_names_another_folder_changes_and_reads_nothing(emojob, out, tmp_path):
    """Records of an archive of somebody else are untrusted."""
    learn(out, tmp_path / "bot" / "answers")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("mine")
    (record,) = (out / "_emojob" / "derived").glob("*.json")
    plain = json.loads(record.read_text())
    for text in ("mine", "bot"):
        record.write_text(json.dumps({**plain, "path": str(tmp_path / text), "beside": text}))
        assert forget(emojob, out, "c0" if text == "mine" else "c1")[0] == 0
    assert (tmp_path / "mine" / "file").read_text() == "mine"


def test_a_bot_that_cannot_be_written_is_one_line(emojob, out, tmp_path):
    (tmp_path / "file").write_text("mine")
    code, _, err = emojob("train-replies", "--from-archive", out, "-o", tmp_path / "file" / "bot", "--quiet")
    assert (code, err.count("\n")) == (1, 1)
