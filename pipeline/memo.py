"""The memo: what was inferred once is not inferred again.

Keyed by the token ids, all that the model sees of a text, so "네" and " 네 " share a place. A key is a 128-bit
multilinear hash of the ids (Lemire and Kaser, 2014) with random multipliers; the chance that two texts of a run
of a billion share one is below 1e-12. Bounded: when full, what was asked for least often goes first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.encoded import Encoded

Keys = NDArray[np.uint64]  # [rows, 2]
Probabilities = NDArray[np.float32]  # [rows, labels]

# Others in each run, so that nobody can write texts that share a key.
_MULTIPLIERS = np.random.default_rng().integers(1, 2**64, (2, 1024), dtype=np.uint64, endpoint=False)


def keys_of(encoded: Encoded) -> Keys:
    """One key a row: uint64 [rows, 2]."""
    if not len(encoded):
        return np.empty((0, 2), np.uint64)
    position = np.arange(len(encoded.ids)) - np.repeat(encoded.offsets[:-1], encoded.lengths)
    ids = encoded.ids.astype(np.uint64) + np.uint64(1)
    sums = [np.add.reduceat(ids * multipliers[position], encoded.offsets[:-1]) for multipliers in _MULTIPLIERS]
    return np.stack(sums, axis=1)


class Memo:
    """Probabilities of texts seen before, at most `capacity` of them."""

    def __init__(self, labels: int, capacity: int = 50_000) -> None:
        self.capacity = capacity
        self._keys = np.empty((0, 2), np.uint64)  # sorted by the first half
        self._probabilities = np.empty((0, labels), np.float32)
        self._asked = np.empty(0, np.int64)  # how often each was asked for
        self._last = np.empty(0, np.int64)  # and in which round for the last time
        self._round = 0

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, keys: Keys) -> tuple[NDArray[np.bool_], Probabilities]:
        """Which keys are known, bool [rows], and the probabilities of those, float32 [known, labels]."""
        if not len(self):
            return np.zeros(len(keys), bool), self._probabilities
        at = np.minimum(np.searchsorted(self._keys[:, 0], keys[:, 0]), len(self) - 1)
        known = (self._keys[at] == keys).all(axis=1)
        np.add.at(self._asked, at[known], 1)
        self._last[at[known]] = self._round
        return known, self._probabilities[at[known]]

    def add(self, keys: Keys, probabilities: Probabilities) -> None:
        """Remember the probabilities of keys that `find` did not know, each key once."""
        self._round += 1
        self._keys = np.concatenate([self._keys, keys])
        self._probabilities = np.concatenate([self._probabilities, probabilities])
        self._asked = np.concatenate([self._asked, np.ones(len(keys), np.int64)])
        self._last = np.concatenate([self._last, np.full(len(keys), self._round)])
        if len(self) > self.capacity:
            # asked for most, then most recently: lexsort sorts by its last key first
            keep = np.lexsort((self._last, self._asked))[-self.capacity * 3 // 4 :]
            self._select(keep)
        self._select(np.argsort(self._keys[:, 0], kind="stable"))

    def _select(self, rows: NDArray[np.int64]) -> None:
        self._keys, self._probabilities = self._keys[rows], self._probabilities[rows]
        self._asked, self._last = self._asked[rows], self._last[rows]
