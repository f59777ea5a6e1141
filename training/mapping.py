"""From a corpus's own labels to the classes of a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.errors import OptionError
from schemas.labels import DEFAULT_LABELS

#: A text counts as of one class where the heaviest class weighs at least this many times the next.
CLEAR = 1.3


@dataclass(frozen=True)
class LabelMap:
    """Which class each of a corpus's labels belongs to.

    weights: float32 [labels, classes]; a label weighs 1 / the number of labels in its class, a dropped one nothing.
    """

    classes: tuple[str, ...]
    weights: NDArray[np.float32]

    @classmethod
    def from_table(
        cls,
        table: Mapping[str, Sequence[str]],
        labels: Sequence[str],
        where: str,
        classes: tuple[str, ...] = DEFAULT_LABELS,
    ) -> LabelMap:
        """table: the labels of each class, and those that are `dropped`.

        Raises OptionError where a label of the corpus stands nowhere, stands twice, or is unknown.
        """
        _check(table, labels, where, classes)
        weights = np.zeros((len(labels), len(classes)), np.float32)
        for number, name in enumerate(classes):
            members = [labels.index(label) for label in table.get(name, [])]
            weights[members, number] = 1 / max(1, len(members))
        return cls(classes, weights)

    def soft(self, marks: NDArray[np.float32], sharpness: float = 1.0) -> NDArray[np.float32]:
        """Class weights of texts, summing to 1: float32 [texts, classes], NaN where no label is in a class.

        marks: float32 [texts, labels], 1 where a label was given. sharpness: the power that the weights are raised
        to; above 1 the heaviest class gets more, towards the hard labels.
        """
        weights = (marks @ self.weights) ** sharpness
        total = weights.sum(1, keepdims=True)
        return np.where(total > 0, weights / np.where(total > 0, total, 1), np.float32(np.nan)).astype(np.float32)

    def hard(self, marks: NDArray[np.float32]) -> NDArray[np.int64]:
        """The one class of each text, int64 [texts]; -1 where no class is clearly the heaviest."""
        weights = marks @ self.weights
        second, first = np.sort(weights, axis=1)[:, -2:].T
        # a hair of tolerance: 1.3 times a third is not exact in floating point
        return np.where((first > 0) & (first >= CLEAR * second - 1e-6), weights.argmax(1), -1)


def _check(table: Mapping[str, Sequence[str]], labels: Sequence[str], where: str, classes: tuple[str, ...]) -> None:
    for name, members in table.items():
        if name not in (*classes, "dropped"):
            raise OptionError(
                f"recipe: {where} has the unknown class {name!r}; known are {', '.join(classes)}, dropped"
            )
        if isinstance(members, str) or not all(isinstance(member, str) for member in members):
            raise OptionError(f"recipe: {where}.{name} is {members!r}, which should be a list of labels; correct it")
    given = Counter(label for members in table.values() for label in members)
    problems = {
        "unknown labels": [label for label in given if label not in labels],
        "labels given twice": [label for label, times in given.items() if times > 1],
        "unmapped labels": [label for label in labels if label not in given],
    }
    for problem, which in problems.items():
        if which:
            raise OptionError(
                f"recipe: {where} has {problem}: {', '.join(which)}; put each label of the corpus under one class, "
                "or under dropped"
            )
