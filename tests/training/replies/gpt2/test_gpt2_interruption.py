"""A training of a GPT-2 model that was killed or interrupted at any moment goes on to the same weights."""

import os
import pickle
import signal
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest
import torch

from emojob.training.finetune.watch import Callbacks
from emojob.training.replies.gpt2.run import Gpt2Parts, prepare_gpt2
from tests.training.replies.pairs_of_tests import RECIPE, TRAIN, VALIDATION, write_base

pytestmark = pytest.mark.slow

#: {moment: the function before whose call the signal comes, and the number of the call}.
MOMENTS = {
    "in an epoch": ("emojob.training.finetune.trainer", "Attempt.end_step", 8),
    "in the validation": ("emojob.training.replies.gpt2.trainer", "measure_loss", 4),
    "while a checkpoint is written": ("emojob.training.finetune.checkpoints", "write_json", 9),
    "after the last epoch": ("emojob.training.replies.gpt2.run", "measure_gpt2", 2),
    "while the model is written": ("emojob.pipeline.replies.writing.gpt2_folder", "write_json", 2),
}

STOPS = ("in the validation", "after the last epoch", "while the model is written")

SCRIPT = """
import importlib, os, pickle, sys, torch
from emojob.jobs.terminal.training_progress import TrainingLog
from emojob.training.finetune import trainer
from emojob.training.replies.gpt2 import run

torch.set_num_threads(1)
trainer.CHECKPOINT_SECONDS = 0.0  # a checkpoint after each step
run.write_pictures = lambda folder, curves: []
given, out, (module, name, call), number = pickle.load(open(sys.argv[1], "rb"))
owner = importlib.import_module(module)
*outer, name = name.split(".")
for one in outer:
    owner = getattr(owner, one)
real, calls = getattr(owner, name), []

def signalled(*arguments, **more):
    calls.append(1)
    if len(calls) == call:
        os.kill(os.getpid(), number)
    return real(*arguments, **more)

setattr(owner, name, signalled)
with TrainingLog(quiet=True) as log:
    run.prepare_gpt2(*given).train(out, log.callbacks, report_to=("none",))
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> str:
    return write_base(tmp_path_factory.mktemp("base") / "gpt2")


def inputs(base: str) -> tuple:
    return base, Gpt2Parts(TRAIN, VALIDATION), RECIPE, {}, "cpu"


def run(base: str, out: Path) -> Path:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    prepare_gpt2(*inputs(base)).train(out, Callbacks(), report_to=("none",))
    torch.set_num_threads(threads)
    return out


@pytest.fixture(scope="module")
def uninterrupted(base, tmp_path_factory) -> Path:
    return run(base, tmp_path_factory.mktemp("trained") / "gpt2")


@pytest.mark.parametrize(("moment", "number"), [*product(MOMENTS, [signal.SIGKILL]), *product(STOPS, [signal.SIGINT])])
def test_a_run_that_got_a_signal_goes_on_to_the_same_weights(base, uninterrupted, tmp_path, moment, number):
    out, given, script = tmp_path / "gpt2", tmp_path / "given", tmp_path / "run.py"
    script.write_text(SCRIPT)
    given.write_bytes(pickle.dumps((inputs(base), out, MOMENTS[moment], number)))
    ended = subprocess.run([sys.executable, str(script), str(given)], env=os.environ, capture_output=True, text=True)
    if moment == "while the model is written" and number == signal.SIGINT:
        assert ended.returncode == 0, ended.stderr  # nothing is left to stop
    else:
        assert ended.returncode == (-number if number == signal.SIGKILL else 1), ended.stderr
        assert number == signal.SIGKILL or "Interrupted: interrupted" in ended.stderr
        assert not (out / "config.json").exists()
    run(base, out)
    for name in ("model.safetensors", "metrics.json", "README.md", "config.json", "copies.npy"):
        assert (out / name).read_bytes() == (uninterrupted / name).read_bytes(), name
    assert not list(out.rglob("checkpoint-*"))
