"""How good predictions are: accuracy, macro-F1, calibration, log-loss, each class, and who is taken for whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Equal bins of confidence, for the calibration error and the reliability diagram.
BINS = 15
#: A label's probability counts as at least this much, so that one sure mistake does not make the log-loss endless.
LEAST_LIKELY = 1e-12


@dataclass(frozen=True)
class ClassFigures:
    """One class: how many texts bear it, and how well they are found. All but `support` lie in 0..1."""

    support: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Bin:
    """The texts whose confidence lies in low..high: their mean confidence, and the share of them that is right."""

    low: float
    high: float
    texts: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Evaluation:
    """Predictions against labels.

    macro_f1: the plain mean over the classes that occur in the labels. calibration_error: expected calibration error
    over 15 equal bins of confidence (Guo et al., 2017). log_loss: mean negative log-likelihood in nats.
    most_frequent: the accuracy of always giving the most frequent class. confusion: [true][guessed], texts, classes
    in the order of `classes`. reliability: the bins of confidence that hold texts, lowest first.
    """

    texts: int
    accuracy: float
    macro_f1: float
    calibration_error: float
    log_loss: float
    most_frequent: float
    classes: dict[str, ClassFigures]
    confusion: tuple[tuple[int, ...], ...]
    reliability: tuple[Bin, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain dicts, lists and numbers, rounded to four digits."""
        return {key: rounded(value) for key, value in asdict(self).items()}


def evaluate(probabilities: NDArray[np.float32], labels: NDArray[np.int64], names: Sequence[str]) -> Evaluation:
    """Compare probabilities [texts, classes] with labels int64 [texts]; a label of -1 leaves its text out.

    Raises ValueError where no text is left.
    """
    counts = labels >= 0
    probabilities, labels = probabilities[counts], labels[counts]
    if not len(labels):
        raise ValueError("no text has a label")
    guessed = probabilities.argmax(1)
    confusion = confusion_matrix(labels, guessed, len(names))
    classes = _class_figures(confusion, names)
    confidence, right = probabilities.max(1), guessed == labels
    return Evaluation(
        texts=len(labels),
        accuracy=float(right.mean()),
        macro_f1=float(np.mean([one.f1 for one in classes.values() if one.support])),
        calibration_error=calibration_error(confidence, right),
        log_loss=float(losses(probabilities, labels).mean()),
        most_frequent=float(confusion.sum(1).max() / len(labels)),
        classes=classes,
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        reliability=reliability(confidence, right),
    )


def confusion_matrix(labels: NDArray[np.int64], guessed: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """How many texts of each class (rows) were taken for each class (columns): int64 [classes, classes]."""
    return np.bincount(labels * classes + guessed, minlength=classes**2).reshape(classes, classes)


def losses(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """The negative log-likelihood of each text's label, in nats: float64 [texts]."""
    likely = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    found: NDArray[np.float64] = -np.log(np.maximum(likely, LEAST_LIKELY))
    return found


def calibration_error(confidence: NDArray[np.float32], right: NDArray[np.bool_], bins: int = BINS) -> float:
    """The mean distance between confidence and the share that is right, over equal bins of confidence."""
    texts, sure, hits = _binned(confidence, right, bins)
    return float(np.abs(sure - hits).sum() / texts.sum())


def reliability(confidence: NDArray[np.float32], right: NDArray[np.bool_], bins: int = BINS) -> tuple[Bin, ...]:
    """What the calibration error is made of: the bins of confidence that hold texts, lowest first."""
    texts, sure, hits = _binned(confidence, right, bins)
    return tuple(
        Bin(i / bins, (i + 1) / bins, int(texts[i]), float(sure[i] / texts[i]), float(hits[i] / texts[i]))
        for i in np.flatnonzero(texts).tolist()
    )


def rounded(value: Any) -> Any:
    """A value with every float in it rounded to four digits."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(inner) for inner in value]
    return round(value, 4) if isinstance(value, float) else value


def _binned(
    confidence: NDArray[np.float32], right: NDArray[np.bool_], bins: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Texts, summed confidence and texts that are right, each [bins]."""
    which = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    texts: NDArray[np.int64] = np.bincount(which, minlength=bins)
    sure, hits = (np.bincount(which, one, bins).astype(np.float64) for one in (confidence, right))
    return texts, sure, hits


def _class_figures(confusion: NDArray[np.int64], names: Sequence[str]) -> dict[str, ClassFigures]:
    hits, texts, guessed = np.diag(confusion), confusion.sum(1), confusion.sum(0)
    precision, recall = hits / np.maximum(1, guessed), hits / np.maximum(1, texts)
    f1 = 2 * hits / np.maximum(1, texts + guessed)
    figures = zip(texts.tolist(), precision.tolist(), recall.tolist(), f1.tolist(), strict=True)
    return {name: ClassFigures(*one) for name, one in zip(names, figures, strict=True)}
