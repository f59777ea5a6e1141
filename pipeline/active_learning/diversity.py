"""Detects near-copies among texts, and chooses texts that are far from each other.

Texts are compared by hashed vectors of their character 2- and 3-grams. Such vectors need no model and work for any
Korean ending. The candidates are texts of low margin (Citovsky et al., "Batch Active Learning at Scale", NeurIPS 2021).
The greedy farthest-first algorithm for core-sets chooses among them (Sener and Savarese, "Active Learning for
Convolutional Neural Networks: A Core-Set Approach", ICLR 2018), weighted by uncertainty.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 256

#: Two texts are near-copies if the cosine of their vectors is at least this value. With one changed word in ten the
#: cosine is higher; with half of the words changed it is lower.
NEAR = 0.6

_BLOCK = 1024  # texts in one matrix product
_DIGITS = re.compile(r"\d+")
_RUNS = re.compile(r"(.)\1{2,}")
_MULTIPLIERS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)  # odd numbers with well-mixed bits


def vectors(texts: Sequence[str]) -> NDArray[np.float32]:
    """Return hashed character 2- and 3-gram vectors of length 1, float32 [texts, DIMENSIONS].

    Before hashing, each number becomes one 0, and a letter repeated three or more times (ㅋㅋㅋㅋ) becomes two letters.
    """
    found = np.zeros((len(texts), DIMENSIONS), np.float32)
    for begin in range(0, len(texts), _BLOCK):
        found[begin : begin + _BLOCK] = _block_vectors(texts[begin : begin + _BLOCK])
    return found


def _block_vectors(texts: Sequence[str]) -> NDArray[np.float64]:
    marked = [
        f"\x02{_normalized(text)}\x03" for text in texts
    ]  # the marks give the first and last characters grams of their own
    codes = np.frombuffer("".join(marked).encode("utf-32-le"), np.uint32).astype(np.uint64)
    owners = np.repeat(np.arange(len(marked)), [len(one) for one in marked])
    sums = np.zeros(len(texts) * DIMENSIONS)
    for length in (2, 3):
        grams = np.zeros(len(codes) - length + 1, np.uint64)
        for at in range(length):
            grams = (grams + codes[at : at + len(grams)]) * np.uint64(_MULTIPLIERS[at])
        whole = owners[: len(grams)] == owners[length - 1 :]  # the gram begins and ends in the same text
        mixed = grams[whole] ^ (grams[whole] >> np.uint64(32))
        slots = owners[: len(grams)][whole] * DIMENSIONS + (mixed % np.uint64(DIMENSIONS)).astype(np.int64)
        # signs make colliding grams cancel as often as they add up
        signs = 1.0 - 2.0 * ((mixed >> np.uint64(20)) & np.uint64(1)).astype(np.float64)
        sums += np.bincount(slots, signs, minlength=len(sums))
    rows = sums.reshape(len(texts), DIMENSIONS)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9))


def _normalized(text: str) -> str:
    return _RUNS.sub(r"\1\1", _DIGITS.sub("0", unicodedata.normalize("NFKC", text).casefold()))


class Leaders:
    """A set of texts without near-copies, filled in order: of several near-copies, only the first is added.

    A text in the set is a leader.

    Args:
        most: Maximum number of leaders.
    """

    def __init__(self, most: int) -> None:
        self._vectors = np.empty((most, DIMENSIONS), np.float32)
        self._count = 0

    @property
    def vectors(self) -> NDArray[np.float32]:
        """Return the vectors of the leaders, float32 [leaders, DIMENSIONS]."""
        return self._vectors[: self._count]

    @property
    def full(self) -> bool:
        """Return whether the set has its maximum number of leaders."""
        return self._count == len(self._vectors)

    def admit(self, new: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Add each text that is not a near-copy of a leader, until the set is full.

        Args:
            new: Vectors of the texts, float32 [texts, DIMENSIONS].

        Returns:
            Whether each text became a leader, bool [texts].
        """
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
    """Choose texts one after another, by a score.

    The score is high for a text with a high weight, far from the texts chosen so far, and of a class with few chosen
    texts. If scores are equal, the first text is chosen. So the same texts always give the same choice.

    Args:
        vectors: float32 [texts, DIMENSIONS], each of length 1.
        weights: float32 [texts], 0..1.
        classes: Class of each text, int64 [texts], from 0.
        count: Number of texts to choose.

    Returns:
        Row numbers of the chosen texts in the order of choice, int64 [min(count, texts)].
    """
    kinds = len(np.unique(classes))
    nearest = np.zeros(len(vectors), np.float32)  # cosine to the nearest chosen text
    taken = np.zeros(int(classes.max(initial=0)) + 1, np.float32)
    available = np.ones(len(vectors), np.bool_)
    chosen = np.empty(min(count, len(vectors)), np.int64)
    for i in range(len(chosen)):
        crowding = 1 + taken[classes] * kinds / count  # 2 if the class already has its equal share of the choice
        score = np.where(available, weights * (1 - nearest) / crowding, -np.inf)
        best = int(score.argmax())
        chosen[i], available[best] = best, False
        taken[classes[best]] += 1
        np.maximum(nearest, vectors @ vectors[best], out=nearest)
    return chosen
