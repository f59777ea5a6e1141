"""The figures that training logs over time."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Curves:
    """Logged figures; the lists are empty without training.

    Attributes:
        step: Steps at which training logs.
        loss: Training loss at each logging step.
        learning_rate: Learning rate at each logging step.
        epoch: Epochs.
        train_loss: Loss on the train part after each epoch.
        test_loss: Loss on the test part after each epoch; empty without a test part.
        train_accuracy: Accuracy on the train part after each epoch.
        test_accuracy: Accuracy on the test part after each epoch; empty without a test part.
    """

    step: list[int] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    epoch: list[float] = field(default_factory=list)
    train_loss: list[float] = field(default_factory=list)
    test_loss: list[float] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    test_accuracy: list[float] = field(default_factory=list)
