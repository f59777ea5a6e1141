"""The folder of a model that is being trained: held by one run, begun with one recipe and one data set."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from emojob.pipeline.storage.atomic import temporary_path, write_json
from emojob.pipeline.storage.lock import lock
from emojob.schemas.errors import OutputError, StorageError
from emojob.training.finetune import checkpoints

WORK = "_training"  # in the model folder: checkpoints, logs, and what the model is made with
_CLAIM = "made_with.json"
#: What a finished model consists of; whatever else is in the folder is the user's.
_OURS = (
    "config.json", "model.safetensors", "spiece.model", "tokenizer.json", "tokenizer_config.json",
    "special_tokens_map.json", "metrics.json", "recipe.json", "README.md", "curves.png", "training.html",
)  # fmt: skip
#: How torch and safetensors begin what they say where a file cannot be written: their errors are no OSError.
_NOT_WRITTEN = re.compile(r"PytorchStreamWriter|.*(unexpected pos|I/O error|os error)", re.DOTALL | re.IGNORECASE)


def is_first() -> bool:
    """Whether this process is the one that writes, of those that torchrun started."""
    return os.environ.get("RANK", "0") == "0"


@contextlib.contextmanager
def hold(out: Path) -> Iterator[None]:
    """Hold the model folder for this run, making it where it does not exist.

    Raises OutputError where it is something else, BusyError where another run trains into it, StorageError where it, or
    while it is held a file in it, cannot be written.
    """
    if not is_first():
        yield
        return
    with _writing(out), _quiet_threads():
        _check(out)
        (out / WORK).mkdir(parents=True, exist_ok=True)
        with lock(out / WORK / "lock", out):
            yield


def _check(out: Path) -> None:
    is_folder = out.is_dir()
    if os.path.lexists(out) and not is_folder:
        raise OutputError(f"-o {out} is no folder: give a folder for the model")
    if is_folder and not (out / WORK).is_dir() and any(out.iterdir()):
        raise OutputError(f"-o {out} is not empty, and emojob train did not begin it: give a new or an empty folder")


@contextlib.contextmanager
def _quiet_threads() -> Iterator[None]:
    """TensorBoard writes in a thread, and raises here as well what that could not write: once told is enough."""
    usual = threading.excepthook

    def hook(thrown: threading.ExceptHookArgs) -> None:
        if not issubclass(thrown.exc_type, OSError):
            usual(thrown)

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = usual


@contextlib.contextmanager
def _writing(out: Path) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:  # whoever read what is said, not the folder
        raise
    except (OSError, SafetensorError, RuntimeError) as error:
        if not isinstance(error, OSError) and not _NOT_WRITTEN.match(str(error)):
            raise
        if isinstance(error, OSError) and error.errno in (errno.ENOTDIR, errno.ENAMETOOLONG):
            raise OutputError(f"-o {out} cannot be a folder: {error.strerror}; give another place") from error
        reason = (isinstance(error, OSError) and error.strerror) or "no room left?"
        raise StorageError(
            f"cannot write into -o {out} ({reason}): make room or give the right to write, then the same command goes "
            "on where this one stopped"
        ) from error


def claim(out: Path, made_with: dict[str, Any], fresh: bool) -> bool:
    """Note what the model is made with; returns whether the folder holds that model, finished, already.

    fresh: forget what is there. Raises OutputError where the folder was begun with something else, and there is
    something that would be lost.
    """
    if not is_first():
        return not fresh and _is_finished(out)
    if fresh:
        _forget(out)
    note = out / WORK / _CLAIM
    ours = json.loads(json.dumps(made_with))
    if not _is_finished(out) and not checkpoints.complete(out / WORK):  # nothing to go on with, or to lose
        write_json(note, ours)
        return False
    theirs = _read(out, note)
    changed = [key.replace("_", " ") for key in ours if theirs.get(key) != ours[key]]
    if changed:
        raise OutputError(
            f"-o {out} was begun with other {' and '.join(changed)}: give another -o, or --fresh to begin anew"
        )
    return _is_finished(out)


def _is_finished(out: Path) -> bool:
    return (out / "config.json").exists() and (out / "model.safetensors").exists()


def _read(out: Path, note: Path) -> dict[str, Any]:
    try:
        theirs = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        theirs = None
    if not isinstance(theirs, dict):
        raise OutputError(
            f"-o {out}: {WORK}/{note.name}, which tells what it was begun with, is missing or damaged: give another "
            "-o, or --fresh to begin anew"
        )
    return theirs


def clear(out: Path) -> None:
    """Remove the checkpoints of a model that is finished; logs and notes stay."""
    for checkpoint in (out / WORK).glob("checkpoint-*"):
        shutil.rmtree(checkpoint)


def _forget(out: Path) -> None:
    """Remove what an earlier run left, config.json first: without it the folder is no model."""
    for name in _OURS:
        (out / name).unlink(missing_ok=True)
        temporary_path(out / name).unlink(missing_ok=True)
    for place in (out / WORK).iterdir():
        if place.name != "lock":
            shutil.rmtree(place) if place.is_dir() else place.unlink()
