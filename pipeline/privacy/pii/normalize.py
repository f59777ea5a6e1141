"""Joins texts into one array of characters, and normalizes the characters: ４ becomes 4, – becomes -."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

Positions = NDArray[np.int64]
Mask = NDArray[np.bool_]

#: Separates two texts. U+FFFE is not a valid character, so no text contains U+FFFE.
BETWEEN = "\ufffe"

_DASHES = "‐‑‒–—―−﹘﹣－⁃➖ㅡー"
_TILDES = "～〜∼˜"
_SPACES = "\t\n\v\f\r\x85\u2028\u2029"
_DOTS = "·・ㆍ․．｡。•"
_INVISIBLE = (
    0xAD,
    0x34F,
    0x61C,
    0x180E,
    *range(0x200B, 0x2010),
    *range(0x202A, 0x202F),
    *range(0x2060, 0x2070),
    0xFEFF,
)
_OTHER = 0xFFFF  # replaces each character outside the Basic Multilingual Plane, such as 😀


class NormalizedTexts:
    """Normalized texts, joined by BETWEEN.

    Attributes:
        chars: Normalized characters. Invisible characters are removed. uint16 [characters].
        positions: Position of each character in the original texts, joined by BETWEEN. The last element is the length
            of the joined original texts. int64 [characters + 1].
    """

    def __init__(self, texts: Sequence[str]) -> None:
        points = np.frombuffer(BETWEEN.join(texts).encode("utf-32-le"), np.uint32)
        self.chars = _table()[np.minimum(points, _OTHER)]
        self.positions: Positions = np.arange(len(points) + 1)
        _read_letters_as_digits(self.chars)
        if not self.chars.all():
            seen = np.flatnonzero(self.chars)
            self.chars, self.positions = self.chars[seen], np.append(seen, len(points))

    def at(self, characters: str) -> Positions:
        """Return the positions of all characters that are in the string `characters`. int64 [positions]."""
        return np.flatnonzero(is_any_of(self.chars, characters))

    def before(self, positions: Positions, most: int) -> pl.Series:
        """Return the substring that ends before each position: up to `most` characters of one text."""
        text = np.searchsorted(self._begins, positions, "right") - 1
        begin = self._begins[text]
        return self._cut(text, np.maximum(positions - most, begin) - begin, np.minimum(positions - begin, most))

    def after(self, positions: Positions, most: int) -> pl.Series:
        """Return the substring that begins at each position: up to `most` characters of one text."""
        text = np.searchsorted(self._begins, positions, "right") - 1
        return self._cut(text, positions - self._begins[text], np.full(len(positions), most))

    @cached_property
    def _begins(self) -> Positions:
        """Position of the first character of each text. int64 [texts]."""
        return np.append(0, self.at(BETWEEN) + 1)

    @cached_property
    def _texts(self) -> pl.Series:
        return pl.Series(self.chars.astype("<u2").tobytes().decode("utf-16-le").split(BETWEEN))

    def _cut(self, text: Positions, begin: Positions, size: Positions) -> pl.Series:
        """Return substrings of the texts.

        Args:
            text: Index of the text for each substring. int64 [substrings].
            begin: First character of each substring, counted from the beginning of the text. int64 [substrings].
            size: Maximum length of each substring, in characters. int64 [substrings].
        """
        if not len(text):
            return pl.Series(dtype=pl.String)
        frame = pl.DataFrame({"text": self._texts.gather(text), "begin": begin, "size": size})
        return frame.select(pl.col("text").str.slice(pl.col("begin"), pl.col("size"))).to_series()


def _read_letters_as_digits(chars: NDArray[np.uint16]) -> None:
    """Change O1O-1234 to 010-1234, because people write the letter O to evade filters."""
    first, second, third, fourth = chars[:-3], chars[1:-2], chars[2:-1], chars[3:]
    at = np.flatnonzero(second == ord("1"))
    if not len(at):
        return
    at = at[is_any_of(first[at], "0Oo") & is_any_of(third[at], "0Oo") & is_any_of(fourth[at], "- .0123456789")]
    chars[at], chars[at + 2] = ord("0"), ord("0")


def points(characters: str) -> NDArray[np.uint16]:
    """Return the code point of each character: uint16 [characters]. No character may need more than 16 bits."""
    return np.frombuffer(characters.encode("utf-16-le"), np.uint16)


def is_any_of(chars: NDArray[np.uint16], characters: str) -> Mask:
    """Return whether each element of `chars` is in the string `characters`. bool [chars]."""
    return _table_of(characters)[chars]


@functools.cache
def _table_of(characters: str) -> Mask:
    table = np.zeros(0x10000, np.bool_)
    table[points(characters)] = True
    return table


def lengths(found: pl.Series) -> Positions:
    """Return how many characters each text has; -1 for null. int64 [texts]."""
    return found.str.len_chars().cast(pl.Int64).fill_null(-1).to_numpy() if len(found) else np.zeros(0, np.int64)


def matches(texts: pl.Series, pattern: str) -> Mask:
    """Return whether each text matches a pattern. bool [texts].

    Args:
        texts: Strings. Null is not allowed.
        pattern: Regular expression for Polars. Lookaround is not supported.
    """
    return texts.str.contains(pattern).to_numpy() if len(texts) else np.zeros(0, np.bool_)


@functools.cache
def _table() -> NDArray[np.uint16]:
    """Return the table {code point: normalized code point} as an array. Invisible characters become 0."""
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
    table[list(_INVISIBLE)] = 0
    table[0] = _OTHER
    return table
