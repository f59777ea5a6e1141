"""Temperature scaling: one number that makes probabilities mean what they say (Guo et al., 2017)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

COLDEST, HOTTEST = 0.05, 20.0


def fit_temperature(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """The temperature by which to divide logits [texts, classes] so that the labels' log-loss is least.

    labels: int64 [texts]; a label of -1 leaves its text out. Without any label the temperature is 1. As in Platt's
    scaling (1999), a label of n texts counts as (n + 1) / (n + 2) sure, or a few texts that are all right would make
    the model boundlessly sure of itself.
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


def cross_fitted(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float32]:
    """Probabilities float32 [texts, classes] with the temperature of the other half of the texts.

    So that a temperature can be judged where there is no second part to judge it on. Every other text is of one half.
    """
    probabilities = np.empty_like(logits)
    for half in (0, 1):
        temperature = fit_temperature(logits[1 - half :: 2], labels[1 - half :: 2])
        probabilities[half::2] = softmax(logits[half::2], temperature)
    return probabilities


def softmax(logits: NDArray[np.float32], temperature: float = 1.0) -> NDArray[np.float32]:
    """Probabilities float32 [texts, classes]."""
    scaled = logits / temperature
    grown = np.exp(scaled - scaled.max(1, keepdims=True))
    probabilities: NDArray[np.float32] = (grown / grown.sum(1, keepdims=True)).astype(np.float32)
    return probabilities


def _slope(logits: NDArray[np.float32], labels: NDArray[np.int64], inverse: float) -> float:
    """The derivative of the mean log-loss by the inverse temperature."""
    doubt = 1 / (len(labels) + 2)
    target = (1 - doubt) * logits[np.arange(len(labels)), labels] + doubt * logits.mean(1)
    return float(((softmax(logits, 1 / inverse) * logits).sum(1) - target).mean())
