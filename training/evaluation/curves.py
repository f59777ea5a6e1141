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
        train_loss: Log-loss of texts of the train split after each epoch, without dropout. If there are many texts, a
            sample is measured.
        train_accuracy: Accuracy of the same texts.
        validation_loss: Log-loss of the validation split after each epoch; empty if there is no validation split.
        validation_accuracy: Accuracy on the validation split after each epoch.
        validation_macro_f1: Macro-F1 on the validation split after each epoch.
        test_loss: Log-loss of the test split after each epoch; empty unless the recipe says `test_each_epoch`.
        test_accuracy: Accuracy on the test split after each epoch; empty unless the recipe says `test_each_epoch`.
    """

    step: list[int] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    epoch: list[float] = field(default_factory=list)
    train_loss: list[float] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    validation_macro_f1: list[float] = field(default_factory=list)
    test_loss: list[float] = field(default_factory=list)
    test_accuracy: list[float] = field(default_factory=list)
