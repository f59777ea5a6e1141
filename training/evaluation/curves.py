"""What training logs on its way."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Curves:
    """What training logged; empty lists where there was no training.

    step, loss, learning_rate: at each logging step, of equal length. epoch, train_loss, test_loss, train_accuracy,
    test_accuracy: after each epoch, of equal length.
    """

    step: list[int] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    epoch: list[float] = field(default_factory=list)
    train_loss: list[float] = field(default_factory=list)
    test_loss: list[float] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    test_accuracy: list[float] = field(default_factory=list)
