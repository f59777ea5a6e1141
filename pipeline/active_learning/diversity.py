"""Detects near-copies among texts, and chooses texts that differ from each other.

Each text becomes a vector of hashed character 2-grams and 3-grams. The cosine of two vectors measures how similar two
texts are. No model is needed. Two sentences that differ only in a Korean verb ending (어미) have similar vectors.

`farthest_first` is a greedy core-set algorithm (Sener and Savarese, "Active Learning for Convolutional Neural Networks:
A Core-Set Approach", ICLR 2018). Unlike the original algorithm, it prefers the most uncertain texts (Citovsky et al.,
"Batch Active Learning at Scale", NeurIPS 2021).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 256

#: Two texts are near-copies if the cosine of their vectors is at least 0.6. If one word in ten differs, the cosine is
#: above 0.6. If half of the words differ, the cosine is below 0.6.
NEAR = 0.6

_BLOCK = 1024  # number of texts per matrix product
_DIGITS = re.compile(r"\d+")
_RUNS = re.compile(r"(.)\1{2,}")
# hash multipliers for the first, second and third character of a 2-gram or 3-gram
_MULTIPLIERS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)


def vectors(texts: Sequence[str]) -> NDArray[np.float32]:
    """Return one vector for each text, made of hashed character 2-grams and 3-grams: float32 [texts, DIMENSIONS].

    Before hashing, each number becomes 0 (2026년 -> 0년). Three or more equal characters in a row become two
    (ㅋㅋㅋ -> ㅋㅋ).
    Each vector has length 1 (Euclidean norm).
    """
    found = np.zeros((len(texts), DIMENSIONS), np.float32)
    for begin in range(0, len(texts), _BLOCK):
        found[begin : begin + _BLOCK] = _block_vectors(texts[begin : begin + _BLOCK])
    return found


def _block_vectors(texts: Sequence[str]) -> NDArray[np.float64]:
    # \x02 marks the beginning of a text, \x03 marks the end
    marked = [f"\x02{_normalized(text)}\x03" for text in texts]
    codes = np.frombuffer("".join(marked).encode("utf-32-le"), np.uint32).astype(np.uint64)
    owners = np.repeat(np.arange(len(marked)), [len(one) for one in marked])
    sums = np.zeros(len(texts) * DIMENSIONS)
    for length in (2, 3):
        grams = np.zeros(len(codes) - length + 1, np.uint64)
        for at in range(length):
            grams = (grams + codes[at : at + len(grams)]) * np.uint64(_MULTIPLIERS[at])
        whole = owners[: len(grams)] == owners[length - 1 :]  # False for an n-gram that spans two texts
        mixed = grams[whole] ^ (grams[whole] >> np.uint64(32))
        slots = owners[: len(grams)][whole] * DIMENSIONS + (mixed % np.uint64(DIMENSIONS)).astype(np.int64)
        # If two n-grams share a slot, their values cancel out on average, because the hash also gives a random sign.
        signs = 1.0 - 2.0 * ((mixed >> np.uint64(20)) & np.uint64(1)).astype(np.float64)
        sums += np.bincount(slots, signs, minlength=len(sums))
    rows = sums.reshape(len(texts), DIMENSIONS)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9))


def _normalized(text: str) -> str:
    return _RUNS.sub(r"\1\1", _DIGITS.sub("0", unicodedata.normalize("NFKC", text).casefold()))


class Leaders:
    """A set in which no two texts are near-copies (see NEAR). Each text in the set is called a leader.

    `most` is the maximum number of leaders.
    """

    def __init__(self, most: int) -> None:
        self._vectors = np.empty((most, DIMENSIONS), np.float32)
        self._count = 0

    @property
    def vectors(self) -> NDArray[np.float32]:
        """Return the vectors of the texts in the set: float32 [leaders, DIMENSIONS]."""
        return self._vectors[: self._count]

    @property
    def full(self) -> bool:
        """Return whether the set contains the maximum number of texts."""
        return self._count == len(self._vectors)

    def admit(self, new: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Add texts to the set, in order, until the set is full.

        A text is skipped if the set already contains a near-copy of the text.


        Args:
            new: Vectors of the texts to add: float32 [texts, DIMENSIONS].

        Returns:
            Whether each text was added: bool [texts].
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
    """Choose texts that have high weights and are far from each other.

    Each step chooses the text with the highest score (the first text, if scores are equal). A text has a high score if:
    - its weight is high
    - it is far from the texts that are already chosen
    - few texts of its class are already chosen

    Args:
        vectors: Vectors of the texts, each of length 1: float32 [texts, DIMENSIONS].
        weights: Weight of each text, 0 to 1: float32 [texts].
        classes: Class number of each text, from 0: int64 [texts].
        count: Number of texts to choose.

    Returns:
        Indexes of the chosen texts, in the order of choice: int64 [min(count, texts)].
    """
    kinds = len(np.unique(classes))
    nearest = np.zeros(len(vectors), np.float32)  # for each text, its highest cosine similarity to a chosen text
    taken = np.zeros(int(classes.max(initial=0)) + 1, np.float32)
    available = np.ones(len(vectors), np.bool_)
    chosen = np.empty(min(count, len(vectors)), np.int64)
    for i in range(len(chosen)):
        # 1 if no text of the class is chosen; 2 if the class already has an equal share (count / kinds texts)
        crowding = 1 + taken[classes] * kinds / count
        score = np.where(available, weights * (1 - nearest) / crowding, -np.inf)
        best = int(score.argmax())
        chosen[i], available[best] = best, False
        taken[classes[best]] += 1
        np.maximum(nearest, vectors @ vectors[best], out=nearest)
    return chosen
