"""Whether one model is better than another on the same texts, or whether chance may have made the difference.

Intervals: paired bootstrap over the texts, percentiles (Efron and Tibshirani, 1993). McNemar's test looks at the
texts that one model alone gets right (McNemar, 1947).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emojob.training.evaluation.metrics import losses, rounded

RESAMPLES = 2000
#: Below this p a difference in accuracy counts as told.
SIGNIFICANT = 0.05
#: Below so many texts that one model alone gets right, McNemar's test is worked out exactly.
FEW = 25
#: Texts drawn at a time, over all resamples of a round: bounds the memory.
_DRAWN = 4_000_000


@dataclass(frozen=True)
class Difference:
    """One figure of two models: ours - other, with the interval low..high that holds 95% of the resamples."""

    ours: float
    other: float
    difference: float
    low: float
    high: float

    @property
    def sign(self) -> int:
        """1 where the interval lies above nothing, -1 below it, 0 where it holds it: no difference can be told."""
        return 1 if self.low > 0 else -1 if self.high < 0 else 0

    def __str__(self) -> str:
        return f"{self.difference:+.3f} (95%: {self.low:+.3f} to {self.high:+.3f})"


@dataclass(frozen=True)
class Comparison:
    """Two models on the same texts. only_ours, only_other: texts that one of them alone gets right."""

    texts: int
    resamples: int
    accuracy: Difference
    macro_f1: Difference
    log_loss: Difference  # less is better
    only_ours: int
    only_other: int
    mcnemar_p: float

    def as_json(self) -> dict[str, Any]:
        """Plain dicts and numbers, rounded to four digits; p in full."""
        return {**{key: rounded(value) for key, value in asdict(self).items()}, "mcnemar_p": self.mcnemar_p}

    def sentence(self, ours: str, other: str) -> str:
        """What the comparison says, in plain words. ours, other: how the models are called."""
        accuracy = self.accuracy.sign if self.mcnemar_p < SIGNIFICANT else 0
        macro_f1 = self.macro_f1.sign
        figures = f"accuracy {self.accuracy}, McNemar p {_p(self.mcnemar_p)}, macro-F1 {self.macro_f1}"
        better, worse = (ours, other) if (accuracy or macro_f1) > 0 else (other, ours)
        if accuracy and accuracy == -macro_f1:
            return f"{better} has the better accuracy, {worse} the better macro-F1: {figures}"
        if accuracy:
            return f"{better} is better than {worse}: {figures}"
        if macro_f1:
            return f"{better} has the better macro-F1, in accuracy no difference can be told: {figures}"
        return f"No difference between {ours} and {other} can be told on {self.texts:,} texts: {figures}"


def compare(
    ours: NDArray[np.float32],
    other: NDArray[np.float32],
    labels: NDArray[np.int64],
    names: Sequence[str],
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Comparison:
    """Compare two models' probabilities [texts, classes], of the same texts and the same classes in the same order.

    labels: int64 [texts]; a label of -1 leaves its text out. Raises ValueError where no text is left.
    """
    counts = labels >= 0
    ours, other, labels = ours[counts], other[counts], labels[counts]
    if not len(labels):
        raise ValueError("no text has a label")
    guesses = ours.argmax(1), other.argmax(1)
    only_ours = int(((guesses[0] == labels) & (guesses[1] != labels)).sum())
    only_other = int(((guesses[0] != labels) & (guesses[1] == labels)).sum())
    cells = _Cells(labels, *guesses, classes=len(names))
    loss = np.stack([losses(ours, labels), losses(other, labels)], 1)
    (accuracy,), (macro_f1,) = cells.figures(cells.counts[None])
    drawn = _resample(cells, loss, resamples, np.random.default_rng(seed))
    return Comparison(
        texts=len(labels),
        resamples=resamples,
        accuracy=_difference(accuracy, drawn[0]),
        macro_f1=_difference(macro_f1, drawn[1]),
        log_loss=_difference(loss.mean(0), drawn[2]),
        only_ours=only_ours,
        only_other=only_other,
        mcnemar_p=mcnemar(only_ours, only_other),
    )


def mcnemar(only_ours: int, only_other: int) -> float:
    """The two-sided p of McNemar's test: exact below 25 texts, else chi-square with continuity correction."""
    texts, least = only_ours + only_other, min(only_ours, only_other)
    if texts < FEW:
        as_extreme = sum(math.comb(texts, i) for i in range(least + 1))
        return min(1.0, as_extreme / 2 ** (texts - 1)) if texts else 1.0
    # chi-square with one degree of freedom is the square of a normal variable
    apart = max(0, abs(only_ours - only_other) - 1)
    return math.erfc(apart / math.sqrt(2 * texts))


class _Cells:
    """The distinct triples (label, our guess, other's guess), and which of them each text is.

    Accuracy and F1 depend on nothing but how many texts a cell holds, so a resample is a row of such numbers.
    """

    def __init__(self, labels: NDArray[Any], ours: NDArray[Any], other: NDArray[Any], classes: int) -> None:
        codes = (labels * classes + ours) * classes + other
        cells, self.of_text, self.counts = np.unique(codes, return_inverse=True, return_counts=True)
        rest, of_other = np.divmod(cells, classes)
        of_label, of_ours = np.divmod(rest, classes)
        one = np.eye(classes)
        # float64 [cells, classes]: 1 where a cell's texts bear the class, are taken for it, and both
        self._true = one[of_label]
        self._guessed = one[of_ours], one[of_other]
        self._hit = tuple(self._true * guessed for guessed in self._guessed)

    def figures(self, counts: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Accuracy and macro-F1 of both models, each float64 [rows, 2]. counts: texts in each cell [rows, cells]."""
        true = counts @ self._true
        accuracy, macro_f1 = [], []
        for guessed, hit in zip(self._guessed, self._hit, strict=True):
            hits = counts @ hit
            f1 = 2 * hits / np.maximum(1, true + counts @ guessed)
            accuracy.append(hits.sum(1) / counts.sum(1))
            macro_f1.append((f1 * (true > 0)).sum(1) / (true > 0).sum(1))
        return np.stack(accuracy, 1), np.stack(macro_f1, 1)


def _resample(
    cells: _Cells, loss: NDArray[np.float64], resamples: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], ...]:
    """Draw as many texts as there are, again and again; accuracy, macro-F1 and log-loss of each draw, [resamples, 2].

    loss: float64 [texts, 2], of both models.
    """
    texts, width = len(loss), len(cells.counts)
    found = []
    rows_at_once = max(1, _DRAWN // texts)
    for start in range(0, resamples, rows_at_once):
        rows = min(rows_at_once, resamples - start)
        drawn = rng.integers(0, texts, (rows, texts))
        places = cells.of_text[drawn] + width * np.arange(rows)[:, None]
        counts = np.bincount(places.reshape(-1), minlength=rows * width).reshape(rows, width)
        found.append((*cells.figures(counts), np.stack([one[drawn].mean(1) for one in loss.T], 1)))
    return tuple(np.concatenate(one) for one in zip(*found, strict=True))


def _difference(measured: NDArray[np.float64], drawn: NDArray[np.float64]) -> Difference:
    """measured: [2], our figure and the other's; drawn: the same of each resample, [resamples, 2]."""
    ours, other = measured.tolist()
    low, high = np.percentile(drawn[:, 0] - drawn[:, 1], [2.5, 97.5]).tolist()
    return Difference(ours, other, ours - other, low, high)


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"
