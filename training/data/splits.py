"""Split annotated texts into train, validation and test. No text is in two splits.

Texts are the same if the texts and the previous utterances are the same. Without the context `previous`, no text has a
previous utterance.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emojob.schemas.errors import OptionError
from emojob.training.data.annotated import Annotated, TextKey

Rows = NDArray[np.int64]

#: Ways to split. recipes/default.toml explains them.
WAYS = ("hash", "stratified", "plain")

_TRAIN, _VALIDATION, _TEST = 0, 1, 2


@dataclass(frozen=True)
class Split:
    """The rows of the three splits.

    Attributes:
        train: Row numbers of the train split.
        validation: Row numbers of the validation split.
        test: Row numbers of the test split.
        dropped: Number of rows that are in none of the three splits. Each of these rows has the same text as a row in a
            split.
    """

    train: Rows
    validation: Rows
    test: Rows
    dropped: int


def split(annotated: Annotated, test: float, validation: float, seed: int, how: str) -> Split:
    """Split annotated texts into train, validation and test. The same seed gives the same splits.

    `hash`: The split depends only on the text (or on the conversation ID, if there is one) and on the seed. So a text
    stays in its split if texts are added, removed or sorted. The fractions and the shares of the labels are only
    approximate. There are two exceptions, for very few texts: if a label has several texts, train contains at least one
    of them, and no wanted split is empty.

    `stratified`: Each label has a similar share in all splits. All texts of a conversation are in one split. If a label
    has several texts, train contains at least one text with this label.

    `plain`: The texts are shuffled as in scikit-learn's `train_test_split(random_state=seed)`, and then divided. Copies
    of a test text are removed from validation and train. Copies of a validation text are removed from train. If there
    are few texts, a split can be empty.

    Args:
        annotated: The texts.
        test: Fraction of the texts for test. 0: no test split.
        validation: Fraction of the texts for validation. 0: no validation split.
        seed: Seed of the random order, from 0 to 2^32 - 1.
        how: hash, stratified or plain.

    Raises:
        OptionError: The fractions leave no texts for training, or `seed` or `how` is invalid.
    """
    if not (0 <= test < 1 and 0 <= validation < 1 and test + validation < 1):
        raise OptionError(
            f"split: test = {test:g} and validation = {validation:g} are not valid fractions; each must be at least 0, "
            "and the sum must be less than 1"
        )
    if not 0 <= seed < 1 << 32:
        raise OptionError(f"split: the seed {seed} is out of range; give a number from 0 to {(1 << 32) - 1}")
    if how not in WAYS:
        raise OptionError(f"split: how = {how!r} is unknown; give one of {', '.join(WAYS)}")
    keys = annotated.keys()
    texts = _numbered(keys)
    if how == "plain":
        parts = _plain(len(texts), test, validation, seed)
        return _without_shared_texts(parts, texts, np.empty(0, np.int64))
    groups = _groups(annotated, texts)
    if how == "hash":
        part = _by_hash(annotated.labels, groups, _positions(annotated, keys, groups, seed), test, validation)
    else:
        part = _stratified(annotated.labels, groups, test, validation, seed)
    parts = (np.flatnonzero(part == _TRAIN), np.flatnonzero(part == _VALIDATION), np.flatnonzero(part == _TEST))
    return _without_shared_texts(parts, texts, annotated.labels)


def _plain(rows: int, test: float, validation: float, seed: int) -> tuple[Rows, Rows, Rows]:
    order = np.random.RandomState(seed).permutation(rows).astype(np.int64)
    test_end = math.ceil(rows * test)
    validation_end = min(rows, test_end + math.ceil(rows * validation))
    return order[validation_end:], order[test_end:validation_end], order[:test_end]


def _numbered(keys: Sequence[Hashable]) -> Rows:
    """Number the keys 0, 1, 2, ... in the order of first occurrence. Equal keys get equal numbers."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)


# -- hash ----------------------------------------------------------------------------------------------------------


def _positions(annotated: Annotated, keys: list[TextKey], groups: Rows, seed: int) -> NDArray[np.float64]:
    """Return a number from 0 to 1 for each group, which is a hash of the conversation ID or of the text.

    Args:
        annotated: The texts.
        keys: The key of each text.
        groups: int64 [rows]: the group number of each row.
        seed: Salt of the hash.

    Returns:
        float64 [groups].
    """
    salt = f"split {seed}".encode()
    _, first_rows = np.unique(groups, return_index=True)
    positions = np.empty(len(first_rows))
    for group, row in enumerate(first_rows.tolist()):
        conversation = annotated.conversations[row]
        words = ("text", *keys[row]) if conversation is None else ("conversation", conversation)
        content = "\0".join(words).encode("utf-8", "surrogatepass")
        positions[group] = int.from_bytes(hashlib.blake2b(content, digest_size=8, key=salt).digest()) / 2**64
    return positions


def _by_hash(labels: Rows, groups: Rows, positions: NDArray[np.float64], test: float, validation: float) -> Rows:
    """Return the split of each row: test for the lowest positions, validation for the highest, else train.

    The two ranges are at opposite ends, so the validation split is the same with and without a test split.

    Args:
        labels: int64 [rows]: the label id of each row.
        groups: int64 [rows]: the group number of each row.
        positions: float64 [groups]: the position of each group, from 0 to 1.
        test: Fraction of the groups for test.
        validation: Fraction of the groups for validation.
    """
    if not len(labels):
        return np.empty(0, np.int64)
    sizes = np.bincount(groups)
    part = np.where(positions < test, _TEST, np.where(positions >= 1 - validation, _VALIDATION, _TRAIN))
    for label in np.flatnonzero(np.bincount(labels) > 1):
        candidates = np.unique(groups[labels == label])
        if not (part[candidates] == _TRAIN).any():
            validation_first = np.lexsort((sizes[candidates], part[candidates] == _TEST))
            part[candidates[validation_first[0]]] = _TRAIN
    for split_id, fraction, order in ((_TEST, test, positions), (_VALIDATION, validation, -positions)):
        if fraction and not (part == split_id).any():
            spare = _spare_groups(labels, groups, part)
            if len(spare):
                part[spare[np.argmin(order[spare])]] = split_id
    part_of_row: Rows = part[groups]
    return part_of_row


def _spare_groups(labels: Rows, groups: Rows, part: Rows) -> Rows:
    """Return the train groups without which train still has all its labels."""
    in_train = part[groups] == _TRAIN
    pairs = np.unique(np.stack([labels[in_train], groups[in_train]]), axis=1)  # (label, group)
    groups_of_label = np.bincount(pairs[0], minlength=int(labels.max()) + 1)
    needed = pairs[1][groups_of_label[pairs[0]] == 1]
    return np.setdiff1d(pairs[1], needed)


# -- stratified ----------------------------------------------------------------------------------------------------


def _groups(annotated: Annotated, texts: Rows) -> Rows:
    """Return a group number for each row. All rows of a group go to the same split.

    The rows of a conversation form a group. Rows without a conversation form a group if they have the same text.
    """
    keys = [
        f"text {texts[row]}" if conversation is None else f"conversation {conversation}"
        for row, conversation in enumerate(annotated.conversations)
    ]
    return _numbered(keys)


def _stratified(labels: Rows, groups: Rows, test: float, validation: float, seed: int) -> Rows:
    """Return the split of each row: `_TRAIN`, `_VALIDATION` or `_TEST`.

    The label of a group is the most frequent label of the group. Groups are assigned to splits label by label, and are
    never divided. If a split gets too many (or too few) rows of one label, the split gets fewer (or more) rows of the
    next label.

    Args:
        labels: int64 [rows]: the label id of each row.
        groups: int64 [rows]: the group number of each row.
        test: Fraction of the rows for test.
        validation: Fraction of the rows for validation.
        seed: Seed of the random order of the groups.
    """
    if not len(labels):
        return np.empty(0, np.int64)
    sizes = np.bincount(groups)
    majority = _majority(labels, groups)
    rows_of_label = np.bincount(majority, sizes).astype(np.int64)
    most = np.maximum(rows_of_label - 1, 0)
    quotas = {_TEST: _quotas(rows_of_label, test, most)}
    quotas[_VALIDATION] = _quotas(rows_of_label, validation, np.maximum(most - quotas[_TEST], 0))
    order = np.random.default_rng(seed).permutation(len(sizes))
    part_of_group = np.full(len(sizes), _TRAIN, np.int64)
    deficit = dict.fromkeys(quotas, 0)  # number of rows that each split still needs
    for label in np.argsort(-rows_of_label, kind="stable"):
        unassigned = order[majority[order] == label]
        for part, quota in quotas.items():
            target = int(quota[label]) + deficit[part]
            # the last group of each label stays in train
            taken = _nearest_count(np.cumsum(sizes[unassigned[:-1]]), target)
            part_of_group[unassigned[:taken]] = part
            deficit[part] = target - int(sizes[unassigned[:taken]].sum()) if sizes.max() > 1 else 0
            unassigned = unassigned[taken:]
    _keep_labels_in_train(labels, groups, sizes, part_of_group)
    part_of_row: Rows = part_of_group[groups]
    return part_of_row


def _majority(labels: Rows, groups: Rows) -> Rows:
    """Return the most frequent label id of each group; in a tie, the lowest id."""
    classes = int(labels.max()) + 1
    pairs, times = np.unique(groups * classes + labels, return_counts=True)
    order = np.lexsort((-pairs, times))  # the most frequent label is last, so the assignment below keeps this label
    majority = np.empty(int(groups.max()) + 1, np.int64)
    majority[pairs[order] // classes] = pairs[order] % classes
    return majority


def _quotas(sizes: Rows, fraction: float, most: Rows) -> Rows:
    """Return how many rows of each label go to a split, rounded with the largest remainder method.

    Args:
        sizes: int64 [labels]: the number of rows of each label.
        fraction: Fraction of all rows for the split.
        most: int64 [labels]: the maximum number of rows of each label for the split.
    """
    exact = sizes * fraction
    quotas: Rows = np.minimum(np.floor(exact).astype(np.int64), most)
    missing = (max(1, round(sizes.sum() * fraction)) if fraction else 0) - int(quotas.sum())
    by_remainder = np.argsort(-(exact - np.floor(exact)), kind="stable")
    for label in [label for label in by_remainder if quotas[label] < most[label]][: max(0, missing)]:
        quotas[label] += 1
    return quotas


def _nearest_count(ends: Rows, target: int) -> int:
    """Return how many of the first groups together have about `target` rows.

    Args:
        ends: int64 [groups]: the total number of rows in all groups up to each group.
        target: The wanted number of rows.
    """
    if target <= 0:
        return 0
    return int(np.argmin(np.abs(np.concatenate([[0], ends]) - target)))


def _keep_labels_in_train(labels: Rows, groups: Rows, sizes: Rows, part_of_group: Rows) -> None:
    """Move groups to train until every label that occurs in several rows is in train. Changes `part_of_group`."""
    times = np.bincount(labels)
    for label in np.flatnonzero(times > 1):
        candidates = groups[labels == label]
        if not (part_of_group[candidates] == _TRAIN).any():
            part_of_group[candidates[np.argmin(sizes[candidates])]] = _TRAIN


# -- texts in several splits ---------------------------------------------------------------------------------------


def _without_shared_texts(parts: tuple[Rows, Rows, Rows], texts: Rows, labels: Rows) -> Split:
    """Return the splits. If a text is in several splits, keep the text only in one split.

    Args:
        parts: Row numbers of train, validation and test.
        texts: int64 [rows]: a number for each text key. Equal keys have equal numbers.
        labels: int64 [rows]: the label id of each row. Every label in train keeps at least one text in train. Empty:
            do not consider labels.
    """
    train, validation, test = parts
    in_test = np.isin(texts, texts[test])
    in_others = in_test | np.isin(texts, texts[validation])
    stays = np.zeros(len(texts), bool)  # True: keep this text only in train
    for label in np.unique(labels):
        candidates = train[labels[train] == label]
        if len(candidates) and (in_others[candidates] & ~stays[candidates]).all():
            stays |= texts == texts[candidates[0]]
    kept = (
        train[~in_others[train] | stays[train]],
        validation[~in_test[validation] & ~stays[validation]],
        test[~stays[test]],
    )
    return Split(*kept, dropped=len(texts) - sum(map(len, kept)))
