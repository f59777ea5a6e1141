"""Figures of predictions: accuracy, macro-F1, calibration error, log-loss, each class, confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Equal-width bins of confidence, for the calibration error and the reliability diagram.
BINS = 15

#: Lower limit of a label's probability: one confident mistake must not make the log-loss infinite.
LEAST_LIKELY = 1e-12


@dataclass(frozen=True)
class ClassFigures:
    """Figures of one class.

    Attributes:
        support: Texts with this label.
        precision: In 0..1.
        recall: In 0..1.
        f1: In 0..1.
    """

    support: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Bin:
    """The texts with a confidence in low..high.

    Attributes:
        low: Lower limit of the confidence.
        high: Upper limit of the confidence.
        texts: Number of texts.
        confidence: Mean confidence.
        accuracy: Fraction of correct predictions.
    """

    low: float
    high: float
    texts: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Evaluation:
    """Figures of predictions on labelled texts.

    Attributes:
        texts: Number of texts.
        accuracy: Fraction of correct predictions.
        macro_f1: Unweighted mean of F1 over the classes that occur in the labels.
        calibration_error: Expected calibration error over 15 equal-width bins of confidence (Guo et al., 2017).
        log_loss: Mean negative log-likelihood, in nats.
        most_frequent: Accuracy of always predicting the most frequent class.
        classes: Figures of each class.
        confusion: Texts by [true class][predicted class], in the order of `classes`.
        reliability: The bins of confidence that have texts, lowest first.
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
        """Return dicts, lists and numbers, rounded to four digits."""
        return {key: rounded(value) for key, value in asdict(self).items()}


def evaluate(probabilities: NDArray[np.float32], labels: NDArray[np.int64], names: Sequence[str]) -> Evaluation:
    """Compare predicted probabilities with labels.

    Args:
        probabilities: float32 [texts, classes].
        labels: int64 [texts], label ids; a text with label -1 is left out.
        names: The classes' names, in id order.

    Raises:
        ValueError: No text has a label.
    """
    has_label = labels >= 0
    probabilities, labels = probabilities[has_label], labels[has_label]
    if not len(labels):
        raise ValueError("no text has a label")
    predicted = probabilities.argmax(1)
    confusion = confusion_matrix(labels, predicted, len(names))
    classes = _class_figures(confusion, names)
    confidence, correct = probabilities.max(1), predicted == labels
    return Evaluation(
        texts=len(labels),
        accuracy=float(correct.mean()),
        macro_f1=float(np.mean([figures.f1 for figures in classes.values() if figures.support])),
        calibration_error=calibration_error(confidence, correct),
        log_loss=float(losses(probabilities, labels).mean()),
        most_frequent=float(confusion.sum(1).max() / len(labels)),
        classes=classes,
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        reliability=reliability(confidence, correct),
    )


def confusion_matrix(labels: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Return the number of texts by true and predicted class.

    Args:
        labels: int64 [texts], label ids.
        predicted: int64 [texts], predicted ids.
        classes: Number of classes.

    Returns:
        int64 [classes, classes]; rows are true classes.
    """
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)


def losses(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the negative log-likelihood of each text's label, in nats.

    Args:
        probabilities: float32 [texts, classes].
        labels: int64 [texts], label ids.

    Returns:
        float64 [texts].
    """
    likelihood = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    negative_logs: NDArray[np.float64] = -np.log(np.maximum(likelihood, LEAST_LIKELY))
    return negative_logs


def calibration_error(confidence: NDArray[np.float32], correct: NDArray[np.bool_], bins: int = BINS) -> float:
    """Return the expected calibration error: the mean gap between confidence and accuracy over bins of confidence.

    Args:
        confidence: float32 [texts], probability of the predicted class.
        correct: bool [texts], whether the prediction is correct.
        bins: Number of equal-width bins.
    """
    texts, confidence_sums, correct_counts = _binned(confidence, correct, bins)
    return float(np.abs(confidence_sums - correct_counts).sum() / texts.sum())


def reliability(confidence: NDArray[np.float32], correct: NDArray[np.bool_], bins: int = BINS) -> tuple[Bin, ...]:
    """Return the bins of confidence that have texts, lowest first; arguments as `calibration_error`."""
    texts, confidence_sums, correct_counts = _binned(confidence, correct, bins)
    return tuple(
        Bin(
            low=i / bins,
            high=(i + 1) / bins,
            texts=int(texts[i]),
            confidence=float(confidence_sums[i] / texts[i]),
            accuracy=float(correct_counts[i] / texts[i]),
        )
        for i in np.flatnonzero(texts).tolist()
    )


def rounded(value: Any) -> Any:
    """Return a value of dicts, lists and numbers with every float rounded to four digits."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(inner) for inner in value]
    return round(value, 4) if isinstance(value, float) else value


def _binned(
    confidence: NDArray[np.float32], correct: NDArray[np.bool_], bins: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return texts, sum of confidence and correct predictions of each bin, each [bins]."""
    bin_of_text = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    texts: NDArray[np.int64] = np.bincount(bin_of_text, minlength=bins)
    confidence_sums, correct_counts = (
        np.bincount(bin_of_text, weights, bins).astype(np.float64) for weights in (confidence, correct)
    )
    return texts, confidence_sums, correct_counts


def _class_figures(confusion: NDArray[np.int64], names: Sequence[str]) -> dict[str, ClassFigures]:
    hits, support, predicted = np.diag(confusion), confusion.sum(1), confusion.sum(0)
    precision, recall = hits / np.maximum(1, predicted), hits / np.maximum(1, support)
    f1 = 2 * hits / np.maximum(1, support + predicted)
    rows = zip(support.tolist(), precision.tolist(), recall.tolist(), f1.tolist(), strict=True)
    return {name: ClassFigures(*row) for name, row in zip(names, rows, strict=True)}
