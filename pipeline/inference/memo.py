"""The memo: what was inferred once is not inferred again.

Keyed by the token ids, all that the model sees of a text, so "네" and " 네 " share a place. A key is a 128-bit
multilinear hash of the ids (Lemire and Kaser, 2014) with random multipliers; the chance that two texts of a run
of a billion share one is below 1e-12.

A table of fixed size: a key has eight places where it may stand, and among the texts there frequency comes before
recency. Where all eight are taken, a new one takes the place of the one that was asked for least, then longest ago; but
one that was asked for again is not driven out by texts that were seen once. All counts are halved from time to time, so
that what was frequent long ago makes room in the end (as in TinyLFU; Einziger et al., 2017).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emojob.pipeline.models.tokenizer import Encoded

Keys = NDArray[np.uint64]  # [rows, 2]
Probabilities = NDArray[np.float32]  # [rows, labels]
Contents = tuple[Keys, Probabilities, NDArray[np.uint32]]  # and how often each was asked for

#: Tokens of the longest text that is remembered. Of 712,404 reviews, 46% of those of up to 5 tokens repeat others, 0.3%
#: of those of 9 to 47, 0.1% of longer ones: these would only drive others out.
LONGEST = 48

_ENTRIES = 1 << 18  # texts at most
_BYTES = 32 << 20  # and at most so many bytes of them, however many labels a model has
_WAYS = 8  # places where a key may stand
_AGES = 4  # the counts are halved when so many times as many texts as there are places were added


class Memo:
    """Probabilities of texts seen before. multipliers: of an earlier memo whose keys are to count; None: new ones."""

    def __init__(
        self, labels: int, entries: int = _ENTRIES, limit: int = _BYTES, multipliers: Keys | None = None
    ) -> None:
        # random, so that nobody can write texts that share a key
        self.multipliers = new_multipliers() if multipliers is None else multipliers
        each = 2 * 8 + 4 * labels + 2 * 4
        sets = max(1, min(entries, limit // each) // _WAYS)
        self._keys = np.zeros((sets, _WAYS, 2), np.uint64)
        self._probabilities = np.zeros((sets, _WAYS, labels), np.float32)
        self._asked = np.zeros((sets, _WAYS), np.uint32)  # how often; 0: nothing stands here
        self._last = np.zeros((sets, _WAYS), np.uint32)  # in which round for the last time
        self._round, self._added = 0, 0

    def __len__(self) -> int:
        return int(np.count_nonzero(self._asked))

    @property
    def capacity(self) -> int:
        """How many texts it holds at most."""
        return self._asked.size

    def keys_of(self, encoded: Encoded) -> Keys:
        """One key a row: uint64 [rows, 2]."""
        if not len(encoded):
            return np.empty((0, 2), np.uint64)
        position = np.arange(len(encoded.ids)) - np.repeat(encoded.offsets[:-1], encoded.lengths)
        ids = encoded.ids.astype(np.uint64) + np.uint64(1)
        sums = [np.add.reduceat(ids * multipliers[position], encoded.offsets[:-1]) for multipliers in self.multipliers]
        return np.stack(sums, axis=1)

    def find(self, keys: Keys) -> tuple[NDArray[np.bool_], Probabilities]:
        """Which keys are known, bool [rows], and the probabilities of those, float32 [known, labels]."""
        known, at = self._where(keys)
        np.add.at(self._asked, at, 1)
        self._last[at] = self._round
        return known, self._probabilities[at]

    def add(self, keys: Keys, probabilities: Probabilities, asked: NDArray[np.uint32] | None = None) -> None:
        """Remember the probabilities of keys that `find` did not know, each key once.

        asked: how often each was asked for so far; None: this once.
        """
        self._round += 1
        asked = np.ones(len(keys), np.uint32) if asked is None else asked
        sets = self._sets(keys)
        order = np.argsort(sets, kind="stable")
        begins = np.flatnonzero(np.diff(sets[order], prepend=-1))
        rank = np.arange(len(keys)) - np.repeat(begins, np.diff(begins, append=len(keys)))
        for nth in range(int(rank.max(initial=-1)) + 1):  # one for each set at a time
            self._place(order[rank == nth], sets, keys, probabilities, asked)
        self._added += len(keys)
        if self._added > _AGES * self.capacity:
            self._added = 0
            self._asked -= self._asked // 2  # one that stands here stays at 1

    def contents(self) -> Contents:
        """Its keys, their probabilities, and how often each was asked for."""
        taken = self._asked > 0
        return self._keys[taken], self._probabilities[taken], self._asked[taken]

    def merge(self, other: Contents) -> None:
        """Remember what another memo with the same multipliers holds as well; of two counts the higher one counts."""
        keys, probabilities, asked = other
        known, at = self._where(keys)
        self._asked[at] = np.maximum(self._asked[at], asked[known])
        self.add(keys[~known], probabilities[~known], asked[~known])

    def _where(self, keys: Keys) -> tuple[NDArray[np.bool_], tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Which keys are known, bool [rows], and where those stand: set and way, int64 [known] each."""
        sets = self._sets(keys)
        way = (self._keys[sets, :, 0] == keys[:, :1]).argmax(axis=1)
        known = (self._keys[sets, way] == keys).all(axis=1) & (self._asked[sets, way] > 0)
        return known, (sets[known], way[known])

    def _sets(self, keys: Keys) -> NDArray[np.int64]:
        # texts that differ in one token have keys at even distances; not scattered (as splitmix64 does; Steele et al.,
        # 2014), many of them would share a set
        scattered = (keys[:, 0] ^ keys[:, 0] >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        scattered = (scattered ^ scattered >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
        high = (scattered ^ scattered >> np.uint64(31)) >> np.uint64(32)
        return ((high * np.uint64(len(self._keys))) >> np.uint64(32)).astype(np.int64)

    def _place(
        self,
        rows: NDArray[np.int64],
        sets: NDArray[np.int64],
        keys: Keys,
        probabilities: Probabilities,
        asked: NDArray[np.uint32],
    ) -> None:
        """Put some of the keys, no two of one set, where the least is lost."""
        within = sets[rows]
        worth = self._asked[within].astype(np.uint64) << np.uint64(32) | self._last[within]
        way = worth.argmin(axis=1)
        wins = self._asked[within, way] <= asked[rows]
        rows, at = rows[wins], (within[wins], way[wins])
        self._keys[at], self._probabilities[at] = keys[rows], probabilities[rows]
        self._asked[at], self._last[at] = asked[rows], self._round


def new_multipliers() -> Keys:
    """Random multipliers for keys: uint64 [2, tokens of the longest text a BERT may be given, and more]."""
    return np.random.default_rng().integers(1, 2**64, (2, 1024), dtype=np.uint64, endpoint=False)
