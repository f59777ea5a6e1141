"""Incomplete checkpoints are not used, and damaged ones are refused."""

import dataclasses

import pytest

from emojob.schemas.errors import (
    Interrupted,
    OutputError,
)
from emojob.training.finetune.options import TrainOptions
from emojob.training.finetune.run import train_model
from emojob.training.finetune.watch import Callbacks, Stop
from tests.training.finetune.model_folders import same_weights


def test_an_incomplete_checkpoint_is_not_used(trained, options, train_recipe):
    (options.out / "_training" / "checkpoint-9").mkdir(parents=True)
    (options.out / "_training" / "checkpoint-9" / "model.safetensors").write_bytes(b"half")
    (options.out / "_training" / "lock").touch()
    train_model(options, train_recipe)
    assert same_weights(trained, options.out)


@pytest.fixture
def begun(options, train_recipe) -> TrainOptions:
    stop = Stop()
    with pytest.raises(Interrupted):
        train_model(options, train_recipe, Callbacks(report=lambda p: p.step == 23 and stop.stop(), stop=stop))
    return options


@pytest.mark.parametrize(
    "file", ["model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "best.safetensors",
             "trainer_state.json", "progress.json"],
)  # fmt: skip
def test_a_truncated_file_is_named(begun, train_recipe, file):
    path = next(begun.out.glob("_training/checkpoint-*")) / file
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(OutputError, match=rf"checkpoint-[0-9]+ is damaged \({file}\).*add --fresh to start again"):
        train_model(begun, train_recipe)


@pytest.mark.parametrize("file", ["optimizer.pt", "scheduler.pt", "rng_state.pth", "best.safetensors"])
def test_a_missing_file_is_named(begun, train_recipe, file):
    (next(begun.out.glob("_training/checkpoint-*")) / file).unlink()
    with pytest.raises(OutputError, match=rf"is damaged \({file}\)"):
        train_model(begun, train_recipe)


def test_fresh_starts_again(begun, train_recipe, trained):
    (next(begun.out.glob("_training/checkpoint-*")) / "optimizer.pt").unlink()
    train_model(dataclasses.replace(begun, fresh=True), train_recipe)
    assert same_weights(trained, begun.out)
