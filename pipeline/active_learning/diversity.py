"""Texts that differ: near-copies told by the characters they share, and a choice that goes far apart.

Texts are compared by hashed vectors of their character 2- and 3-grams, which need no model and take Korean endings as
they come. The choice is the greedy one of core-sets, farthest first (Sener and Savarese, "Active Learning for
Convolutional Neural Networks: A Core-Set Approach", ICLR 2018), among candidates of low margin (Citovsky et al.,
"Batch Active Learning at Scale", NeurIPS 2021), each weighed by how uncertain it is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 256

#: Cosine from which a text counts as nearly a copy: a word in ten changed is above it, half of the words below.
NEAR = 0.6

_BLOCK = 1024  # texts compared at a time
_DIGITS = re.compile(r"\d+")
_RUNS = re.compile(r"(.)\1{2,}")
_MULTIPLIERS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)  # odd, their bits well spread


def vectors(texts: Sequence[str]) -> NDArray[np.float32]:
    """Hashed character 2- and 3-gram vectors of length 1, float32 [texts, DIMENSIONS].

    Figures count as one figure, and a letter that is drawn out (ㅋㅋㅋㅋ) as two.
    """
    found = np.zeros((len(texts), DIMENSIONS), np.float32)
    for begin in range(0, len(texts), _BLOCK):
        found[begin : begin + _BLOCK] = _block_vectors(texts[begin : begin + _BLOCK])
    return found


def _block_vectors(texts: Sequence[str]) -> NDArray[np.float64]:
    spelt = [f"\x02{_spelt(text)}\x03" for text in texts]  # marks, so that beginnings and ends are grams too
    codes = np.frombuffer("".join(spelt).encode("utf-32-le"), np.uint32).astype(np.uint64)
    owners = np.repeat(np.arange(len(spelt)), [len(one) for one in spelt])
    sums = np.zeros(len(texts) * DIMENSIONS)
    for length in (2, 3):
        grams = np.zeros(len(codes) - length + 1, np.uint64)
        for at in range(length):
            grams = (grams + codes[at : at + len(grams)]) * np.uint64(_MULTIPLIERS[at])
        whole = owners[: len(grams)] == owners[length - 1 :]  # not from one text into the next
        mixed = grams[whole] ^ (grams[whole] >> np.uint64(32))
        places = owners[: len(grams)][whole] * DIMENSIONS + (mixed % np.uint64(DIMENSIONS)).astype(np.int64)
        # grams that fall into one place cancel as often as they add up
        signs = 1.0 - 2.0 * ((mixed >> np.uint64(20)) & np.uint64(1)).astype(np.float64)
        sums += np.bincount(places, signs, minlength=len(sums))
    rows = sums.reshape(len(texts), DIMENSIONS)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9))


def _spelt(text: str) -> str:
    return _RUNS.sub(r"\1\1", _DIGITS.sub("0", unicodedata.normalize("NFKC", text).casefold()))


class Leaders:
    """Texts of which none is nearly a copy of another, gathered in the order in which they come."""

    def __init__(self, most: int) -> None:
        self._vectors = np.empty((most, DIMENSIONS), np.float32)
        self._count = 0

    @property
    def vectors(self) -> NDArray[np.float32]:
        """Those of the leaders, float32 [leaders, DIMENSIONS]."""
        return self._vectors[: self._count]

    @property
    def full(self) -> bool:
        """Whether there is no room for another."""
        return self._count == len(self._vectors)

    def admit(self, new: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Take in those of some texts that are no near-copies of a leader: bool [texts], whether each was taken."""
        admitted = np.zeros(len(new), np.bool_)
        for begin in range(0, len(new), _BLOCK):
            block = new[begin : begin + _BLOCK]
            covered = (block @ self.vectors.T >= NEAR).any(axis=1)
            fresh = np.flatnonzero(~covered)
            alike = block[fresh] @ block[fresh].T >= NEAR
            hidden = np.zeros(len(fresh), np.bool_)
            for i, row in enumerate(fresh):
                if not hidden[i] and not self.full:
                    hidden |= alike[i]
                    admitted[begin + row] = True
                    self._vectors[self._count] = block[row]
                    self._count += 1
        return admitted


def farthest_first(
    vectors: NDArray[np.float32], weights: NDArray[np.float32], classes: NDArray[np.int64], count: int
) -> NDArray[np.int64]:
    """Choose `count` texts one by one, each heavy, far from those chosen, and of a class seldom chosen: their rows.

    vectors: float32 [texts, DIMENSIONS] of length 1; weights: float32 [texts], 0..1; classes: int64 [texts], from 0.
    Of equal ones the first is taken, so that the same texts give the same choice.
    """
    kinds = len(np.unique(classes))
    nearest = np.zeros(len(vectors), np.float32)  # cosine to the nearest text chosen
    taken = np.zeros(int(classes.max(initial=0)) + 1, np.float32)
    open_ = np.ones(len(vectors), np.bool_)
    chosen = np.empty(min(count, len(vectors)), np.int64)
    for i in range(len(chosen)):
        crowding = 1 + taken[classes] * kinds / count  # 2 where a class has its equal share already
        worth = np.where(open_, weights * (1 - nearest) / crowding, -np.inf)
        best = int(worth.argmax())
        chosen[i], open_[best] = best, False
        taken[classes[best]] += 1
        np.maximum(nearest, vectors @ vectors[best], out=nearest)
    return chosen
