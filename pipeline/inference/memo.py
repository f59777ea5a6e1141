"""Implements the memo: a cache of the probabilities of repeated texts. A cached text needs no inference.

The key of a text is a 128-bit hash of its token ids. The model sees only the token ids, so "네" and " 네 " share an
entry. The hash is multilinear (Lemire and Kaser, 2014) with random multipliers. Among a billion texts, the probability
that two texts have the same key is below 1e-12.

The memo is a set-associative table of fixed size:
- Each key belongs to one set of eight slots.
- If all eight slots are taken, a new key replaces the key with the lowest request count. If several keys have the
  lowest request count, the new key replaces the least recently requested of these keys.
- If even the lowest request count is higher than the request count of the new key, the new key is not stored.
- From time to time, all request counts are halved, so that old frequent texts can be replaced (as in TinyLFU; Einziger
  et al., 2017).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emojob.pipeline.models.tokenizer import Encoded

Keys = NDArray[np.uint64]  # [rows, 2]
Probabilities = NDArray[np.float32]  # [rows, labels]
#: (keys, probabilities, request counts, days of the last request)
Contents = tuple[Keys, Probabilities, NDArray[np.uint32], NDArray[np.uint16]]

#: Day of the last request of a text that this run has requested. `memo_file.save` replaces this value by a date.
TODAY = 65_535
#: Day of the last request of a text of an earlier version of emojob, which did not record days.
UNKNOWN_DAY = 0

#: Maximum number of tokens of a text in the memo. Longer texts are almost never repeated: in 712,404 reviews, 46% of
#: the texts with up to 5 tokens are repetitions, but only 0.1% of the texts with at least 48 tokens.
LONGEST = 48

_ENTRIES = 1 << 18  # maximum number of texts
_BYTES = 32 << 20  # maximum size in bytes
_WAYS = 8  # number of slots per set
_AGES = 4  # all request counts are halved after every _AGES * capacity added keys


class Memo:
    """The memo: cached probabilities of texts that the engine has labelled."""

    def __init__(
        self, labels: int, entries: int = _ENTRIES, limit: int = _BYTES, multipliers: Keys | None = None
    ) -> None:
        """Create an empty memo.

        Args:
            labels: Number of labels of the model.
            entries: Maximum number of texts.
            limit: Maximum size of the memo in bytes.
            multipliers: Hash multipliers. To load the keys of another memo, give the multipliers of the other memo.
                None: new random multipliers.
        """
        # random, so that nobody can construct texts with equal keys
        self.multipliers = new_multipliers() if multipliers is None else multipliers
        each = 2 * 8 + 4 * labels + 2 * 4 + 2
        sets = max(1, min(entries, limit // each) // _WAYS)
        self._keys = np.zeros((sets, _WAYS, 2), np.uint64)
        self._probabilities = np.zeros((sets, _WAYS, labels), np.float32)
        self._asked = np.zeros((sets, _WAYS), np.uint32)  # request count; 0 means an empty slot
        self._last = np.zeros((sets, _WAYS), np.uint32)  # value of `_round` at the last request
        self._days = np.zeros((sets, _WAYS), np.uint16)  # days since 1970-01-01, or TODAY
        self._round, self._added = 0, 0

    def __len__(self) -> int:
        return int(np.count_nonzero(self._asked))

    @property
    def capacity(self) -> int:
        """Return the maximum number of texts in the memo."""
        return self._asked.size

    def keys_of(self, encoded: Encoded) -> Keys:
        """Return the memo key of each row: uint64 [rows, 2]."""
        if not len(encoded):
            return np.empty((0, 2), np.uint64)
        position = np.arange(len(encoded.ids)) - np.repeat(encoded.offsets[:-1], encoded.lengths)
        ids = encoded.ids.astype(np.uint64) + np.uint64(1)
        sums = [np.add.reduceat(ids * multipliers[position], encoded.offsets[:-1]) for multipliers in self.multipliers]
        return np.stack(sums, axis=1)

    def find(self, keys: Keys) -> tuple[NDArray[np.bool_], Probabilities]:
        """Look up keys, and add 1 to the request count of each key that is found.

        Returns:
            (whether each key is found, bool [rows]; probabilities of the found keys, float32 [found, labels]).
        """
        known, at = self._where(keys)
        np.add.at(self._asked, at, 1)
        self._last[at] = self._round
        self._days[at] = TODAY
        return known, self._probabilities[at]

    def add(
        self,
        keys: Keys,
        probabilities: Probabilities,
        asked: NDArray[np.uint32] | None = None,
        days: NDArray[np.uint16] | None = None,
    ) -> None:
        """Add keys with their probabilities. The caller must leave out keys that the memo already contains.

        Args:
            keys: uint64 [rows, 2], all different.
            probabilities: float32 [rows, labels].
            asked: uint32 [rows], request count of each key. None: all counts are 1.
            days: uint16 [rows], day of the last request of each key (days since 1970-01-01). None: TODAY.
        """
        self._round += 1
        asked = np.ones(len(keys), np.uint32) if asked is None else asked
        days = np.full(len(keys), TODAY, np.uint16) if days is None else days
        sets = self._sets(keys)
        order = np.argsort(sets, kind="stable")
        starts = np.flatnonzero(np.diff(sets[order], prepend=-1))
        rank = np.arange(len(keys)) - np.repeat(starts, np.diff(starts, append=len(keys)))
        for nth in range(int(rank.max(initial=-1)) + 1):  # each pass inserts at most one key into a set
            self._insert(order[rank == nth], sets, keys, probabilities, asked, days)
        self._added += len(keys)
        if self._added > _AGES * self.capacity:
            self._added = 0
            self._asked -= self._asked // 2  # a count of 1 stays 1, because 0 means an empty slot

    def contents(self) -> Contents:
        """Return (keys, probabilities, request counts, days of the last request) of all texts in the memo."""
        taken = self._asked > 0
        return self._keys[taken], self._probabilities[taken], self._asked[taken], self._days[taken]

    def merge(self, other: Contents) -> None:
        """Add the contents of another memo that has the same multipliers.

        If a key is in both memos, the higher request count and the later day are kept.
        """
        keys, probabilities, asked, days = other
        known, at = self._where(keys)
        self._asked[at] = np.maximum(self._asked[at], asked[known])
        self._days[at] = np.maximum(self._days[at], days[known])
        self.add(keys[~known], probabilities[~known], asked[~known], days[~known])

    def _where(self, keys: Keys) -> tuple[NDArray[np.bool_], tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Return (known, positions).

        `known`: whether each key is in the memo. `positions`: (sets, slots) of the known keys.
        """
        sets = self._sets(keys)
        way = (self._keys[sets, :, 0] == keys[:, :1]).argmax(axis=1)
        known = (self._keys[sets, way] == keys).all(axis=1) & (self._asked[sets, way] > 0)
        return known, (sets[known], way[known])

    def _sets(self, keys: Keys) -> NDArray[np.int64]:
        """Return the index of the set of each key: int64 [rows]."""
        # Mix the bits, so that the keys of similar texts are spread over all sets (splitmix64; Steele et al., 2014).
        scattered = (keys[:, 0] ^ keys[:, 0] >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        scattered = (scattered ^ scattered >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
        high = (scattered ^ scattered >> np.uint64(31)) >> np.uint64(32)
        return ((high * np.uint64(len(self._keys))) >> np.uint64(32)).astype(np.int64)

    def _insert(
        self,
        rows: NDArray[np.int64],
        sets: NDArray[np.int64],
        keys: Keys,
        probabilities: Probabilities,
        asked: NDArray[np.uint32],
        days: NDArray[np.uint16],
    ) -> None:
        """Insert at most one key per set. The docstring of the module explains which keys are replaced.

        `rows` (int64) selects the keys to insert: `keys[rows]` are inserted into `sets[rows]`, with
        `probabilities[rows]`, `asked[rows]` and `days[rows]`.
        """
        own = sets[rows]
        worth = self._asked[own].astype(np.uint64) << np.uint64(32) | self._last[own]
        way = worth.argmin(axis=1)
        wins = self._asked[own, way] <= asked[rows]
        rows, at = rows[wins], (own[wins], way[wins])
        self._keys[at], self._probabilities[at] = keys[rows], probabilities[rows]
        self._asked[at], self._last[at], self._days[at] = asked[rows], self._round, days[rows]


def new_multipliers() -> Keys:
    """Return random multipliers for the hash of a text: uint64 [2, 1024], because a text has at most 1,024 tokens."""
    return np.random.default_rng().integers(1, 2**64, (2, 1024), dtype=np.uint64, endpoint=False)
