"""A way of a bot is trained in a work folder, and replaces the earlier way when it is complete."""

import json
import os
from pathlib import Path

import pytest

from emojob.pipeline.replies.way_folders import check_files, find_way, read_record, work_folder
from emojob.schemas.errors import BusyError, DataError, OutputError, StorageError
from emojob.training.replies.way_training import way_training

INPUTS = {"data": {"sha256": "a"}, "recipe": {"epochs": 3}}
OTHER = {"data": {"sha256": "b"}, "recipe": {"epochs": 3}}


def train(bot: Path, text: str, made_with=INPUTS, fresh=False) -> bool:
    """Train a way that is one file. Return whether it was finished before."""
    with way_training(bot, "answers", made_with, fresh) as training:
        if not training.is_finished:
            (training.work / "book").write_text(text)
            (training.work / "_training").mkdir()
            training.finish({"described": {"text": text}})
    return training.is_finished


def train_half(bot: Path, made_with=INPUTS, fresh=False) -> None:
    with way_training(bot, "answers", made_with, fresh) as training:
        (training.work / "checkpoint").write_text("half")
        raise KeyboardInterrupt


def interrupt(*given, **named) -> None:
    with pytest.raises(KeyboardInterrupt):
        train_half(*given, **named)


@pytest.fixture
def bot(tmp_path):
    train(tmp_path / "bot", "first")
    return tmp_path / "bot"


def test_a_finished_way_leaves_no_work_and_is_not_made_again(bot):
    assert sorted(str(file.relative_to(bot)) for file in bot.rglob("*")) == [
        "answers", "answers/book", "answers/way.json",
    ]  # fmt: skip
    assert train(bot, "second")
    assert (bot / "answers" / "book").read_text() == "first"


@pytest.mark.parametrize("fresh", [False, True])
def test_an_interrupted_training_goes_on_without_fresh_and_starts_anew_with_it(tmp_path, fresh):
    bot = tmp_path / "bot"
    interrupt(bot)
    with way_training(bot, "answers", INPUTS, fresh) as training:
        assert (training.work / "checkpoint").exists() is not fresh


def test_other_inputs_are_refused_and_fresh_takes_them(tmp_path, bot):
    with pytest.raises(
        OutputError, match=r"has the way answers from other inputs \(changed: data\.sha256\); .*--fresh"
    ):
        train(bot, "second", OTHER)
    interrupt(tmp_path / "new")
    with pytest.raises(OutputError, match=r"interrupted training .*recipe\.epochs 3, now 4\); .* --fresh"):
        train(tmp_path / "new", "second", INPUTS | {"recipe": {"epochs": 4}})
    for folder in (bot, tmp_path / "new"):
        assert not train(folder, "second", OTHER, fresh=True)
        assert (folder / "answers" / "book").read_text() == "second"
        assert not (folder / "_training").exists()


def test_until_the_new_way_is_complete_the_earlier_one_stays(bot):
    interrupt(bot, OTHER, fresh=True)
    assert find_way(bot, "answers") == bot / "answers"
    assert (bot / "answers" / "book").read_text() == "first"
    assert train(bot, "unused")  # the inputs of the earlier way
    with way_training(bot, "answers", OTHER, fresh=False) as training:  # goes on without --fresh
        assert (training.work / "checkpoint").exists()


def test_a_kill_between_the_moves_loses_nothing(bot, monkeypatch):
    real, moved = Path.rename, []

    def killed(path, to):
        moved.append(to)
        if len(moved) == 2:
            raise KeyboardInterrupt
        return real(path, to)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            train(bot, "second", OTHER, fresh=True)
    assert find_way(bot, "answers") == work_folder(bot, "answers")
    assert train(bot, "unused", OTHER)
    assert (bot / "answers" / "book").read_text() == "second"
    assert not (bot / "_training").exists()


def test_a_refusal_leaves_nothing_in_a_new_folder(tmp_path):
    bot = tmp_path / "bot"
    interrupt(bot)
    before = sorted(bot.rglob("*"))
    with pytest.raises(OutputError):
        train(bot, "second", OTHER)
    assert sorted(bot.rglob("*")) == before
    with way_training(bot, "answers", INPUTS, fresh=False), pytest.raises(BusyError):
        train(bot, "second")


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StorageError, match=r"cannot write to .*file/bot"):
        train(tmp_path / "file" / "bot", "first")


@pytest.mark.parametrize("harm", ["cut", "changed", "removed"])
def test_a_damaged_way_is_trained_again_with_one_line(bot, harm):
    book, notes = bot / "answers" / "book", []
    if harm == "removed":
        book.unlink()
    else:
        book.write_text("fir" if harm == "cut" else "fIrst")
    with way_training(bot, "answers", INPUTS, fresh=False, note=notes.append) as training:
        assert not training.is_finished
        (training.work / "book").write_text("second")
        training.finish({"described": {}})
    (line,) = notes
    assert line.startswith(f"{book} is {'missing' if harm == 'removed' else 'damaged'}")
    assert line.endswith(", so the way answers is trained again")
    assert book.read_text() == "second"
    assert not (bot / "_training").exists()


def test_a_way_of_an_earlier_version_has_no_hashes(bot):
    file = bot / "answers" / "way.json"
    record = read_record(bot / "answers")
    del record["sha256"]
    file.write_text(json.dumps(record))
    assert train(bot, "second")
    (bot / "answers" / "book").write_text("fIrst")
    assert list(check_files(bot / "answers", read_record(bot / "answers"))) == ["book"]


def test_a_missing_or_cut_file_is_named(bot):
    way = bot / "answers"
    record = read_record(way)
    assert record["files"] == {"book": 5}
    assert check_files(way, record) == record["sha256"]
    (way / "book").write_text("fIrst")
    with pytest.raises(DataError, match=r"answers/book is damaged, because its content has changed .*--fresh"):
        check_files(way, record)
    os.truncate(way / "book", 3)
    with pytest.raises(DataError, match=r"answers/book is damaged, because it has 3 bytes instead of 5: .*--fresh"):
        check_files(way, record)
    (way / "book").unlink()
    with pytest.raises(DataError, match=r"answers/book is missing: .* -o \S+/bot and --fresh"):
        check_files(way, record)
    (way / "way.json").write_text(json.dumps({"made_with": {}}))
    with pytest.raises(DataError, match=r"way\.json is damaged"):
        read_record(way)
    with pytest.raises(DataError, match=r"way\.json is damaged"):
        train(bot, "second")
    assert not train(bot, "second", fresh=True)
