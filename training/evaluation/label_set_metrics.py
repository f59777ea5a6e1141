"""Computes metrics of models whose texts can carry several labels, and chooses their thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emojob.training.evaluation.metrics import calibration_error, plain

Probabilities = NDArray[np.float32]  # [texts, labels]
Truth = NDArray[np.bool_]  # [texts, labels]: whether each text carries each label


@dataclass(frozen=True)
class LabelFigures:
    """Metrics of one label.

    Attributes:
        support: Number of texts that carry the label.
        threshold: Probability at which the model gives a text the label.
        precision: Precision at the threshold, from 0 to 1; 0 if no text gets the label.
        recall: Recall at the threshold, from 0 to 1.
        f1: F1 score at the threshold, from 0 to 1.
        average_precision: Area under the precision-recall curve, without interpolation; None if no text has the label.
        calibration_error: Expected calibration error of the label's probability over 15 equal-width bins.
    """

    support: int
    threshold: float
    precision: float
    recall: float
    f1: float
    average_precision: float | None
    calibration_error: float


@dataclass(frozen=True)
class LabelSetEvaluation:
    """Metrics of predictions on texts that can carry several labels.

    Attributes:
        texts: Number of texts.
        macro_f1: Unweighted mean of the F1 scores of all labels that occur in the texts.
        micro_f1: F1 score of all pairs of a text and a label together.
        subset_accuracy: Fraction of the texts whose predicted labels are exactly the right ones.
        hamming_loss: Fraction of wrong pairs of a text and a label.
        mean_average_precision: Mean of the average precisions of all labels that occur in the texts.
        labels: {name of the label: metrics of the label}.
    """

    texts: int
    macro_f1: float
    micro_f1: float
    subset_accuracy: float
    hamming_loss: float
    mean_average_precision: float
    labels: dict[str, LabelFigures]

    def as_json(self) -> dict[str, Any]:
        """Return the metrics as dicts and lists for JSON. Numbers are not rounded."""
        return {key: plain(value) for key, value in asdict(self).items()}


def evaluate_label_sets(
    probabilities: Probabilities, truth: Truth, thresholds: Sequence[float], names: Sequence[str]
) -> LabelSetEvaluation:
    """Return the metrics of predicted probabilities.

    Args:
        probabilities: float32 [texts, labels].
        truth: bool [texts, labels], whether each text carries each label.
        thresholds: Probability at which the model gives a text each label, in id order.
        names: Names of the labels, in id order.

    Raises:
        ValueError: There are no texts, or no text carries a label.
    """
    if not truth.any():
        raise ValueError("no text carries a label")
    limits = np.asarray(thresholds, np.float32)
    predicted = probabilities >= limits
    hits, given, support = (one.sum(axis=0) for one in (predicted & truth, predicted, truth))
    f1 = 2 * hits / np.maximum(1, given + support)
    averages = [average_precision(probabilities[:, label], truth[:, label]) for label in range(len(names))]
    occurring = np.flatnonzero(support)
    figures = {
        name: LabelFigures(
            support=int(support[label]),
            threshold=float(thresholds[label]),
            precision=float(hits[label] / max(1, given[label])),
            recall=float(hits[label] / max(1, support[label])),
            f1=float(f1[label]),
            average_precision=averages[label],
            calibration_error=calibration_error(probabilities[:, label], truth[:, label]),
        )
        for label, name in enumerate(names)
    }
    return LabelSetEvaluation(
        texts=len(truth),
        macro_f1=float(f1[occurring].mean()),
        micro_f1=float(2 * hits.sum() / max(1, given.sum() + support.sum())),
        subset_accuracy=float((predicted == truth).all(axis=1).mean()),
        hamming_loss=float((predicted != truth).mean()),
        mean_average_precision=float(np.mean([average for average in averages if average is not None])),
        labels=figures,
    )


def average_precision(probabilities: NDArray[np.float32], truth: NDArray[np.bool_]) -> float | None:
    """Return the sum over the thresholds of precision times the rise of the recall; None if no text has the label.

    Texts with equal probabilities are one threshold.

    Args:
        probabilities: float32 [texts].
        truth: bool [texts], whether each text carries the label.
    """
    if not truth.any():
        return None
    order = np.argsort(-probabilities, kind="stable")
    sorted_probabilities = probabilities[order]
    ends = np.flatnonzero(np.append(sorted_probabilities[1:] != sorted_probabilities[:-1], True))
    hits = np.cumsum(truth[order])[ends]
    rises = np.diff(hits, prepend=0) / truth.sum()
    return float((hits / (ends + 1) * rises).sum())


def best_thresholds(probabilities: Probabilities, truth: Truth) -> tuple[float, ...]:
    """Return the threshold of each label with the highest F1 score, and so the highest macro-F1.

    Each threshold is in the middle between two neighbouring probabilities. Of equally good thresholds, the one nearest
    to 0.5 is chosen, so that few texts decide little. A label that no text carries gets 0.5.

    Args:
        probabilities: float32 [texts, labels].
        truth: bool [texts, labels], whether each text carries each label.
    """
    return tuple(_best_threshold(probabilities[:, label], truth[:, label]) for label in range(truth.shape[1]))


def _best_threshold(probabilities: NDArray[np.float32], truth: NDArray[np.bool_]) -> float:
    if not truth.any():
        return 0.5
    order = np.argsort(-probabilities, kind="stable")
    found = probabilities[order].astype(np.float64)
    ends = np.flatnonzero(np.append(found[1:] != found[:-1], True))
    f1 = 2 * np.cumsum(truth[order])[ends] / (ends + 1 + truth.sum())
    below = np.append(found, 0.0)[ends + 1]
    middles = (found[ends] + below) / 2
    # the threshold of a step may be anywhere between its two probabilities; 0.5 is used if it is between them
    middles = np.where((below < 0.5) & (found[ends] >= 0.5), 0.5, middles)
    best = np.flatnonzero(f1 >= f1.max() - 1e-12)
    return float(middles[best[np.argmin(np.abs(middles[best] - 0.5))]])
