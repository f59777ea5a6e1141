"""The inputs of a training run, its progress, and the callbacks that report and stop it."""

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
    """Token ids and labels of the train, validation or test part.

    Attributes:
        encoded: Token ids of the texts.
        labels: int64 [texts], label ids.
    """

    encoded: Encoded
    labels: NDArray[np.int64]


@dataclass
class Progress:
    """Progress of training; one object, updated after each step.

    Attributes:
        step: Steps done.
        steps: Steps of the whole training.
        epoch: Epochs done, with a fraction.
        epochs: Epochs of the whole training.
        loss: Mean cross-entropy since the epoch began.
        learning_rate: Current rate of the last parameter group.
        started_at: time.monotonic() at the start of this process's training.
        first_step: Step at which this process began or resumed.
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
        """Estimated seconds to the end; None before the first step."""
        done = self.step - self.first_step
        return (time.monotonic() - self.started_at) / done * (self.steps - self.step) if done > 0 else None


class Stop:
    """A request to stop training; a signal handler may make it.

    Attributes:
        started: Whether training has begun: a stop request can save a checkpoint.
        stopping: Whether a stop was requested.
    """

    def __init__(self) -> None:
        self.started = False
        self.stopping = False

    def stop(self) -> None:
        """Request a checkpoint after the current step, and then the end."""
        self.stopping = True


@dataclass(frozen=True)
class Callbacks:
    """What training calls while it runs.

    Attributes:
        report: callback(progress), called after each step.
        note: callback(text), called with lines for the user.
        stop: Checked after each step.
    """

    report: Callable[[Progress], None] = lambda progress: None
    note: Callable[[str], None] = lambda text: None
    stop: Stop = field(default_factory=Stop)


@dataclass(frozen=True)
class TrainingInputs:
    """The inputs of one training run. A part without texts is empty.

    Attributes:
        train: Texts to learn from.
        validation: Texts that select the best epoch.
        test: Texts to measure on.
        names: The labels' names, in id order.
        recipe: Settings of the training.
        work: Folder for checkpoints and logs.
        device: cpu or cuda.
        bf16: Whether to train in bfloat16 mixed precision.
    """

    train: EncodedSplit
    validation: EncodedSplit
    test: EncodedSplit
    names: tuple[str, ...]
    recipe: TrainingRecipe
    work: Path
    device: str
    bf16: bool
