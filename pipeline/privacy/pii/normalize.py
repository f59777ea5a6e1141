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

#: Stands between two texts; no character of a text is read as it.
BETWEEN = "\ufffe"

_DASHES = "‐‑‒–—―−﹘﹣－⁃➖ㅡー"
_TILDES = "～〜∼˜"
_SPACES = "\t\n\v\f\r\x85\u2028\u2029"
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
        _read_letters_as_digits(self.chars)
        if not self.chars.all():
            seen = np.flatnonzero(self.chars)
            self.chars, self.places = self.chars[seen], np.append(seen, len(points))

    def at(self, characters: str) -> Places:
        """Where one of these characters stands."""
        return np.flatnonzero(among(self.chars, characters))

    def before(self, places: Places, most: int) -> pl.Series:
        """What stands before some places in the same text, at most so many characters."""
        text = np.searchsorted(self._begins, places, "right") - 1
        begin = self._begins[text]
        return self._cut(text, np.maximum(places - most, begin) - begin, np.minimum(places - begin, most))

    def behind(self, places: Places, most: int) -> pl.Series:
        """What stands from some places on in the same text, at most so many characters."""
        text = np.searchsorted(self._begins, places, "right") - 1
        return self._cut(text, places - self._begins[text], np.full(len(places), most))

    @cached_property
    def _begins(self) -> Places:
        """Where each text begins."""
        return np.append(0, self.at(BETWEEN) + 1)

    @cached_property
    def _texts(self) -> pl.Series:
        return pl.Series(self.chars.astype("<u2").tobytes().decode("utf-16-le").split(BETWEEN))

    def _cut(self, text: Places, begin: Places, size: Places) -> pl.Series:
        if not len(text):
            return pl.Series(dtype=pl.String)
        frame = pl.DataFrame({"text": self._texts.gather(text), "begin": begin, "size": size})
        return frame.select(pl.col("text").str.slice(pl.col("begin"), pl.col("size"))).to_series()


def _read_letters_as_digits(chars: NDArray[np.uint16]) -> None:
    """O1O-, as some write to get by a filter, is 010-."""
    first, second, third, behind = chars[:-3], chars[1:-2], chars[2:-1], chars[3:]
    at = np.flatnonzero(second == ord("1"))  # after at most 3 characters there is nothing to be read
    at = at[among(first[at], "0Oo") & among(third[at], "0Oo") & among(behind[at], "- .0123456789")] if len(at) else at
    chars[at], chars[at + 2] = ord("0"), ord("0")


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
    table[points(_SPACES)] = ord(" ")
    table[points(_TILDES)] = ord("~")
    table[points(_DASHES)] = ord("-")
    table[points(_DOTS)] = ord(".")
    table[list(_UNSEEN)] = 0
    table[0] = _OTHER
    return table
