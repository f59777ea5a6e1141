"""Many texts as one run of characters, each folded to the one that it is read as: ４ and ４ are 4, – and － are -."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

Places = NDArray[np.int64]
Mask = NDArray[np.bool_]

#: Stands between two texts, and is part of no personal data.
BETWEEN = "\n"

_DASHES = "‐‑‒–—―−﹘﹣－⁃➖"
_DOTS = "·・ㆍ․．｡。•"
_UNSEEN = (0xAD, 0x34F, 0x61C, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF)
_OTHER = 0xFFFF  # beyond the first plane, and nothing that is looked for


class Folded:
    """Texts one behind the other, without lone surrogates.

    chars: uint16 [characters], folded, those that nobody sees left out; places: int64 [characters + 1], where each
    stands in the texts as they are, with BETWEEN between them.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        points = np.frombuffer(BETWEEN.join(texts).encode("utf-32-le"), np.uint32)
        self.chars = _table()[np.minimum(points, _OTHER)]
        self.places: Places = np.arange(len(points) + 1)
        if not self.chars.all():
            seen = np.flatnonzero(self.chars)
            self.chars, self.places = self.chars[seen], np.append(seen, len(points))

    def at(self, characters: str) -> Places:
        """Where one of these characters stands."""
        return np.flatnonzero(among(self.chars, characters))

    def before(self, places: Places, most: int) -> pl.Series:
        """What stands before some places on the same line, at most so many characters."""
        line = np.searchsorted(self._begins, places, "right") - 1
        begin = self._begins[line]
        return self._cut(line, np.maximum(places - most, begin) - begin, np.minimum(places - begin, most))

    def behind(self, places: Places, most: int) -> pl.Series:
        """What stands from some places on, on the same line, at most so many characters."""
        line = np.searchsorted(self._begins, places, "right") - 1
        return self._cut(line, places - self._begins[line], np.full(len(places), most))

    @cached_property
    def _begins(self) -> Places:
        """Where each line begins."""
        return np.append(0, self.at(BETWEEN) + 1)

    @cached_property
    def _lines(self) -> pl.Series:
        return pl.Series(self.chars.astype("<u2").tobytes().decode("utf-16-le").split(BETWEEN))

    def _cut(self, line: Places, begin: Places, size: Places) -> pl.Series:
        if not len(line):
            return pl.Series(dtype=pl.String)
        frame = pl.DataFrame({"line": self._lines.gather(line), "begin": begin, "size": size})
        return frame.select(pl.col("line").str.slice(pl.col("begin"), pl.col("size"))).to_series()


def points(characters: str) -> NDArray[np.uint16]:
    """The code points of characters of the first plane."""
    return np.frombuffer(characters.encode("utf-16-le"), np.uint16)


def among(chars: NDArray[np.uint16], characters: str) -> Mask:
    """Which of these characters are among some."""
    return _are(characters)[chars]


@functools.cache
def _are(characters: str) -> Mask:
    table = np.zeros(0x10000, np.bool_)
    table[points(characters)] = True
    return table


def sizes(found: pl.Series) -> Places:
    """Characters of each text; -1 for null."""
    return found.str.len_chars().cast(pl.Int64).fill_null(-1).to_numpy() if len(found) else np.zeros(0, np.int64)


def has(texts: pl.Series, pattern: str) -> Mask:
    """In which texts there is such a thing. pattern: as Rust's regex has it, without a look behind or ahead."""
    return texts.str.contains(pattern).to_numpy() if len(texts) else np.zeros(0, np.bool_)


@functools.cache
def _table() -> NDArray[np.uint16]:
    """The character that each one of the first plane is read as; 0 for those that nobody sees."""
    table = np.arange(0x10000, dtype=np.uint16)
    table[0xD800:0xE000] = _OTHER
    for point in range(0x80, 0xD800):
        digit = unicodedata.decimal(chr(point), None)
        if digit is not None:
            table[point] = ord("0") + digit
        elif unicodedata.category(chr(point)) == "Zs":
            table[point] = ord(" ")
    table[0xFF01:0xFF5F] -= 0xFEE0
    table[ord("\t")] = ord(" ")
    table[points(_DASHES)] = ord("-")
    table[points(_DOTS)] = ord(".")
    table[list(_UNSEEN)] = 0
    table[0] = _OTHER
    return table
