"""What a training run works with, whom it tells how far it is, and who may stop it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emojob.pipeline.models.tokenizer import Encoded
from emojob.training.finetune.recipe import TrainingRecipe


@dataclass(frozen=True)
class EncodedSplit:
    """Tokens and labels of the train, validation or test part. labels: int64 [texts]."""

    encoded: Encoded
    labels: NDArray[np.int64]


@dataclass
class Progress:
    """How far training is; the same object all the time."""

    step: int = 0
    steps: int = 0
    epoch: float = 0.0
    epochs: int = 0
    loss: float = float("nan")  # running mean
    learning_rate: float = 0.0
    begun: float = field(default_factory=time.monotonic)
    first_step: int = 0  # of this process

    @property
    def seconds_left(self) -> float | None:
        """None where nothing has been done yet."""
        done = self.step - self.first_step
        return (time.monotonic() - self.begun) / done * (self.steps - self.step) if done > 0 else None


class Stop:
    """Tells training to stop; may be told by a signal handler."""

    def __init__(self) -> None:
        self.started = False  # whether there is something to be saved before the end
        self.stopping = False

    def stop(self) -> None:
        """Save a checkpoint after the current step, and stop."""
        self.stopping = True


@dataclass(frozen=True)
class Callbacks:
    """Whom training tells what it does, and who may stop it."""

    report: Callable[[Progress], None] = lambda progress: None
    note: Callable[[str], None] = lambda text: None
    stop: Stop = field(default_factory=Stop)


@dataclass(frozen=True)
class TrainingInputs:
    """What one training run works with. A part of which the split leaves nothing is empty."""

    train: EncodedSplit
    validation: EncodedSplit
    test: EncodedSplit
    names: tuple[str, ...]
    recipe: TrainingRecipe
    work: Path  # for checkpoints and logs
    device: str  # cpu or cuda
    bf16: bool
