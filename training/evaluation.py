"""How good predictions are: accuracy, macro-F1, calibration error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ClassFigures:
    """One class: how many texts bear it, and how well they are found. All but `texts` lie in 0..1."""

    texts: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Figures:
    """Predictions against labels. macro_f1 is the plain mean over the classes that occur in the labels.

    calibration_error: expected calibration error over 15 equal bins of confidence (Guo et al., 2017).
    """

    texts: int
    accuracy: float
    macro_f1: float
    calibration_error: float
    log_loss: float
    classes: dict[str, ClassFigures]

    def as_json(self) -> dict[str, Any]:
        """Plain dicts and numbers, rounded to four digits."""
        return {key: _rounded(value) for key, value in asdict(self).items()}


def figures(probabilities: NDArray[np.float32], labels: NDArray[np.int64], names: Sequence[str]) -> Figures:
    """Compare probabilities [texts, classes] with labels int64 [texts]; a label of -1 leaves its text out.

    Raises ValueError where no text is left.
    """
    counts = labels >= 0
    probabilities, labels = probabilities[counts], labels[counts]
    if not len(labels):
        raise ValueError("no text has a label")
    guessed = probabilities.argmax(1)
    classes = {name: _class_figures(guessed == i, labels == i) for i, name in enumerate(names)}
    likely = probabilities[np.arange(len(labels)), labels]
    return Figures(
        texts=len(labels),
        accuracy=float((guessed == labels).mean()),
        macro_f1=float(np.mean([one.f1 for one in classes.values() if one.texts])),
        calibration_error=calibration_error(probabilities.max(1), guessed == labels),
        log_loss=float(-np.log(np.maximum(likely, 1e-12)).mean()),
        classes=classes,
    )


def calibration_error(confidence: NDArray[np.float32], right: NDArray[np.bool_], bins: int = 15) -> float:
    """The mean distance between confidence and the share that is right, over equal bins of confidence."""
    which = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    texts = np.bincount(which, minlength=bins)
    gap = np.bincount(which, confidence, bins) - np.bincount(which, right, bins)
    return float(np.abs(gap).sum() / texts.sum())


def _class_figures(guessed: NDArray[np.bool_], true: NDArray[np.bool_]) -> ClassFigures:
    hits = float((guessed & true).sum())
    precision = hits / max(1, int(guessed.sum()))
    recall = hits / max(1, int(true.sum()))
    f1 = 2 * hits / max(1, int(guessed.sum()) + int(true.sum()))
    return ClassFigures(int(true.sum()), precision, recall, f1)


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return round(value, 4) if isinstance(value, float) else value
