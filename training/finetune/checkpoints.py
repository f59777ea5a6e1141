"""Checkpoints of a training run.

A checkpoint is written in three steps:

1. The Trainer writes the weights, the optimizer, the schedule and the random state.
2. emojob adds the best weights so far.
3. emojob writes progress.json atomically.

A checkpoint without progress.json is incomplete and is not used.
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
from emojob.pipeline.storage.folders import sync_folder
from emojob.schemas.errors import OutputError
from emojob.training.evaluation.curves import Curves

_NAME = re.compile(r"checkpoint-(\d+)")
_PROGRESS = "progress.json"
_BEST = "best.safetensors"
_SIZES = "sizes"  # key in progress.json; the value is {file name: bytes}

Weights = dict[str, torch.Tensor]


@dataclass
class TrainingState:
    """Progress of a training run, stored in progress.json.

    Attributes:
        curves: All values that were logged so far.
        best_score: Highest validation macro-F1 so far; -1 before the first epoch ends.
        best_loss: Validation log-loss of the best epoch. It decides between epochs with the same macro-F1.
        best_epoch: Number of the epoch with the highest macro-F1.
        worse_epochs: Number of epochs since `best_epoch`.
        finished: Whether all epochs are done, or early stopping (`patience`) has ended the training.
        batch: Number of texts in a forward pass of one process. 0: not yet known.
        loss_sum: Sum of the training loss since the last logging step.
        loss_texts: Number of texts since the last logging step.
        epoch_loss: Sum of the cross-entropy since the epoch began.
        epoch_texts: Number of texts since the epoch began.
    """

    curves: Curves = field(default_factory=Curves)
    best_score: float = -1.0
    best_loss: float = 0.0
    best_epoch: int = 0
    worse_epochs: int = 0
    finished: bool = False
    batch: int = 0
    loss_sum: float = 0.0
    loss_texts: int = 0
    epoch_loss: float = 0.0
    epoch_texts: int = 0

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> TrainingState:
        """Create a state from the result of `dataclasses.asdict`."""
        return cls(**{**fields, "curves": Curves(**fields["curves"])})


def newest_complete(work: Path) -> Path | None:
    """Remove incomplete checkpoints from a work folder. Return the newest complete checkpoint, or None."""
    complete: list[tuple[int, Path]] = []
    for path in checkpoints_in(work):
        if (path / _PROGRESS).exists():
            complete.append((int(path.name.partition("-")[2]), path))
        else:
            shutil.rmtree(path, ignore_errors=True)
    return max(complete)[1] if complete else None


def checkpoints_in(work: Path) -> list[Path]:
    """Return the checkpoints in a work folder, complete or not. Copies with other names belong to the user."""
    found = [path for path in work.glob("checkpoint-*") if _NAME.fullmatch(path.name)]
    return [path for path in found if path.is_dir() and not path.is_symlink()]


def complete_checkpoint(checkpoint: Path, state: TrainingState, best: Weights | None) -> None:
    """Add emojob's files to a new checkpoint, and remove the older checkpoints.

    Args:
        checkpoint: Checkpoint folder that the Trainer wrote.
        state: State of the training.
        best: Weights of the best epoch. None: no epoch has ended, or `training.keep` is "last".
    """
    if best is not None:
        store_weights(best, checkpoint / _BEST)
    for file in checkpoint.iterdir():  # the Trainer does not fsync the files
        with file.open("rb") as written:
            os.fsync(written.fileno())
    sync_folder(checkpoint)
    sync_folder(checkpoint.parent)
    # skip the files rng_state_*, because other processes may still be writing these files
    files = [file for file in sorted(checkpoint.iterdir()) if not file.name.startswith("rng_state_")]
    sizes = {file.name: file.stat().st_size for file in files}
    write_json(checkpoint / _PROGRESS, {**asdict(state), _SIZES: sizes})
    for path in checkpoints_in(checkpoint.parent):
        if path != checkpoint:
            shutil.rmtree(path, ignore_errors=True)


def store_weights(weights: Weights, file: Path) -> None:
    """Write weights atomically to a safetensors file."""
    write_bytes(file, save(weights))


def read_checkpoint(checkpoint: Path) -> tuple[TrainingState, Weights | None]:
    """Return (state, best weights) of a complete checkpoint. The best weights can be None.

    Raises:
        OutputError: A file is missing or damaged. The Trainer would ignore a missing file without an error.
    """
    try:
        fields = json.loads((checkpoint / _PROGRESS).read_text(encoding="utf-8"))
        damaged = [name for name, size in fields.pop(_SIZES, {}).items() if _size(checkpoint / name) != size]
        state = TrainingState.from_json(fields)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        damaged = [_PROGRESS]
    if damaged:
        raise OutputError(
            f"the checkpoint {checkpoint} is damaged ({', '.join(damaged)}), so training cannot resume; give "
            "another folder with -o, or add --fresh to start again"
        )
    best = checkpoint / _BEST
    return state, load_file(best) if best.exists() else None


def _size(file: Path) -> int | None:
    return file.stat().st_size if file.is_file() else None
