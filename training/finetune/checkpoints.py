"""Checkpoints of a training run: what is kept beside the Trainer's own state, and which one to go on from.

A checkpoint is a folder that the Trainer writes (weights, optimizer, schedule, random numbers). Ours adds the best
weights so far and, last and atomically, progress.json: a checkpoint without it was cut off and is not used.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save

from emojob.pipeline.storage.atomic import write_bytes, write_json
from emojob.schemas.errors import OutputError
from emojob.training.evaluation.curves import Curves

_NAME = re.compile(r"checkpoint-(\d+)")
_PROGRESS = "progress.json"
_BEST = "best.safetensors"
_SIZES = "sizes"  # bytes of each of a checkpoint's other files

Weights = dict[str, torch.Tensor]


@dataclass
class State:
    """How far training is, beside the Trainer's own state."""

    curves: Curves = field(default_factory=Curves)
    best_score: float = -1.0
    best_epoch: int = 0
    worse_epochs: int = 0  # since the best one
    finished: bool = False  # all epochs are done, or patience ended
    batch: int = 0  # texts that fit into memory at a time; 0: not known to be fewer than the recipe's
    # sums since the last logging step, and since the epoch began
    loss_sum: float = 0.0
    loss_texts: int = 0
    epoch_loss: float = 0.0
    epoch_right: int = 0
    epoch_texts: int = 0

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> State:
        """The reverse of `dataclasses.asdict`."""
        return cls(**{**plain, "curves": Curves(**plain["curves"])})


def complete(folder: Path) -> Path | None:
    """The newest complete checkpoint of a run; those that were cut off are removed."""
    found: list[tuple[int, Path]] = []
    for place in folder.glob("checkpoint-*"):
        number = _NAME.fullmatch(place.name)
        if number and (place / _PROGRESS).exists():
            found.append((int(number[1]), place))
        elif place.is_dir():
            shutil.rmtree(place, ignore_errors=True)
        else:
            place.unlink(missing_ok=True)
    return max(found)[1] if found else None


def finish(checkpoint: Path, state: State, best: Weights | None) -> None:
    """Add the best weights and our state to a checkpoint that the Trainer wrote; the older ones are removed."""
    if best is not None:
        store_weights(best, checkpoint / _BEST)
    for file in checkpoint.iterdir():  # the Trainer leaves its own where a power cut could still lose them
        with file.open("rb") as written:
            os.fsync(written.fileno())
    # the other processes' random numbers may be on their way still
    files = [file for file in sorted(checkpoint.iterdir()) if not file.name.startswith("rng_state_")]
    sizes = {file.name: file.stat().st_size for file in files}
    write_json(checkpoint / _PROGRESS, {**asdict(state), _SIZES: sizes})
    for place in checkpoint.parent.glob("checkpoint-*"):
        if place != checkpoint:
            shutil.rmtree(place, ignore_errors=True)


def store_weights(weights: Weights, file: Path) -> None:
    """Write weights to a safetensors file, atomically."""
    write_bytes(file, save(weights))


def read(checkpoint: Path) -> tuple[State, Weights | None]:
    """Our state of a complete checkpoint, and the best weights so far, None before the first epoch's end.

    Raises OutputError where the checkpoint is damaged: the Trainer would go on without a file that is missing, and come
    to something else.
    """
    try:
        plain = json.loads((checkpoint / _PROGRESS).read_text(encoding="utf-8"))
        damaged = [name for name, size in plain.pop(_SIZES, {}).items() if _size(checkpoint / name) != size]
        state = State.from_json(plain)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        damaged = [_PROGRESS]
    if damaged:
        raise OutputError(
            f"the checkpoint {checkpoint} is damaged ({', '.join(damaged)}): training cannot go on from it; give "
            "another -o, or --fresh to begin anew"
        )
    best = checkpoint / _BEST
    return state, load_file(best) if best.exists() else None


def _size(file: Path) -> int | None:
    return file.stat().st_size if file.is_file() else None
