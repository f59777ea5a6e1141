"""Temperature scaling: one number that makes probabilities mean what they say (Guo et al., 2017)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

COLDEST, HOTTEST = 0.05, 20.0


def fit_temperature(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """The temperature by which to divide logits [texts, classes] so that the labels' log-loss is least.

    labels: int64 [texts]; a label of -1 leaves its text out. Without any label the temperature is 1.
    """
    counts = labels >= 0
    if not counts.any():
        return 1.0
    logits, labels = logits[counts], labels[counts]
    low, high = np.log(COLDEST), np.log(HOTTEST)
    # the loss is convex in 1 / temperature and so has one valley: halve the interval by its slope
    while high - low > 1e-4:
        middle = (low + high) / 2
        if _slope(logits, labels, 1 / np.exp(middle)) > 0:  # hotter does better
            low = middle
        else:
            high = middle
    return float(np.exp((low + high) / 2))


def softmax(logits: NDArray[np.float32], temperature: float = 1.0) -> NDArray[np.float32]:
    """Probabilities float32 [texts, classes]."""
    scaled = logits / temperature
    grown = np.exp(scaled - scaled.max(1, keepdims=True))
    probabilities: NDArray[np.float32] = (grown / grown.sum(1, keepdims=True)).astype(np.float32)
    return probabilities


def _slope(logits: NDArray[np.float32], labels: NDArray[np.int64], inverse: float) -> float:
    """The derivative of the mean log-loss by the inverse temperature."""
    probabilities = softmax(logits, 1 / inverse)
    return float(((probabilities * logits).sum(1) - logits[np.arange(len(labels)), labels]).mean())
