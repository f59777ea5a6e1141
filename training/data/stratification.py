"""Divides groups of texts that carry several labels into parts with similar shares of each label.

Iterative stratification (Sechidis, Tsoumakas and Vlahavas, ECML 2011): the rarest label that is left goes first. Each
group with this label goes to the part that needs the label most.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


def stratified(carried: NDArray[np.bool_], groups: Rows, fractions: Sequence[float], seed: int) -> Rows:
    """Return the part of each row: int64 [rows]. No group is divided.

    Args:
        carried: bool [rows, labels], whether each row carries each label. Rows without a label are also divided.
        groups: int64 [rows], the group number of each row, from 0.
        fractions: Fraction of the rows for each part. The sum must be 1.
        seed: Seed of the order in which equal choices are made.
    """
    if not len(groups):
        return np.empty(0, np.int64)
    sizes = np.bincount(groups)
    counts = np.zeros((len(sizes), carried.shape[1] + 1))
    np.add.at(counts[:, :-1], groups, carried)
    np.add.at(
        counts[:, -1], groups, ~carried.any(axis=1)
    )  # rows without a label count as rows with a label of their own
    shares = np.asarray(fractions, np.float64)
    wanted = counts.sum(axis=0) * shares[:, None]  # rows with each label that each part still needs: [parts, labels]
    wanted_rows = sizes.sum() * shares
    order = np.random.default_rng(seed).permutation(len(sizes))
    part_of_group = np.full(len(sizes), -1, np.int64)
    left = counts.sum(axis=0)
    while (left > 0).any():
        label = int(np.argmin(np.where(left > 0, left, np.inf)))
        for group in order[(counts[order, label] > 0) & (part_of_group[order] < 0)].tolist():
            part = _neediest(wanted[:, label], wanted_rows, shares)
            part_of_group[group] = part
            wanted[part] -= counts[group]
            wanted_rows[part] -= sizes[group]
            left -= counts[group]
        left[label] = 0
    return part_of_group[groups]


def _neediest(of_label: NDArray[np.float64], of_rows: NDArray[np.float64], shares: NDArray[np.float64]) -> int:
    """Return the part that needs a label most; of equal ones, the part that needs rows most, then the first one."""
    usable = shares > 0
    return int(np.lexsort((-of_rows, -np.round(of_label, 9), ~usable))[0])
