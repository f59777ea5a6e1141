"""Finds groups of digits in normalized texts, and combines groups into numbers.

For example, the number 010-1234-5678 consists of three groups: 010, 1234 and 5678.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emojob.pipeline.privacy.pii.normalize import Mask, NormalizedTexts

Ints = NDArray[np.int64]

#: Separators between two groups of a number, as bits.
DASH, SPACE, DOT, BRACKET, SLASH, COMMA, LINE, SPOKEN = (1 << i for i in range(8))

_MARKS = {
    "-": DASH, " ": SPACE, ".": DOT, ")": BRACKET, "(": BRACKET, "/": SLASH, ",": COMMA, "_": LINE, "~": LINE,
    **dict.fromkeys("에다시의하고", SPOKEN),
}  # fmt: skip
_WIDEST = 4  # maximum number of characters between two groups of a number

#: Length of each row of `Numbers.digits`.
LONGEST = 19

#: Padding in `Numbers.digits`, after the last digit of a number.
NO_DIGIT = 10


@dataclass(frozen=True)
class Numbers:
    """Numbers with the same count of digit groups.

    Attributes:
        first: Index of the first group of each number. int64 [numbers].
        groups: How many groups each number has.
        digits: Digits of each number, padded with NO_DIGIT. uint8 [numbers, LONGEST].
        size: How many digits each number has. int64 [numbers].
    """

    first: Ints
    groups: int
    digits: NDArray[np.uint8]
    size: Ints

    def select(self, chosen: Mask) -> Numbers:
        """Return the numbers for which `chosen` is True. `chosen` is bool [numbers]."""
        return Numbers(self.first[chosen], self.groups, self.digits[chosen], self.size[chosen])

    def value(self, begin: int, end: int) -> Ints:
        """Return the digits [begin:end] of each number as one integer. int64 [numbers]."""
        powers = 10 ** np.arange(end - begin - 1, -1, -1, dtype=np.int64)
        return self.digits[:, begin:end].astype(np.int64) @ powers


class DigitGroups:
    """All groups of digits in normalized texts.

    Attributes:
        starts: Position of the first digit of each group. int64 [groups].
        stops: Position after the last digit of each group. int64 [groups].
        lengths: How many digits each group has. int64 [groups].
        gaps: Separator after each group, such as DASH; 0 if the next group cannot belong to the same number.
            uint8 [groups].
        tight: Whether exactly one character separates each group from the next group. bool [groups].
    """

    def __init__(self, normalized: NormalizedTexts) -> None:
        self.normalized, chars = normalized, normalized.chars
        is_digit = (chars >= ord("0")) & (chars <= ord("9"))
        edges = np.flatnonzero(np.diff(is_digit, prepend=False, append=False))
        self.starts, self.stops = edges[::2], edges[1::2]
        self.lengths = self.stops - self.starts
        digits = (chars[is_digit] - ord("0")).astype(np.uint8)
        self._digits = np.append(digits, np.zeros(LONGEST, np.uint8))
        self._at = np.concatenate([[0], np.cumsum(self.lengths)])
        self._padded = np.concatenate([[0], chars, np.zeros(_WIDEST, np.uint16)]).astype(np.uint16)
        self.gaps, self.tight = self._gaps()

    def __len__(self) -> int:
        return len(self.starts)

    def char_before(self, groups: Ints) -> NDArray[np.uint16]:
        """Return the code point before each group; 0 at the beginning of the first text. uint16 [groups]."""
        return self._padded[self.starts[groups]]

    def char_after(self, groups: Ints) -> NDArray[np.uint16]:
        """Return the code point after each group; 0 at the end of the last text. uint16 [groups]."""
        return self._padded[self.stops[groups] + 1]

    def numbers(
        self,
        lengths: tuple[tuple[int, int], ...],
        gaps: int = 0,
        same_gaps: bool = False,
        isolated: bool = True,
        may_begin: Mask | None = None,
    ) -> Numbers:
        """Return the numbers whose groups have the given lengths.

        Args:
            lengths: (minimum, maximum) length of each group: ((3, 3), (3, 4), (4, 4)) for 010-1234-5678.
            gaps: Separators that are allowed between two groups, such as DASH | SPACE.
            same_gaps: Whether all separators of a number must be equal.
            isolated: Whether to skip a number inside a longer number (010-1234-5678 in 1-010-1234-5678).
            may_begin: bool [groups]: True for each group that may be the first group of a number. If None, every group
                may be a first group.
        """
        count = len(lengths)
        first = np.arange(len(self)) if may_begin is None else np.flatnonzero(may_begin)
        first = first[first <= len(self) - count]
        for i, (fewest, most) in enumerate(lengths):
            size = self.lengths[first + i]
            first = first[(size >= fewest) & (size <= most)]
            if i < count - 1:
                wanted = self.gaps[first] & gaps if same_gaps else gaps
                first = first[(self.gaps[first + i] & wanted) != 0]
        return self.numbers_at(first[self._isolated(first, count)] if isolated else first, count)

    def numbers_at(self, first: Ints, count: int) -> Numbers:
        """Return numbers that consist of `count` groups each. `first` contains the index of each first group."""
        begin, end = self._at[first], self._at[first + count]
        at = begin[:, None] + np.arange(LONGEST)
        digits = self._digits[at]
        digits[at >= end[:, None]] = NO_DIGIT
        return Numbers(first, count, digits, end - begin)

    def sums(self, first: Ints, counts: Ints) -> Ints:
        """Return how many digits each number has. int64 [numbers].

        Args:
            first: Index of the first group of each number.
            counts: How many groups each number has.
        """
        sums: Ints = self._at[first + counts] - self._at[first]
        return sums

    def begin_with(self, *numbers: str) -> Mask:
        """Return for each group whether one of `numbers`, such as 010, begins at its first digit: bool [groups]."""
        begin = self._at[:-1]
        found = np.zeros(len(self), np.bool_)
        for number in numbers:
            same = [self._digits[begin + i] == int(digit) for i, digit in enumerate(number)]
            found |= np.logical_and.reduce(same)
        return found

    def chains(self, gap: int) -> tuple[Ints, Ints]:
        """Find chains of groups, such as 12-345-67. Exactly one `gap` character is between neighbouring groups.

        Returns:
            Two arrays, int64 [chains]: index of the first group, and number of groups.
        """
        joined = ((self.gaps & gap) != 0) & self.tight
        begins = np.flatnonzero(~np.append(False, joined[:-1])) if len(self) else np.empty(0, np.int64)
        return begins, np.diff(np.append(begins, len(self)))

    def _isolated(self, first: Ints, count: int) -> Mask:
        """Return False for numbers inside a longer number (010-1234-5678 in 1-010-1234-5678-9), otherwise True."""
        last = first + count - 1
        own = self.gaps[first] if count > 1 else np.full(len(first), DOT, np.uint8)
        gap_before = np.append(0, self.gaps)[first]
        tight_before = np.append(False, self.tight)[first]
        dots = (own & DOT) != 0
        before = tight_before & ((gap_before & DASH != 0) | ((gap_before & DOT != 0) & dots))
        dots_after = dots if count > 1 else np.zeros(len(first), np.bool_)
        gap = self.gaps[last]
        after = self.tight[last] & ((gap & DASH != 0) | ((gap & DOT != 0) & dots_after))
        isolated: Mask = ~before & ~after
        return isolated

    def _gaps(self) -> tuple[NDArray[np.uint8], Mask]:
        """Return (gaps, tight). The docstring of the class describes these attributes."""
        widths = np.append(self.starts[1:] - self.stops[:-1], 0)[: len(self)]
        marks = np.zeros(0x10000, np.uint8)
        for mark, bit in _MARKS.items():
            marks[ord(mark)] = bit
        found = np.zeros(len(self), np.uint8)
        known = (widths >= 1) & (widths <= _WIDEST)
        for i in range(_WIDEST):
            within = widths > i
            bits = marks[self._padded[np.minimum(self.stops + 1 + i, len(self._padded) - 1)]]
            known &= ~within | (bits != 0)
            found |= np.where(within, bits, 0).astype(np.uint8)
        mixed = found & ~np.uint8(SPACE)  # ignore the spaces in 010 - 1234
        found = np.where(mixed != 0, mixed, found)
        found = np.where(found == BRACKET | DASH, BRACKET, found)  # read )- in (02)-123-4567 as BRACKET
        known &= (found & (found - np.uint8(1))) == 0  # a gap must not contain two different separators
        return np.where(known, found, 0).astype(np.uint8), widths == 1
