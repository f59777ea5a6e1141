"""Turns texts into vectors of their character n-grams. Texts with the same parts of words have a high cosine.

The n-grams of a text have TF-IDF weights. A random projection makes a short vector of the weights: each n-gram adds its
weight, with a sign, to a few numbers of the vector, and a hash of the n-gram decides on them (count sketch; Charikar et
al., 2002: "Finding Frequent Items in Data Streams"). The cosine of two vectors is near to the TF-IDF cosine of the
texts.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

#: Number of dimensions of a vector.
SIZE = 512

#: Number of different weights. A hash assigns a weight to an n-gram.
BUCKETS = 1 << 16

_LONGEST = 3  # characters of an n-gram
_CHARACTERS = 256  # of a text; the rest is ignored
_PLACES = 4  # numbers of the vector to which an n-gram is added
_TEXTS = 4096  # number of texts that are read at a time


def fit_weights(texts: Sequence[str]) -> NDArray[np.float32]:
    """Return the weight of the n-grams of each bucket: the logarithm of how rare they are in the texts.

    Args:
        texts: Texts such as those that are encoded later.

    Returns:
        float32 [BUCKETS].
    """
    counts = np.zeros(BUCKETS, np.int64)
    for start in range(0, len(texts), _TEXTS):
        hashes, _, _ = _grams(texts[start : start + _TEXTS])
        counts += np.bincount(_buckets(hashes), minlength=BUCKETS)
    return (np.log((1 + len(texts)) / (1 + np.minimum(counts, len(texts)))) + 1).astype(np.float32)


def vectors(texts: Sequence[str | None], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the vectors of texts. The vector of a text does not depend on the other texts.

    Args:
        texts: The texts. None is like a text without characters.
        weights: float32 [BUCKETS], from `fit_weights`.

    Returns:
        float32 [texts, SIZE]. Each vector has the length 1; the vector of a text without characters is zero.
    """
    hashes, rows, counts = _grams(texts)
    values = weights[_buckets(hashes)] * (1 + np.log(counts))
    sums = np.zeros(len(texts) * SIZE)
    for place in range(_PLACES):
        mixed = _mixed(hashes + np.uint64(place + 1))
        at = rows * SIZE + (mixed % np.uint64(SIZE)).astype(np.int64)
        sums += np.bincount(at, values * np.where(mixed >> np.uint64(63), 1.0, -1.0), len(sums))
    found = sums.reshape(len(texts), SIZE)
    found /= np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
    return found.astype(np.float32)


def _grams(texts: Sequence[str | None]) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the different n-grams of each text, in the order of the texts.

    Returns:
        hashes: uint64 [n-grams].
        rows: int64 [n-grams], number of the text.
        counts: int64 [n-grams], how often the n-gram is in the text.
    """
    prepared = [_prepared(text or "") for text in texts]
    rows = np.repeat(np.arange(len(texts)), [len(text) for text in prepared])
    codes = np.frombuffer("".join(prepared).encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint64)
    found, of_rows, joined = [], [], np.zeros(len(codes), np.uint64)
    for length in range(1, _LONGEST + 1):
        last = codes[length - 1 :]
        joined = _mixed(joined[: len(last)] + last + np.uint64(1))
        is_inside = rows[: len(last)] == rows[length - 1 :]
        found.append(joined[is_inside])
        of_rows.append(rows[: len(last)][is_inside])
    hashes, places = np.concatenate(found), np.concatenate(of_rows)
    order = np.lexsort((hashes, places))
    hashes, places = hashes[order], places[order]
    is_new = np.ones(len(hashes), bool)
    is_new[1:] = (hashes[1:] != hashes[:-1]) | (places[1:] != places[:-1])
    first = np.flatnonzero(is_new)
    return hashes[first], places[first], np.diff(first, append=len(hashes))


def _prepared(text: str) -> str:
    """Return the text with small letters, and with one space between words, before the first and after the last."""
    words = unicodedata.normalize("NFC", text[:_CHARACTERS]).lower().split()
    return f" {' '.join(words)} " if words else ""


def _buckets(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    return (hashes % np.uint64(BUCKETS)).astype(np.int64)


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return hashes of numbers (splitmix64): uint64, in the shape of the input."""
    mixed = numbers * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
