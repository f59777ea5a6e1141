"""Which texts are learned from, which choose, and which measure. No text stands in two of the parts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emojob.schemas.errors import OptionError
from emojob.training.data.annotated import Annotated, same_text

Rows = NDArray[np.int64]

_TRAIN, _VALIDATION, _TEST, _DROPPED = 0, 1, 2, 3


@dataclass(frozen=True)
class Split:
    """Row numbers of three parts; dropped: rows left out because their text stands in another part."""

    train: Rows
    validation: Rows
    test: Rows
    dropped: int


def split(annotated: Annotated, test: float, validation: float, seed: int, how: str) -> Split:
    """Part annotated texts. test, validation: shares of the texts, 0 for none; the same seed gives the same parts.

    how: "stratified" keeps each label's share in each part, a conversation whole, and something of each label with two
    texts or more in train; "plain" draws from all texts alike, as scikit-learn's train_test_split does with
    random_state=seed, in its order, validation being what it would draw next. Where a text stands in several parts, it
    is dropped from train first, then from validation. Parts of few texts may be empty. Raises OptionError where the
    shares leave nothing to learn from, or the seed or `how` cannot be.
    """
    if not (0 <= test < 1 and 0 <= validation < 1 and test + validation < 1):
        raise OptionError(
            f"split: test {test:g} and validation {validation:g} leave nothing to learn from; "
            "give shares from 0 on that are below 1 together"
        )
    if not 0 <= seed < 1 << 32:
        raise OptionError(f"split: the seed {seed} is out of range: give 0 to {(1 << 32) - 1}")
    if how not in ("stratified", "plain"):
        raise OptionError(f"split: {how!r} is unknown: give stratified or plain")
    texts = _numbered([same_text(text) for text in annotated.texts])
    if how == "plain":
        parts = _plain(len(texts), test, validation, seed)
        return _apart(parts, texts, np.empty(0, np.int64))
    groups = _groups(annotated, texts)
    part = _stratified(annotated.labels, groups, test, validation, seed)
    return _apart(tuple(np.flatnonzero(part == one) for one in (_TRAIN, _VALIDATION, _TEST)), texts, annotated.labels)


def _plain(rows: int, test: float, validation: float, seed: int) -> tuple[Rows, Rows, Rows]:
    order = np.random.RandomState(seed).permutation(rows).astype(np.int64)
    tested = math.ceil(rows * test)
    behind = min(rows, tested + math.ceil(rows * validation))
    return order[behind:], order[tested:behind], order[:tested]


def _numbered(keys: list[str]) -> Rows:
    """A number for each key, the same for the same."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)


# -- stratified ----------------------------------------------------------------------------------------------------


def _groups(annotated: Annotated, texts: Rows) -> Rows:
    """What goes to one part together, as numbers: a conversation, and where there is none, a text."""
    keys = [
        f"text {texts[row]}" if conversation is None else f"conversation {conversation}"
        for row, conversation in enumerate(annotated.conversations)
    ]
    return _numbered(keys)


def _stratified(labels: Rows, groups: Rows, test: float, validation: float, seed: int) -> Rows:
    """The part of each row: int64 [rows].

    Groups are dealt out label by label, a group's label being that of most of its rows. What the groups of one label
    miss of their number of rows, or have too many, those of the next make up for.
    """
    if not len(labels):
        return np.empty(0, np.int64)
    sizes = np.bincount(groups)
    majority = _majority(labels, groups)
    rows_of = np.bincount(majority, sizes).astype(np.int64)  # rows in groups of each label
    most = np.maximum(rows_of - 1, 0)
    wanted = {_TEST: _quotas(rows_of, test, most)}
    wanted[_VALIDATION] = _quotas(rows_of, validation, np.maximum(most - wanted[_TEST], 0))
    order = np.random.default_rng(seed).permutation(len(sizes))
    part = np.full(len(sizes), _TRAIN, np.int64)
    behind = dict.fromkeys(wanted, 0)  # rows that a part has too few so far
    for label in np.argsort(-rows_of, kind="stable"):
        mine = order[majority[order] == label]
        for one, quotas in wanted.items():
            aim = int(quotas[label]) + behind[one]
            taken = _nearest(np.cumsum(sizes[mine[:-1]]), aim)  # one group at least stays in train
            part[mine[:taken]] = one
            behind[one] = aim - int(sizes[mine[:taken]].sum()) if sizes.max() > 1 else 0
            mine = mine[taken:]
    _bring_home(labels, groups, sizes, part)
    of_rows: Rows = part[groups]
    return of_rows


def _majority(labels: Rows, groups: Rows) -> Rows:
    """The label of most rows of each group, of equal ones the lower id."""
    classes = int(labels.max()) + 1
    pairs, times = np.unique(groups * classes + labels, return_counts=True)
    order = np.lexsort((-pairs, times))  # the winner of each group comes last
    found = np.empty(int(groups.max()) + 1, np.int64)
    found[pairs[order] // classes] = pairs[order] % classes
    return found


def _quotas(sizes: Rows, share: float, most: Rows) -> Rows:
    """`share` of all rows as whole numbers for each label, the largest remainders rounded up; at most `most`."""
    exact = sizes * share
    quotas: Rows = np.minimum(np.floor(exact).astype(np.int64), most)
    missing = (max(1, round(sizes.sum() * share)) if share else 0) - int(quotas.sum())
    by_remainder = np.argsort(-(exact - np.floor(exact)), kind="stable")
    for label in [one for one in by_remainder if quotas[one] < most[one]][: max(0, missing)]:
        quotas[label] += 1
    return quotas


def _nearest(ends: Rows, aim: int) -> int:
    """How many groups come nearest to `aim` rows. ends: rows up to and with each group."""
    if aim <= 0:
        return 0
    return int(np.argmin(np.abs(np.concatenate([[0], ends]) - aim)))


def _bring_home(labels: Rows, groups: Rows, sizes: Rows, part: Rows) -> None:
    """Move to train the smallest group with a label that stands only elsewhere, and not but once. part: of groups."""
    times = np.bincount(labels)
    for label in np.flatnonzero(times > 1):
        mine = groups[labels == label]
        if not (part[mine] == _TRAIN).any():
            part[mine[np.argmin(sizes[mine])]] = _TRAIN


# -- one text, one part --------------------------------------------------------------------------------------------


def _apart(parts: tuple[Rows, ...], texts: Rows, labels: Rows) -> Split:
    """Drop rows so that no text stands in two parts. labels: of which each keeps a text in train; may be empty."""
    train, validation, test = parts
    tested = np.isin(texts, texts[test])
    elsewhere = tested | np.isin(texts, texts[validation])
    ours = np.zeros(len(texts), bool)  # texts that stay in train, and are dropped from the others instead
    for label in np.unique(labels):
        mine = train[labels[train] == label]
        if len(mine) and (elsewhere[mine] & ~ours[mine]).all():
            ours |= texts == texts[mine[0]]
    kept = (
        train[~elsewhere[train] | ours[train]],
        validation[~tested[validation] & ~ours[validation]],
        test[~ours[test]],
    )
    return Split(*kept, dropped=len(texts) - sum(map(len, kept)))
