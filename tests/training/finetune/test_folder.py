"""The model folder belongs to one run with one recipe and one data set; --fresh removes only the files of training."""

import dataclasses
import errno

import pytest
from safetensors import SafetensorError

from emojob.pipeline.storage.lock import lock
from emojob.schemas.errors import (
    BusyError,
    ModelError,
    OutputError,
    StorageError,
)
from emojob.training.data.corpus import CorpusOptions
from emojob.training.finetune.run import train_model
from tests.training.finetune.model_folders import change, same_weights


def test_a_finished_model_is_not_trained_again(trained, options, train_recipe):
    before = (trained / "model.safetensors").stat().st_mtime_ns
    outcome = train_model(dataclasses.replace(options, out=trained), train_recipe)
    assert outcome.was_finished
    assert (trained / "model.safetensors").stat().st_mtime_ns == before


def test_another_recipe_in_the_same_folder_is_refused_without_fresh(options, train_recipe):
    short = change(train_recipe, epochs=1)
    train_model(options, short)
    with pytest.raises(
        OutputError,
        match=r"with other inputs \(changed: recipe\.training\.epochs 1, now 2\); give another folder with -o, or",
    ):
        train_model(options, change(short, epochs=2))
    assert not train_model(dataclasses.replace(options, fresh=True), change(short, epochs=2)).was_finished


def test_another_label_column_counts_as_other_data(options, train_recipe, tmp_path):
    file = tmp_path / "two.csv"
    rows = [f"오늘 {n} {'기뻐' if n % 2 else '슬퍼'},{'가나'[n % 2]},{'다라'[n % 2]}" for n in range(60)]
    file.write_text("\n".join(["text,a,b", *rows]), encoding="utf-8")
    short = change(train_recipe, epochs=1)
    changed = dataclasses.replace(options, data=(file,), corpus=CorpusOptions(label_column="a"))
    train_model(changed, short)
    with pytest.raises(OutputError, match=r"\(changed: labels; columns\.label_column a, now b\); give another"):
        train_model(dataclasses.replace(changed, corpus=CorpusOptions(label_column="b")), short)


def test_two_runs_cannot_train_into_one_folder(options, train_recipe):
    (options.out / "_training").mkdir(parents=True)
    with lock(options.out / "_training" / "lock", options.out), pytest.raises(BusyError):
        train_model(options, train_recipe)


def test_a_folder_with_other_files_is_refused(options, train_recipe):
    options.out.mkdir()
    (options.out / "letter.txt").write_text("안녕")
    with pytest.raises(OutputError, match="not empty"):
        train_model(options, train_recipe)
    assert [one.name for one in options.out.iterdir()] == ["letter.txt"]


def test_fresh_removes_only_the_files_of_training(options, train_recipe):
    short = change(train_recipe, epochs=1)
    train_model(options, short)
    own = ["notes.txt", ".config.json.tmp", "_training/checkpoint-best/a", "_training/checkpoint-2.txt", "_training/b"]
    for name in own:
        (options.out / name).parent.mkdir(exist_ok=True)
        (options.out / name).write_text("내 메모")
    train_model(dataclasses.replace(options, fresh=True), change(short, epochs=2))
    for name in own:
        assert (options.out / name).read_text() == "내 메모"


def test_a_folder_with_a_training_folder_of_another_program_is_refused(options, train_recipe):
    own = options.out / "_training" / "checkpoint-1" / "weights"
    own.parent.mkdir(parents=True)
    own.write_text("mine")
    for fresh in (False, True):
        with pytest.raises(OutputError, match="not empty"):
            train_model(dataclasses.replace(options, fresh=fresh), train_recipe)
    assert own.read_text() == "mine"


def test_a_run_that_failed_before_training_may_start_with_another_base(options, train_recipe):
    with pytest.raises(ModelError, match="does not exist"):
        train_model(dataclasses.replace(options, base="./nowhere"), train_recipe)
    assert not train_model(options, change(train_recipe, epochs=1)).was_finished


@pytest.mark.parametrize("left", ['{"rec', "null"])
def test_a_damaged_record_of_the_inputs_is_refused_in_one_line(options, train_recipe, left):
    (options.out / "_training" / "checkpoint-2").mkdir(parents=True)
    (options.out / "_training" / "checkpoint-2" / "progress.json").write_text("{}")
    (options.out / "_training" / "made_with.json").write_text(left)
    with pytest.raises(OutputError, match=r"made_with\.json.* is missing or damaged, .*--fresh"):
        train_model(options, train_recipe)


def test_a_path_below_a_file_is_refused(options, train_recipe, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="Not a directory; give another path"):
        train_model(dataclasses.replace(options, out=tmp_path / "file" / "model"), train_recipe)


def test_a_write_error_names_the_folder_and_the_run_resumes(options, train_recipe, trained, monkeypatch):
    def full(*given):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("emojob.training.finetune.finish.write_json", full)
        with pytest.raises(StorageError, match=r"cannot write into -o .*model \(No space left on device\)"):
            train_model(options, train_recipe)
    train_model(options, train_recipe)
    assert same_weights(trained, options.out)


@pytest.mark.parametrize(
    "error",
    [
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
        RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0"),
    ],
)
def test_a_full_disk_during_a_checkpoint_is_a_storage_error(options, train_recipe, monkeypatch, error):
    def full(*given):
        raise error

    monkeypatch.setattr("emojob.training.finetune.checkpoints.complete_checkpoint", full)
    with pytest.raises(StorageError, match="free some space or grant write permission, then run the same command"):
        train_model(options, train_recipe)
