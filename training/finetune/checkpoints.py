"""Checkpoints of a training run: our state next to the Trainer's own files, and the newest complete checkpoint.

The Trainer writes a checkpoint folder with weights, optimizer, schedule and random state. We add the best weights so
far and, as the last file and atomically, progress.json. A checkpoint without progress.json is incomplete and is not
used.
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
_SIZES = "sizes"  # key in progress.json: bytes of each other file

Weights = dict[str, torch.Tensor]


@dataclass
class TrainingState:
    """Progress of a training run, in addition to the Trainer's own state.

    Attributes:
        curves: Everything logged so far.
        best_score: Highest validation macro-F1 so far; -1 before the first epoch ends.
        best_epoch: Epoch with `best_score`.
        worse_epochs: Epochs since `best_epoch`.
        finished: Whether all epochs are done or patience ended.
        batch: Texts of one forward pass in one process; 0 if not yet known.
        loss_sum: Sum of the objective since the last logging step.
        loss_texts: Texts in `loss_sum`.
        epoch_loss: Sum of cross-entropy since the epoch began.
        epoch_right: Correct predictions since the epoch began.
        epoch_texts: Texts since the epoch began.
    """

    curves: Curves = field(default_factory=Curves)
    best_score: float = -1.0
    best_epoch: int = 0
    worse_epochs: int = 0
    finished: bool = False
    batch: int = 0
    loss_sum: float = 0.0
    loss_texts: int = 0
    epoch_loss: float = 0.0
    epoch_right: int = 0
    epoch_texts: int = 0

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> TrainingState:
        """Return the state from its fields; the reverse of `dataclasses.asdict`."""
        return cls(**{**fields, "curves": Curves(**fields["curves"])})


def newest_complete(work: Path) -> Path | None:
    """Return the newest complete checkpoint in a work folder, None without one; remove incomplete ones."""
    complete: list[tuple[int, Path]] = []
    for path in work.glob("checkpoint-*"):
        step = _NAME.fullmatch(path.name)
        if step and (path / _PROGRESS).exists():
            complete.append((int(step[1]), path))
        elif path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return max(complete)[1] if complete else None


def complete_checkpoint(checkpoint: Path, state: TrainingState, best: Weights | None) -> None:
    """Add our files to a checkpoint that the Trainer wrote, and remove the older checkpoints.

    Args:
        checkpoint: The Trainer's checkpoint folder.
        state: Our state at this step.
        best: The best epoch's weights; None before the first epoch ends, or if the last epoch is kept.
    """
    if best is not None:
        store_weights(best, checkpoint / _BEST)
    for file in checkpoint.iterdir():  # the Trainer does not fsync: a power cut could lose its files
        with file.open("rb") as written:
            os.fsync(written.fileno())
    # the other processes may still be writing their random states
    files = [file for file in sorted(checkpoint.iterdir()) if not file.name.startswith("rng_state_")]
    sizes = {file.name: file.stat().st_size for file in files}
    write_json(checkpoint / _PROGRESS, {**asdict(state), _SIZES: sizes})
    for path in checkpoint.parent.glob("checkpoint-*"):
        if path != checkpoint:
            shutil.rmtree(path, ignore_errors=True)


def store_weights(weights: Weights, file: Path) -> None:
    """Write weights to a safetensors file atomically."""
    write_bytes(file, save(weights))


def read_checkpoint(checkpoint: Path) -> tuple[TrainingState, Weights | None]:
    """Return our state of a complete checkpoint, and the best weights so far (None before the first epoch ends).

    Raises:
        OutputError: A file is missing or damaged. The Trainer would resume without a missing file, with another result.
    """
    try:
        fields = json.loads((checkpoint / _PROGRESS).read_text(encoding="utf-8"))
        damaged = [name for name, size in fields.pop(_SIZES, {}).items() if _size(checkpoint / name) != size]
        state = TrainingState.from_json(fields)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        damaged = [_PROGRESS]
    if damaged:
        raise OutputError(
            f"the checkpoint {checkpoint} is damaged ({', '.join(damaged)}): training cannot resume from it; give "
            "another -o, or --fresh to start again"
        )
    best = checkpoint / _BEST
    return state, load_file(best) if best.exists() else None


def _size(file: Path) -> int | None:
    return file.stat().st_size if file.is_file() else None
