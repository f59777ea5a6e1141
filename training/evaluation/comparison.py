"""Compares two models on the same texts, with confidence intervals and a significance test.

Only one test decides which model is better: McNemar's exact test (1947) of the accuracies, with a 5% chance of a wrong
decision if the models are equally good. The test uses the texts that exactly one of the models predicts correctly.

The interval of the difference in accuracy agrees with this test. The intervals of macro-F1 and log-loss are percentiles
of a paired bootstrap over the texts (Efron and Tibshirani, 1993). They describe the difference, but decide nothing.

"Our model" is the evaluated model. "The other model" is the baseline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emojob.training.evaluation.intervals import FEWEST_TEXTS, at_most, clopper_pearson
from emojob.training.evaluation.metrics import losses, plain
from emojob.training.evaluation.words import Words, words_of

RESAMPLES = 2000

#: A p-value below this limit means that the difference in accuracy is significant.
SIGNIFICANT = 0.05

#: McNemar's test uses only the texts that exactly one model predicts correctly. With fewer such texts than this number,
#: no result is significant: even if one model is right on all of them, the p-value is 2 / 2**5 = 0.0625.
FEWEST_DISCORDANT = 6

#: Maximum number of texts that are drawn at a time, to limit the memory use.
_DRAWN_AT_A_TIME = 4_000_000


@dataclass(frozen=True)
class Difference:
    """The difference between two models in a metric, such as accuracy.

    Attributes:
        ours: The metric of our model, which is the evaluated model.
        other: The metric of the other model, which is the baseline.
        difference: ours - other.
        low: Lower end of the 95% confidence interval of the difference; None if there are too few texts.
        high: Upper end of the 95% confidence interval of the difference; None if there are too few texts.
    """

    ours: float
    other: float
    difference: float
    low: float | None
    high: float | None

    def interval(self, words: Words) -> str:
        """Return the confidence interval as text; a dash if there are too few texts."""
        if self.low is None or self.high is None:
            return "–"
        return str(words["range"].format(low=f"{self.low:+.3f}", high=f"{self.high:+.3f}"))

    def in_words(self, words: Words) -> str:
        """Return the difference, and its confidence interval in brackets."""
        difference = f"{self.difference:+.3f}"
        if self.low is None:
            return difference
        return str(words["difference_interval"].format(difference=difference, interval=self.interval(words)))


@dataclass(frozen=True)
class Comparison:
    """Result of comparing two models on the same texts.

    Attributes:
        texts: Number of texts.
        resamples: Number of bootstrap resamples.
        accuracy: Accuracy of our model minus accuracy of the other model.
        macro_f1: Macro-F1 of our model minus macro-F1 of the other model.
        log_loss: Log-loss of our model minus log-loss of the other model; negative if our model is better.
        only_ours: Number of texts that only our model predicts correctly.
        only_other: Number of texts that only the other model predicts correctly.
        mcnemar_p: Two-sided p-value of McNemar's exact test.
    """

    texts: int
    resamples: int
    accuracy: Difference
    macro_f1: Difference
    log_loss: Difference
    only_ours: int
    only_other: int
    mcnemar_p: float

    def as_json(self) -> dict[str, Any]:
        """Return the comparison as a dict for JSON. Numbers are not rounded."""
        return {**plain(asdict(self)), "verdict": self.verdict}

    @property
    def verdict(self) -> str:
        """Return the decision of McNemar's test: "ours", "other", "no difference" or "too few"."""
        if self.only_ours + self.only_other < FEWEST_DISCORDANT:
            return "too few"
        if self.mcnemar_p >= SIGNIFICANT:
            return "no difference"
        return "ours" if self.only_ours > self.only_other else "other"

    def sentence(self, ours: str, other: str, words: Words | None = None) -> str:
        """Return the result as one sentence.

        Args:
            ours: Name of our model.
            other: Name of the other model.
            words: Texts of the language, from `words_of`. None: English.
        """
        words = words or words_of("en")
        figures = words["figures"].format(accuracy=self.accuracy.in_words(words), p=_p(self.mcnemar_p))
        if self.texts >= FEWEST_TEXTS:
            figures += words["figures_f1"].format(macro_f1=self.macro_f1.in_words(words))
        better, worse = (ours, other) if self.verdict == "ours" else (other, ours)
        return str(
            words[self._case].format(
                ours=ours, other=other, better=better, worse=worse, texts=f"{self.texts:,}", figures=figures,
                discordant=self.only_ours + self.only_other, fewest=FEWEST_DISCORDANT,
            )
        )  # fmt: skip

    @property
    def _case(self) -> str:
        """Return the name of the sentence in words.toml."""
        if not self.only_ours + self.only_other:
            return "same_texts"
        if self.verdict in ("too few", "no difference"):
            return {"too few": "too_few_discordant", "no difference": "no_difference"}[self.verdict]
        return "better_accuracy" if self.accuracy.difference * self.macro_f1.difference < 0 else "better"


def compare(
    ours: NDArray[np.float32],
    other: NDArray[np.float32],
    labels: NDArray[np.int64],
    names: Sequence[str],
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Comparison:
    """Compare the probabilities of two models on the same texts.

    Args:
        ours: float32 [texts, classes], probabilities of our model.
        other: float32 [texts, classes], probabilities of the other model, with the classes in the order of `ours`.
        labels: int64 [texts], label ids; texts with label -1 are ignored.
        names: Names of the classes, in id order.
        seed: Seed of the bootstrap.
        resamples: Number of bootstrap resamples.

    Raises:
        ValueError: No text has a label.
    """
    has_label = labels >= 0
    ours, other, labels = ours[has_label], other[has_label], labels[has_label]
    if not len(labels):
        raise ValueError("no text has a label")
    predicted = ours.argmax(1), other.argmax(1)
    only_ours = int(((predicted[0] == labels) & (predicted[1] != labels)).sum())
    only_other = int(((predicted[0] != labels) & (predicted[1] == labels)).sum())
    cells = _Cells(labels, *predicted, classes=len(names))
    loss = np.stack([losses(ours, labels), losses(other, labels)], 1)
    (accuracy,), (macro_f1,) = cells.figures(cells.counts[None])
    resampled = _resample(cells, loss, resamples, np.random.default_rng(seed))
    is_enough = len(labels) >= FEWEST_TEXTS and only_ours + only_other >= FEWEST_DISCORDANT
    return Comparison(
        texts=len(labels),
        resamples=resamples,
        accuracy=_accuracy_difference(accuracy, only_ours, only_other, len(labels)),
        macro_f1=_difference(macro_f1, resampled[0] if is_enough else None),
        log_loss=_difference(loss.mean(0), resampled[1] if len(labels) >= FEWEST_TEXTS else None),
        only_ours=only_ours,
        only_other=only_other,
        mcnemar_p=mcnemar(only_ours, only_other),
    )


def mcnemar(only_ours: int, only_other: int) -> float:
    """Return the two-sided p-value of McNemar's exact test, which is a binomial test.

    Args:
        only_ours: Number of texts that only our model predicts correctly.
        only_other: Number of texts that only the other model predicts correctly.
    """
    return min(1.0, 2 * at_most(min(only_ours, only_other), only_ours + only_other, 0.5))


class _Cells:
    """Texts grouped into cells. All texts of a cell have the same label and the same predictions of both models.

    Accuracy and F1 depend only on the number of texts in each cell.

    Attributes:
        of_text: int64 [texts], cell number of each text.
        counts: int64 [cells], number of texts in each cell.
    """

    def __init__(self, labels: NDArray[Any], ours: NDArray[Any], other: NDArray[Any], classes: int) -> None:
        codes = (labels * classes + ours) * classes + other
        cells, self.of_text, self.counts = np.unique(codes, return_inverse=True, return_counts=True)
        rest, of_other = np.divmod(cells, classes)
        of_label, of_ours = np.divmod(rest, classes)
        one_hot = np.eye(classes)
        # For each cell, one-hot vectors of the label, the predictions and the correct predictions: float64 [cells,
        # classes]. If a prediction of the cell is incorrect, the vector of the correct prediction contains only zeros.
        self._true = one_hot[of_label]
        self._predicted = one_hot[of_ours], one_hot[of_other]
        self._hit = tuple(self._true * predicted for predicted in self._predicted)

    def figures(self, counts: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return (accuracy, macro-F1), each float64 [resamples, 2]. Column 0: our model. Column 1: the other model.

        Args:
            counts: [resamples, cells], number of texts in each cell.
        """
        true = counts @ self._true
        accuracy, macro_f1 = [], []
        for predicted, hit in zip(self._predicted, self._hit, strict=True):
            hits = counts @ hit
            f1 = 2 * hits / np.maximum(1, true + counts @ predicted)
            accuracy.append(hits.sum(1) / counts.sum(1))
            macro_f1.append((f1 * (true > 0)).sum(1) / (true > 0).sum(1))
        return np.stack(accuracy, 1), np.stack(macro_f1, 1)


def _resample(
    cells: _Cells, loss: NDArray[np.float64], resamples: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], ...]:
    """Return (macro-F1, log-loss), each float64 [resamples, 2]: column 0 our model, column 1 the other model.

    Args:
        cells: The texts, grouped by label and predictions.
        loss: float64 [texts, 2], log-loss of our model and of the other model for each text.
        resamples: Number of bootstrap resamples.
        rng: Random number generator.
    """
    texts, width = len(loss), len(cells.counts)
    found = []
    rows_at_once = max(1, _DRAWN_AT_A_TIME // texts)
    for start in range(0, resamples, rows_at_once):
        rows = min(rows_at_once, resamples - start)
        drawn = rng.integers(0, texts, (rows, texts))
        flat_cells = cells.of_text[drawn] + width * np.arange(rows)[:, None]
        counts = np.bincount(flat_cells.reshape(-1), minlength=rows * width).reshape(rows, width)
        found.append((cells.figures(counts)[1], np.stack([of_model[drawn].mean(1) for of_model in loss.T], 1)))
    return tuple(np.concatenate(figure) for figure in zip(*found, strict=True))


def _accuracy_difference(measured: NDArray[np.float64], only_ours: int, only_other: int, texts: int) -> Difference:
    """Return the difference in accuracy. The interval includes 0 exactly if McNemar's test finds no difference.

    Args:
        measured: float64 [2], accuracy of our model and accuracy of the other model.
        only_ours: Number of texts that only our model predicts correctly.
        only_other: Number of texts that only the other model predicts correctly.
        texts: Number of all texts.
    """
    ours, other = measured.tolist()
    discordant = only_ours + only_other
    if discordant < FEWEST_DISCORDANT:
        return Difference(ours, other, ours - other, None, None)
    share = clopper_pearson(only_ours, discordant)
    low, high = ((2 * end - 1) * discordant / texts for end in (share.low, share.high))
    return Difference(ours, other, ours - other, low, high)


def _difference(measured: NDArray[np.float64], resampled: NDArray[np.float64] | None) -> Difference:
    """Return the difference in a metric, with the confidence interval.

    Args:
        measured: float64 [2], value of our model and value of the other model on all texts.
        resampled: float64 [resamples, 2], these two values on each resample. None: no interval.
    """
    ours, other = measured.tolist()
    if resampled is None:
        return Difference(ours, other, ours - other, None, None)
    low, high = np.percentile(resampled[:, 0] - resampled[:, 1], [2.5, 97.5]).tolist()
    return Difference(ours, other, ours - other, low, high)


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"
