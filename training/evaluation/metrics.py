"""Computes metrics: accuracy, macro-F1, calibration error, log-loss, confusion matrix, per-class metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emojob.training.evaluation.intervals import (
    FEWEST_FOR_CALIBRATION,
    FEWEST_OF_CLASS,
    FEWEST_TEXTS,
    Interval,
    intervals,
)

#: Number of equal-width confidence bins, for the calibration error and the reliability diagram.
BINS = 15

#: Shown instead of a metric if there are too few texts.
TOO_FEW = "–"

#: Smallest probability in the log-loss, so that the log-loss is never infinite.
LEAST_LIKELY = 1e-12


@dataclass(frozen=True)
class ClassFigures:
    """Metrics of one class.

    Attributes:
        support: Number of texts whose label is this class.
        precision: Precision, from 0 to 1.
        recall: Recall, from 0 to 1.
        f1: F1 score, from 0 to 1.
    """

    support: int
    precision: float
    recall: float
    f1: float

    def shown(self) -> list[str]:
        """Return precision, recall and F1 as text, with three decimals; dashes if the class has too few texts."""
        if self.support < FEWEST_OF_CLASS:
            return [TOO_FEW] * 3
        return [f"{figure:.3f}" for figure in (self.precision, self.recall, self.f1)]


@dataclass(frozen=True)
class Bin:
    """A confidence bin: the texts whose confidence is between two limits.

    Attributes:
        low: Lower limit of the confidence (inclusive).
        high: Upper limit of the confidence (exclusive; inclusive in the last bin).
        texts: Number of texts in the bin.
        confidence: Mean confidence of the texts in the bin.
        accuracy: Fraction of correct predictions in the bin.
    """

    low: float
    high: float
    texts: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Evaluation:
    """Metrics of predictions on labelled texts.

    Attributes:
        texts: Number of texts.
        accuracy: Fraction of correct predictions.
        macro_f1: Unweighted mean of the F1 scores of all classes that occur in the labels.
        calibration_error: Expected calibration error over 15 equal-width confidence bins (Guo et al., 2017).
        log_loss: Mean negative log-likelihood of the labels, in nats.
        log_loss_deviation: Standard deviation of the negative log-likelihood over the texts, in nats.
        most_frequent: Accuracy of a baseline that always predicts the most frequent class.
        classes: {name of the class: metrics of the class}.
        confusion: Number of texts by [true class][predicted class], in the order of `classes`.
        reliability: The confidence bins that contain texts, lowest confidence first.
    """

    texts: int
    accuracy: float
    macro_f1: float
    calibration_error: float
    log_loss: float
    log_loss_deviation: float
    most_frequent: float
    classes: dict[str, ClassFigures]
    confusion: tuple[tuple[int, ...], ...]
    reliability: tuple[Bin, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the metrics and their confidence intervals as dicts and lists for JSON.

        Numbers are not rounded. So each place that shows a number rounds it once, and all places show the same number.
        """
        found = {key: plain(value) for key, value in asdict(self).items()}
        return found | {"intervals": {name: [one.low, one.high] for name, one in self.intervals().items()}}

    def intervals(self) -> dict[str, Interval]:
        """Return the 95% confidence intervals: {metric: interval}. A metric with too few texts is missing."""
        return intervals(np.array(self.confusion), self.log_loss, self.log_loss_deviation)

    def shown(self) -> dict[str, str]:
        """Return the metrics as text, with three decimals. A metric with too few texts is a dash."""
        metrics = ("accuracy", "macro_f1", "calibration_error", "log_loss", "most_frequent")
        fewest = {
            "macro_f1": FEWEST_TEXTS, "log_loss": FEWEST_TEXTS, "calibration_error": FEWEST_FOR_CALIBRATION
        }  # fmt: skip
        return {
            name: f"{getattr(self, name):.3f}" if self.texts >= fewest.get(name, 1) else TOO_FEW for name in metrics
        }


def evaluate(probabilities: NDArray[np.float32], labels: NDArray[np.int64], names: Sequence[str]) -> Evaluation:
    """Return the metrics of predicted probabilities.

    Args:
        probabilities: float32 [texts, classes].
        labels: int64 [texts], label ids; texts with label -1 are ignored.
        names: Names of the classes, in id order.

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
    loss = losses(probabilities, labels)
    return Evaluation(
        texts=len(labels),
        accuracy=float(correct.mean()),
        macro_f1=float(np.mean([figures.f1 for figures in classes.values() if figures.support])),
        calibration_error=calibration_error(confidence, correct),
        log_loss=float(loss.mean()),
        log_loss_deviation=float(loss.std(ddof=1)) if len(labels) > 1 else 0.0,
        most_frequent=float(confusion.sum(1).max() / len(labels)),
        classes=classes,
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        reliability=reliability(confidence, correct),
    )


def confusion_matrix(labels: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Return the number of texts by true and predicted class.

    Args:
        labels: int64 [texts], label ids.
        predicted: int64 [texts], predicted label ids.
        classes: Number of classes.

    Returns:
        int64 [classes, classes]; a row for each true class, a column for each predicted class.
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
    """Return the expected calibration error.

    For each confidence bin, take the difference between mean confidence and accuracy. The error is the mean of these
    differences, weighted by the number of texts in the bins.

    Args:
        confidence: float32 [texts], probability of the predicted class.
        correct: bool [texts], whether the prediction is correct.
        bins: Number of equal-width bins.
    """
    texts, confidence_sums, correct_counts = _binned(confidence, correct, bins)
    return float(np.abs(confidence_sums - correct_counts).sum() / texts.sum())


def reliability(confidence: NDArray[np.float32], correct: NDArray[np.bool_], bins: int = BINS) -> tuple[Bin, ...]:
    """Return the non-empty confidence bins, lowest confidence first. The arguments are as in `calibration_error`."""
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


def plain(value: Any) -> Any:
    """Convert tuples in nested dicts and lists to lists, as JSON has no tuples."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def _binned(
    confidence: NDArray[np.float32], correct: NDArray[np.bool_], bins: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return three arrays [bins]: number of texts, sum of the confidences, number of correct predictions."""
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
