"""Finds out in which order the labels of a model belong to its outputs, with annotated texts.

A number means nothing on its own: the same six emotions are numbered in several ways, and a model with labels in the
wrong order gives wrong labels without an error. `check_order` counts how often each output wins for the texts of each
label. These counts give the accuracy of every order of the labels.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emojob.pipeline.inference.scorer import Scorer
from emojob.schemas.errors import DataError
from emojob.schemas.labels import DEFAULT_LABELS
from emojob.schemas.messages import listed
from emojob.schemas.options import ModelOptions
from emojob.training.data.annotated import annotate
from emojob.training.data.corpus import CorpusOptions, read_corpus
from emojob.training.data.label_map import canonical, read_label_map
from emojob.training.evaluation.predict import OnScored, score_annotated

_MOST_TRIED = 8  # labels; with more labels, only the best order is computed, not all orders
_SHOWN = 3  # orders in the list, besides the given order and the usual ones
_CERTAIN = 0.05  # largest p-value at which another order counts as better


@dataclass(frozen=True)
class Order:
    """An order of the labels, and how well it fits the texts.

    Attributes:
        labels: The label of each output.
        correct: Number of texts whose label is that of the winning output.
        accuracy: `correct` divided by the number of texts.
        name: What the order is known as, such as "given" or "alphabetical"; "" for other orders.
    """

    labels: tuple[str, ...]
    correct: int
    accuracy: float
    name: str = ""


@dataclass(frozen=True)
class OrderCheck:
    """The accuracy of a model under the orders of its labels.

    Attributes:
        data: One line about the texts: file, rows, and rows that are left out.
        texts: Number of texts.
        orders: Orders to show, the best first. They contain the given order and the usual orders.
        tried: Number of orders that were compared.
        most_frequent: Accuracy of always giving the most frequent label.
        without_texts: Labels of which the file has no text, so that their places are not checked.
        given: The given order.
        p_value: p-value of a sign test between the best and the given order.
        ties: Number of orders that are as accurate as the best one, without the best one.
    """

    data: str
    texts: int
    orders: tuple[Order, ...]
    tried: int
    most_frequent: float
    without_texts: tuple[str, ...]
    given: Order
    p_value: float
    ties: int

    @property
    def best(self) -> Order:
        """The order with the highest accuracy; the given order if several orders have this accuracy."""
        return self.orders[0]

    @property
    def is_wrong(self) -> bool:
        """Whether another order is clearly better than the given one."""
        return self.best.correct > self.given.correct and self.p_value < _CERTAIN

    def notes(self) -> list[str]:
        """Return what limits the conclusion, one line each."""
        notes = []
        if self.best.correct > self.given.correct and not self.is_wrong:
            notes.append(
                f"another order has {self.best.correct - self.given.correct} more correct texts, which can be chance; "
                f"give a file with more texts"
            )
        if self.without_texts:
            notes.append(
                f"the file has no text with the {'label' if len(self.without_texts) == 1 else 'labels'} "
                f"{listed(self.without_texts)}"
                + ("" if len(self.without_texts) == 1 else ", so the order of these labels is not checked")
            )
        elif self.ties:
            notes.append(f"{self.ties:,} other orders are as accurate as the best one; give a file with more texts")
        if self.best.accuracy <= self.most_frequent:
            notes.append(
                f"no order is better than always the most frequent label ({self.most_frequent:.3f}); check the "
                f"tokenizer, and whether the model was trained for these labels"
            )
        return notes


def check_order(
    model: Path,
    data: Path,
    corpus: CorpusOptions,
    label_map: str | None,
    on_scored: OnScored = lambda done, total: None,
) -> OrderCheck:
    """Measure a model under the orders of its labels.

    Args:
        model: The model folder. Its labels are the given order.
        data: File with texts and labels.
        corpus: Columns and encoding.
        label_map: Name or path of a label map. None: use the labels as written in the file.
        on_scored: callback(done, total), called after each chunk of texts.

    Raises:
        InputError: The file cannot be used, or has labels that the model does not have.
    """
    scorer = Scorer.load(str(model), ModelOptions(precision="fp32", max_length=_max_length(model)))
    names = tuple(canonical(label) for label in scorer.model.labels)
    annotated = annotate(read_corpus([data], corpus), read_label_map(label_map), names)
    if not annotated.texts:
        raise DataError(
            f"--check {data} has no text with a usable label ({annotated.counts.summary()}): give a label map with "
            f"--label-map, or give another file"
        )
    probabilities = score_annotated([scorer], annotated, on_scored)[0]
    readable = ~np.isnan(probabilities).any(1)
    if not readable.any():
        raise DataError(f"--check {data}: the texts contain no tokens, so they may be blank: check --text-column")
    counts = np.zeros((len(names), len(names)), np.int64)
    np.add.at(counts, (annotated.labels[readable], probabilities[readable].argmax(1)), 1)
    return compare_orders(counts, names, f"{data.name}: {annotated.counts.summary()}")


def _max_length(model: Path) -> int:
    from emojob.pipeline.models.model_folder import read_config

    return min(64, int(read_config(model, str(model))["max_position_embeddings"]))


def compare_orders(counts: NDArray[np.int64], names: tuple[str, ...], data: str = "") -> OrderCheck:
    """Compare the orders of the labels.

    Args:
        counts: int64 [labels, outputs]: number of texts with this label for which this output wins.
        names: The labels, in the given order.
        data: One line about the texts.
    """
    texts, size = int(counts.sum()), len(names)
    identity = np.arange(size)
    if size <= _MOST_TRIED:
        tried = np.array(list(itertools.permutations(range(size))))
        correct = counts[tried, identity].sum(1)
    else:
        tried = np.stack([identity, _best_order(counts)])
        correct = counts[tried, identity].sum(1)
    ranked = np.lexsort((np.arange(len(tried)), -correct))  # the given order comes first among equals
    ties = int((correct == correct.max()).sum()) - 1

    def order(row: NDArray[np.int64], name: str) -> Order:
        right = int(counts[row, identity].sum())
        return Order(tuple(names[i] for i in row), right, right / texts, name)

    known = _known_orders(names)
    shown = {tuple(row): name for row, name in known}
    for i in ranked[:_SHOWN]:
        shown.setdefault(tuple(tried[i].tolist()), "")
    orders = sorted(
        (order(np.array(row), name) for row, name in shown.items()),
        key=lambda one: (-one.correct, one.name != "given"),
    )
    given = order(identity, "given")
    return OrderCheck(
        data=data,
        texts=texts,
        orders=tuple(orders),
        tried=len(tried) if size <= _MOST_TRIED else math.factorial(size),
        most_frequent=float(counts.sum(1).max()) / texts,
        without_texts=tuple(name for name, row in zip(names, counts, strict=True) if not row.sum()),
        given=given,
        p_value=_sign_test(counts, tried[ranked[0]]),
        ties=ties,
    )


def _known_orders(names: Sequence[str]) -> list[tuple[tuple[int, ...], str]]:
    """Return (order, name) for the given order and the usual ones. An order is the index in `names` of each output."""
    index = {name: i for i, name in enumerate(names)}
    orders = [(tuple(range(len(names))), "given")]
    if set(names) == set(DEFAULT_LABELS):
        orders.append((tuple(index[name] for name in DEFAULT_LABELS), "emojob's default model"))
    orders.append((tuple(index[name] for name in sorted(names)), "alphabetical, as LabelEncoder numbers"))
    unique: dict[tuple[int, ...], str] = {}
    for order, name in orders:
        unique.setdefault(order, name)
    return list(unique.items())


def _sign_test(counts: NDArray[np.int64], best: NDArray[np.int64]) -> float:
    """Return the two-sided p-value of a sign test between an order and the given order."""
    moved = np.flatnonzero(best != np.arange(len(best)))
    better = int(counts[best[moved], moved].sum())
    worse = int(counts[moved, moved].sum())
    n, k = better + worse, min(better, worse)
    if n == 0 or better == worse:
        return 1.0
    if n > 1000:  # the normal approximation
        return float(math.erfc((abs(better - worse) - 1) / math.sqrt(2 * n)))
    return float(min(1.0, 2 * sum(math.comb(n, i) for i in range(k + 1)) / 2**n))


def _best_order(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the order with the most correct texts: int64 [outputs], the label of each output.

    This is the assignment problem, solved with shortest augmenting paths (Kuhn 1955, Jonker and Volgenant 1987).
    """
    cost = -counts.T.astype(np.float64)  # [outputs, labels]
    size = len(cost)
    u, v = np.zeros(size + 1), np.zeros(size + 1)
    output_of = np.zeros(size + 1, np.int64)  # 1-based output of each label; 0: none yet
    for i in range(1, size + 1):
        output_of[0], label = i, 0
        least, before = np.full(size + 1, np.inf), np.zeros(size + 1, np.int64)
        used = np.zeros(size + 1, bool)
        while True:
            used[label] = True
            row = output_of[label]
            reduced = cost[row - 1] - u[row] - v[1:]
            closer = ~used[1:] & (reduced < least[1:])
            least[1:][closer], before[1:][closer] = reduced[closer], label
            candidates = np.where(used[1:], np.inf, least[1:])
            following = int(candidates.argmin()) + 1
            step = candidates[following - 1]
            u[output_of[used]] += step
            v[used] -= step
            least[~used] -= step
            label = following
            if output_of[label] == 0:
                break
        while label:
            output_of[label], label = output_of[before[label]], int(before[label])
    order = np.empty(size, np.int64)
    order[output_of[1:] - 1] = np.arange(size)
    return order
