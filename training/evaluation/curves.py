"""Values of the training curves, logged during training."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Curves:
    """Values that were logged during training. All lists are empty if there was no training.

    Attributes:
        step: Numbers of the steps with logged values (logging steps).
        loss: Training loss at each logging step.
        learning_rate: Learning rate at each logging step.
        epoch: Numbers of the epochs with logged values.
        train_loss: Loss on the train split after each epoch.
        test_loss: Loss on the test split after each epoch; empty if there is no test split.
        train_accuracy: Accuracy on the train split after each epoch.
        test_accuracy: Accuracy on the test split after each epoch; empty if there is no test split.
    """

    step: list[int] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    epoch: list[float] = field(default_factory=list)
    train_loss: list[float] = field(default_factory=list)
    test_loss: list[float] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    test_accuracy: list[float] = field(default_factory=list)
