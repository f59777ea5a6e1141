"""The folder of a model that is being trained: held by one run, begun with one recipe and one data set."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.atomic import write_json
from pipeline.lock import lock
from schemas.errors import OutputError

WORK = "_training"  # in the model folder: checkpoints, logs, and what the model is made with
_CLAIM = "made_with.json"


def is_first() -> bool:
    """Whether this process is the one that writes, of those that torchrun started."""
    return os.environ.get("RANK", "0") == "0"


@contextlib.contextmanager
def hold(out: Path) -> Iterator[None]:
    """Hold the model folder for this run, making it where it does not exist.

    Raises OutputError where it is something else, BusyError where another run trains into it.
    """
    if not is_first():
        yield
        return
    if out.exists() and not out.is_dir():
        raise OutputError(f"-o {out} is a file: give a folder for the model")
    if out.is_dir() and not (out / WORK).is_dir() and any(out.iterdir()):
        raise OutputError(f"-o {out} is not empty, and emojob train did not begin it: give a new or an empty folder")
    (out / WORK).mkdir(parents=True, exist_ok=True)
    with lock(out / WORK / "lock", out):
        yield


def claim(out: Path, made_with: dict[str, Any], fresh: bool) -> bool:
    """Note what the model is made with; returns whether the folder holds that model, finished, already.

    fresh: forget what is there. Raises OutputError where the folder was begun with something else.
    """
    if not is_first():
        return not fresh and (out / "config.json").exists()
    if fresh:
        _forget(out)
    note = out / WORK / _CLAIM
    ours = json.loads(json.dumps(made_with))
    if not note.exists():
        write_json(note, ours)
        return False
    theirs = json.loads(note.read_text(encoding="utf-8"))
    changed = [key.replace("_", " ") for key in ours if theirs.get(key) != ours[key]]
    if changed:
        raise OutputError(
            f"-o {out} was begun with other {' and '.join(changed)}: give another -o, or --fresh to begin anew"
        )
    return (out / "config.json").exists()


def clear(out: Path) -> None:
    """Remove the checkpoints of a model that is finished; logs and notes stay."""
    for checkpoint in (out / WORK).glob("checkpoint-*"):
        shutil.rmtree(checkpoint)


def _forget(out: Path) -> None:
    """Remove what an earlier run left, config.json first: without it the folder is no model."""
    (out / "config.json").unlink(missing_ok=True)
    for place in [*out.iterdir(), *(out / WORK).iterdir()]:
        if place.name not in (WORK, "lock"):
            shutil.rmtree(place) if place.is_dir() else place.unlink()
