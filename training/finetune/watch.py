"""Inputs, progress and callbacks of a training run."""

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
    """Token ids and labels of the train, validation or test split.

    Attributes:
        encoded: Token ids of the texts.
        labels: int64 [texts], label ids.
    """

    encoded: Encoded
    labels: NDArray[np.int64]


@dataclass
class Progress:
    """Progress of the training, updated after each step.

    Attributes:
        step: Number of finished steps.
        steps: Total number of steps.
        epoch: Number of finished epochs, for example 1.5 in the middle of the second epoch.
        epochs: Total number of epochs.
        loss: Mean cross-entropy since the epoch began.
        learning_rate: Current learning rate of the last parameter group.
        started_at: Value of time.monotonic() when this process started to train.
        first_step: Number of steps that were already finished at the time `started_at`.
    """

    step: int = 0
    steps: int = 0
    epoch: float = 0.0
    epochs: int = 0
    loss: float = float("nan")
    learning_rate: float = 0.0
    started_at: float = field(default_factory=time.monotonic)
    first_step: int = 0

    @property
    def seconds_left(self) -> float | None:
        """Return the estimated remaining time in seconds. None: no step is finished yet."""
        done = self.step - self.first_step
        return (time.monotonic() - self.started_at) / done * (self.steps - self.step) if done > 0 else None


class Stop:
    """Object for stopping the training, for example from a signal handler.

    Attributes:
        started: Whether training has started. If true, a stop saves a checkpoint.
        stopping: Whether a stop was requested.
    """

    def __init__(self) -> None:
        self.started = False
        self.stopping = False

    def stop(self) -> None:
        """Request a stop. Training finishes the current step, saves a checkpoint, and stops."""
        self.stopping = True


@dataclass(frozen=True)
class Callbacks:
    """Functions that the training calls, and an object for stopping the training.

    Attributes:
        report: callback(progress), called after each step.
        note: callback(text), called for each message to the user.
        stop: Object for stopping the training after the current step.
    """

    report: Callable[[Progress], None] = lambda progress: None
    note: Callable[[str], None] = lambda text: None
    stop: Stop = field(default_factory=Stop)


@dataclass(frozen=True, kw_only=True)
class TrainerInputs:
    """Inputs of a training run that do not depend on the kind of the model.

    Attributes:
        recipe: Settings of the training.
        work: Folder for checkpoints and logs.
        device: cpu or cuda.
        bf16: Whether to train in bfloat16 mixed precision.
        report_to: Programs that show the curves, as `options.trackers` returns them.
    """

    recipe: TrainingRecipe
    work: Path
    device: str
    bf16: bool
    report_to: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class TrainingInputs(TrainerInputs):
    """Inputs of a training run of a classifier.

    Attributes:
        train: Texts for training.
        validation: Texts for selecting the best epoch; may be empty.
        test: Texts for measuring; may be empty.
        names: Labels, in the order of their ids.
    """

    train: EncodedSplit
    validation: EncodedSplit
    test: EncodedSplit
    names: tuple[str, ...]
