"""Opens the folder of a bot. A damaged or unfinished bot is an error that names the file and the next step."""

import json
import os
import shutil

import pytest

from emojob.pipeline.models.model import load
from emojob.pipeline.replies import bot_folder
from emojob.pipeline.replies.answers.choice import AnswersWay
from emojob.pipeline.replies.answers.vectors import TextEncoder
from emojob.pipeline.replies.bot_folder import open_bot, write_answers
from emojob.pipeline.replies.configuration import default_text
from emojob.pipeline.replies.requests import Request
from emojob.pipeline.replies.way_folders import write_record
from emojob.schemas.errors import InputError
from emojob.schemas.labels import DEFAULT_LABELS
from emojob.schemas.options import ModelOptions
from tests.pipeline.replies.writing.tiny_gpt2 import write_tiny_gpt2

RECORD = {"made_with": {}, "described": {}}
OPTIONS = ModelOptions(engine="torch", precision="fp32")


def write_bot(folder, *ways):
    described = {"format": 1, "ways": {way: {} for way in ways}}
    (folder / "bot.json").write_text(json.dumps(described), encoding="utf-8")
    (folder / "replies.toml").write_text(default_text(), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def made(book, tmp_path_factory):
    """A bot with an answer book."""
    folder = tmp_path_factory.mktemp("bots") / "bot"
    (folder / "answers").mkdir(parents=True)
    encoder, vectors = TextEncoder.fit(load(), book.questions, book.question_groups)
    write_answers(folder / "answers", book, AnswersWay(book, encoder, vectors=vectors))
    write_record(folder / "answers", RECORD)
    return write_bot(folder, "answers")


@pytest.fixture
def folder(made, tmp_path):
    return shutil.copytree(made, tmp_path / "bot")


def write_gpt2(folder):
    write_tiny_gpt2(folder / "gpt2")
    bot_folder.copies.CopyIndex.of([]).save(folder / "gpt2" / "copies.npy")
    write_record(folder / "gpt2", RECORD)


def refusal(folder) -> str:
    with pytest.raises(InputError) as error:
        open_bot(str(folder), OPTIONS)
    assert "\n" not in str(error.value)
    assert "emojob train-replies" in str(error.value)
    assert "None" not in str(error.value)
    return str(error.value)


def turn_a_byte(file):
    content = bytearray(file.read_bytes())
    content[-1] ^= 0xFF
    file.write_bytes(content)


def test_a_changed_file_of_the_same_size_is_damaged(made, tmp_path):
    write_gpt2(shutil.copytree(made, tmp_path / "made"))
    write_bot(tmp_path / "made", "answers", "gpt2")
    files = [file for way in ("answers", "gpt2") for file in (tmp_path / "made" / way).rglob("*") if file.is_file()]
    names = [str(file.relative_to(tmp_path / "made")) for file in files if file.name != "way.json"]
    assert {"answers/question_vectors.safetensors", "gpt2/model.safetensors"} < set(names)
    for name in names:
        folder = shutil.copytree(tmp_path / "made", tmp_path / name.replace("/", "-") / "bot")
        turn_a_byte(folder / name)
        said = refusal(folder)
        assert f"{folder / name} is damaged" in said
        assert f"-o {folder} and --fresh" in said


def test_a_damaged_file_of_a_bot_without_hashes_is_named_with_fresh(folder):
    record = json.loads((folder / "answers" / "way.json").read_text(encoding="utf-8"))
    del record["sha256"]
    (folder / "answers" / "way.json").write_text(json.dumps(record), encoding="utf-8")
    assert open_bot(str(folder), OPTIONS).ways == ("answers",)
    file = folder / "answers" / "answers.parquet"
    file.write_bytes(bytes(file.stat().st_size))
    assert f"-o {folder} and --fresh" in refusal(folder)


def test_the_configuration_may_be_edited(folder):
    before = open_bot(str(folder), OPTIONS).fingerprint
    with (folder / "replies.toml").open("a", encoding="utf-8") as stream:
        stream.write("# mine\n")
    assert open_bot(str(folder), OPTIONS).fingerprint != before


@pytest.mark.parametrize("harm", ["removed", "cut"])
def test_each_damaged_file_is_named_with_the_next_step(made, tmp_path, harm):
    names = [str(file.relative_to(made)) for file in made.rglob("*") if file.is_file()]
    assert len(names) == 7
    for name in names:
        folder = shutil.copytree(made, tmp_path / name.replace("/", "-") / "bot")
        if harm == "removed":
            (folder / name).unlink()
        else:
            os.truncate(folder / name, (folder / name).stat().st_size // 3)
        assert name.rpartition("/")[2] in refusal(folder)


def test_a_missing_way_is_named(folder):
    write_gpt2(folder)
    write_bot(folder, "answers", "gpt2")
    shutil.rmtree(folder / "answers")
    assert f"{folder / 'answers'} is missing" in refusal(folder)


def test_a_bot_whose_training_is_not_finished_says_how_to_go_on(tmp_path):
    (tmp_path / "bot" / "_training" / "answers").mkdir(parents=True)
    assert "training is not finished: run the same `emojob train-replies` command again" in refusal(tmp_path / "bot")


@pytest.mark.parametrize(("number", "said"), [("x", "bot.json is damaged"), (None, "damaged"), (2, "newer version")])
def test_only_a_greater_format_needs_a_newer_version(folder, number, said):
    plain = json.loads((folder / "bot.json").read_text(encoding="utf-8"))
    (folder / "bot.json").write_text(json.dumps(plain | {"format": number}), encoding="utf-8")
    with pytest.raises(InputError, match=said) as error:
        open_bot(str(folder))
    assert ("newer version" in str(error.value)) is (number == 2)


def test_an_unfinished_way_is_ignored_with_one_line(folder):
    (folder / "_training" / "gpt2").mkdir(parents=True)
    notes = []
    bot = open_bot(str(folder), OPTIONS, note=notes.append)
    assert bot.ways == ("answers",)
    assert len(notes) == 1
    assert "the way gpt2" in notes[0]
    assert "does not use it" in notes[0]


def test_a_way_that_was_not_moved_yet_is_used_and_has_the_same_fingerprint(folder):
    before = open_bot(str(folder), OPTIONS).fingerprint
    (folder / "_training").mkdir()
    (folder / "answers").rename(folder / "_training" / "answers")
    notes = []
    assert open_bot(str(folder), OPTIONS, note=notes.append).fingerprint == before
    assert not notes


def test_a_bot_with_only_gpt2_answers_each_emotion(tmp_path):
    write_gpt2(tmp_path)
    write_bot(tmp_path, "gpt2")
    bot = open_bot(str(tmp_path), OPTIONS)
    assert bot.ways == ("answers", "gpt2")
    replies = bot.reply([Request("택배가 일주일째 안 와서 화가 나요", emotion) for emotion in DEFAULT_LABELS])
    assert [len(reply.drafts) for reply in replies] == [1] * len(DEFAULT_LABELS)
