"""Computes how exact the metrics are: confidence intervals, binomial probabilities, and the fewest texts for a metric.

All intervals are 95% confidence intervals. The interval of an accuracy is Wilson's interval (1927). The interval of the
macro-F1 comes from a bootstrap over the texts (Efron and Tibshirani, 1993). The interval of a paired difference in
accuracy comes from the exact interval of Clopper and Pearson (1934), so it agrees with McNemar's exact test.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: The macro-F1 and the log-loss are shown, with intervals, only if there are at least so many texts.
FEWEST_TEXTS = 30

#: The metrics of a class are shown only if at least so many texts have this class.
FEWEST_OF_CLASS = 10

#: The expected calibration error is shown only if there are at least so many texts. With fewer texts, the error of a
#: perfectly calibrated model is also large.
FEWEST_FOR_CALIBRATION = 200

RESAMPLES = 2000

_QUANTILE = 1.959963984540054  # 97.5% quantile of the normal distribution


@dataclass(frozen=True)
class Interval:
    """A 95% confidence interval.

    Attributes:
        low: Lower end.
        high: Upper end.
    """

    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:.3f} to {self.high:.3f}"


def intervals(confusion: NDArray[Any], log_loss: float, deviation: float, seed: int = 0) -> dict[str, Interval]:
    """Return the intervals of accuracy, macro_f1 and log_loss. A metric with too few texts is missing.

    Args:
        confusion: int64 [classes, classes], number of texts by true and predicted class.
        log_loss: Mean log-loss of the texts.
        deviation: Standard deviation of the log-loss over the texts.
        seed: Seed of the bootstrap.
    """
    texts = int(confusion.sum())
    found = {"accuracy": wilson(int(np.trace(confusion)), texts)}
    if texts >= FEWEST_TEXTS:
        found["macro_f1"] = _macro_f1(confusion, np.random.default_rng(seed))
        half = _QUANTILE * deviation / math.sqrt(texts)
        found["log_loss"] = Interval(max(0.0, log_loss - half), log_loss + half)
    return found


def wilson(hits: int, texts: int) -> Interval:
    """Return Wilson's interval of a fraction.

    Args:
        hits: Number of correct texts.
        texts: Number of all texts, at least 1.
    """
    fraction, square = hits / texts, _QUANTILE**2 / texts
    middle = (fraction + square / 2) / (1 + square)
    half = _QUANTILE / (1 + square) * math.sqrt(fraction * (1 - fraction) / texts + square / (4 * texts))
    return Interval(max(0.0, middle - half), min(1.0, middle + half))


def at_most(hits: int, texts: int, probability: float) -> float:
    """Return the probability of at most `hits` successes in `texts` trials (binomial distribution).

    Args:
        hits: Number of successes, -1 to `texts`.
        texts: Number of trials.
        probability: Probability of a success.
    """
    if hits < 0 or hits >= texts or probability in (0.0, 1.0):
        return float(hits >= texts or (hits >= 0 and probability == 0.0))
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, texts + 1)))])  # logarithms of the factorials
    count = np.arange(hits + 1)
    terms = logs[texts] - logs[count] - logs[texts - count]
    terms += count * math.log(probability) + (texts - count) * math.log1p(-probability)
    highest = float(terms.max())
    return min(1.0, math.exp(highest) * float(np.exp(terms - highest).sum()))


def clopper_pearson(hits: int, texts: int) -> Interval:
    """Return the exact interval of a fraction.

    Args:
        hits: Number of successes.
        texts: Number of trials, at least 1.
    """
    low = 0.0 if not hits else 1 - _crossing(texts - hits, texts)
    high = 1.0 if hits == texts else _crossing(hits, texts)
    return Interval(low, high)


def _crossing(hits: int, texts: int) -> float:
    """Return the probability with which at most `hits` successes have the probability 0.025, found by bisection."""
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if at_most(hits, texts, middle) > 0.025 else (low, middle)
    return (low + high) / 2


def _macro_f1(confusion: NDArray[Any], rng: np.random.Generator) -> Interval:
    """Return the bootstrap interval of the macro-F1.

    A text only counts as (true class, predicted class). So drawing texts is the same as drawing cells of the confusion
    matrix.
    """
    true, predicted = np.nonzero(confusion)
    counts = confusion[true, predicted]
    drawn = rng.multinomial(int(counts.sum()), counts / counts.sum(), RESAMPLES)  # [resamples, cells]
    values = np.empty(RESAMPLES)
    for i, weights in enumerate(drawn):
        support, guessed = (np.bincount(of, weights, len(confusion)) for of in (true, predicted))
        hits = np.bincount(true, np.where(true == predicted, weights, 0), len(confusion))
        present = support > 0
        values[i] = (2 * hits[present] / (support + guessed)[present]).mean()
    return Interval(*np.percentile(values, [2.5, 97.5]).tolist())
