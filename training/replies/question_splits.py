"""Splits pairs by question: no question is in two splits, whatever its spelling."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emojob.training.data.annotated import Annotated, AnnotatedCounts
from emojob.training.data.splits import Split, split
from emojob.training.replies.pair_columns import question_key
from emojob.training.replies.pairs import Pairs


def split_questions(pairs: Pairs, validation: float, test: float = 0.0, seed: int = 0) -> Split:
    """Split pairs into train, validation and test. The split contains numbers of pairs, for `Pairs.take`.

    The split of a question depends only on the question (see `question_key`) and on the seed. So a question stays in
    its split if pairs are added or sorted. The fractions are approximate. There are two exceptions: train contains at
    least one question of every category; and no wanted split is empty, if train can keep a question of every category.

    Args:
        pairs: The pairs.
        validation: Fraction of the questions for validation. 0: no validation split.
        test: Fraction of the questions for test. 0: no test split.
        seed: Salt of the hash, from 0 to 2^32 - 1.

    Raises:
        OptionError: The fractions leave no questions for training, or the seed is out of range.
    """
    rows = len(pairs.pairs)
    numbers: dict[str | None, int] = {}
    categories = np.array([numbers.setdefault(pair.category, len(numbers)) for pair in pairs.pairs], np.int64)
    keys = [question_key(pair.question) for pair in pairs.pairs]
    nothing: list[str | None] = [None] * rows
    counts = AnnotatedCounts(rows, 0, 0, 0, 0, 0, 0, rows)
    questions = Annotated(keys, nothing, nothing, categories, tuple(name or "" for name in numbers), counts)
    return _with_every_category(split(questions, test, validation, seed, "hash"), keys, categories)


def _with_every_category(found: Split, keys: list[str], categories: NDArray[np.int64]) -> Split:
    """Return the split with a question of every category in train: questions are moved to train if one is missing."""
    missing = np.setdiff1d(categories, categories[found.train])
    if not len(missing):
        return found
    # all other categories have a question in train, so a missing category has only one pair
    moved_keys = {keys[row] for row in np.flatnonzero(np.isin(categories, missing)).tolist()}
    moved = np.array([row for row, key in enumerate(keys) if key in moved_keys], np.int64)
    return Split(
        np.union1d(found.train, moved),
        np.setdiff1d(found.validation, moved),
        np.setdiff1d(found.test, moved),
        found.dropped,
    )
