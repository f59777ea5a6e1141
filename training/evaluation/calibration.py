"""Calibrates the probabilities of a model by temperature scaling (Guo et al., 2017)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 0.05, 20.0


def fit_temperature(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Return the temperature that minimizes the log-loss.

    The labels are smoothed as in Platt scaling (1999), with the label smoothing 1 / (number of texts + 2). Without
    smoothing, the result is LOWEST_TEMPERATURE if all predictions are correct.

    Args:
        logits: float32 [texts, classes].
        labels: int64 [texts], label ids; texts with label -1 are ignored.

    Returns:
        The temperature; 1 if no text has a label. Divide the logits by the temperature.
    """
    has_label = labels >= 0
    if not has_label.any():
        return 1.0
    logits, labels = logits[has_label], labels[has_label]
    low, high = np.log(LOWEST_TEMPERATURE), np.log(HIGHEST_TEMPERATURE)
    # the loss is convex in 1 / temperature, so bisection on the slope finds the minimum
    while high - low > 1e-4:
        middle = (low + high) / 2
        if _slope(logits, labels, 1 / np.exp(middle)) > 0:  # the loss is lower at a higher temperature
            low = middle
        else:
            high = middle
    return float(np.exp((low + high) / 2))


def cross_fitted(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return calibrated probabilities. The label of a text has no influence on the probabilities of this text.

    The temperature for the texts with even row numbers is fitted on the texts with odd row numbers, and vice versa. So
    the effect of calibration can be measured without additional labelled texts.

    Args:
        logits: float32 [texts, classes].
        labels: int64 [texts], label ids; a text with label -1 is not used for fitting.

    Returns:
        float32 [texts, classes]; each row sums to 1.
    """
    probabilities = np.empty_like(logits)
    for half in (0, 1):
        temperature = fit_temperature(logits[1 - half :: 2], labels[1 - half :: 2])
        probabilities[half::2] = softmax(logits[half::2], temperature)
    return probabilities


def softmax(logits: NDArray[np.float32], temperature: float = 1.0) -> NDArray[np.float32]:
    """Divide the logits by a temperature, and return the softmax.

    Args:
        logits: float32 [texts, classes].
        temperature: Number by which the logits are divided.

    Returns:
        Probabilities, float32 [texts, classes]; each row sums to 1.
    """
    scaled = logits / temperature
    exponentials = np.exp(scaled - scaled.max(1, keepdims=True))
    probabilities: NDArray[np.float32] = (exponentials / exponentials.sum(1, keepdims=True)).astype(np.float32)
    return probabilities


def _slope(logits: NDArray[np.float32], labels: NDArray[np.int64], inverse: float) -> float:
    """Return the derivative of the mean log-loss at the inverse temperature `inverse`."""
    smoothing = 1 / (len(labels) + 2)
    target = (1 - smoothing) * logits[np.arange(len(labels)), labels] + smoothing * logits.mean(1)
    return float(((softmax(logits, 1 / inverse) * logits).sum(1) - target).mean())
