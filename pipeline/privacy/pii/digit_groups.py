"""Groups of digits in folded texts, and runs of such groups as numbers are written: 010-1234-5678, 900101 1234568."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emojob.pipeline.privacy.pii.normalize import Folded, Mask

Rows = NDArray[np.int64]

#: What may stand between two groups of one number; each with spaces around it.
DASH, SPACE, DOT, BRACKET, SLASH, COMMA, LINE, SPOKEN = (1 << i for i in range(8))

_MARKS = {
    "-": DASH, " ": SPACE, ".": DOT, ")": BRACKET, "(": BRACKET, "/": SLASH, ",": COMMA, "_": LINE, "~": LINE,
    **dict.fromkeys("에다시의하고", SPOKEN),
}  # fmt: skip
_WIDEST = 4  # characters between two groups of one number

#: Digits of the longest number that is looked for.
LONGEST = 19
NO_DIGIT = 10


@dataclass(frozen=True)
class Numbers:
    """Runs of groups.

    first: int64 [numbers], the first group of each; groups: how many each has; digits: uint8 [numbers, LONGEST],
    NO_DIGIT behind the last; size: int64 [numbers], digits of each.
    """

    first: Rows
    groups: int
    digits: NDArray[np.uint8]
    size: Rows

    def of(self, chosen: Mask) -> Numbers:
        """Some of them."""
        return Numbers(self.first[chosen], self.groups, self.digits[chosen], self.size[chosen])

    def value(self, begin: int, end: int) -> Rows:
        """int64 [numbers]: what the digits from `begin` to before `end` come to."""
        powers = 10 ** np.arange(end - begin - 1, -1, -1, dtype=np.int64)
        return self.digits[:, begin:end].astype(np.int64) @ powers


class Groups:
    """Every group of digits of folded texts.

    starts, stops, sizes: int64 [groups], characters; gaps: uint8 [groups], what stands between a group and the next
    one, 0 where the two are of no one number; tight: bool [groups], whether that is one character.
    """

    def __init__(self, folded: Folded) -> None:
        self.folded, chars = folded, folded.chars
        is_digit = (chars >= ord("0")) & (chars <= ord("9"))
        edges = np.flatnonzero(np.diff(is_digit, prepend=False, append=False))
        self.starts, self.stops = edges[::2], edges[1::2]
        self.sizes = self.stops - self.starts
        digits = (chars[is_digit] - ord("0")).astype(np.uint8)
        self._digits = np.append(digits, np.zeros(LONGEST, np.uint8))
        self._at = np.concatenate([[0], np.cumsum(self.sizes)])
        self._padded = np.concatenate([[0], chars, np.zeros(_WIDEST, np.uint16)]).astype(np.uint16)
        self.gaps, self.tight = self._gaps()

    def __len__(self) -> int:
        return len(self.starts)

    def char_before(self, groups: Rows) -> NDArray[np.uint16]:
        """The character before each group; 0 before the first one."""
        return self._padded[self.starts[groups]]

    def char_behind(self, groups: Rows) -> NDArray[np.uint16]:
        """The character behind each group; 0 behind the last one."""
        return self._padded[self.stops[groups] + 1]

    def numbers(
        self,
        sizes: tuple[tuple[int, int], ...],
        gaps: int = 0,
        even: bool = False,
        alone: bool = True,
        among: Mask | None = None,
    ) -> Numbers:
        """Runs of groups of these sizes (fewest and most digits of each), with one of `gaps` between two of them.

        even: the same everywhere. alone: which are not the middle of something longer, such as 1-010-1234-5678-9.
        among: bool [groups], those that may be the first one.
        """
        count = len(sizes)
        first = np.arange(len(self)) if among is None else np.flatnonzero(among)
        first = first[first <= len(self) - count]
        for place, (fewest, most) in enumerate(sizes):
            size = self.sizes[first + place]
            first = first[(size >= fewest) & (size <= most)]
            if place < count - 1:
                wanted = self.gaps[first] & gaps if even else gaps
                first = first[(self.gaps[first + place] & wanted) != 0]
        return self.of(first[self._alone(first, count)] if alone else first, count)

    def of(self, first: Rows, count: int) -> Numbers:
        """The numbers that begin with these groups and have so many."""
        begin, end = self._at[first], self._at[first + count]
        at = begin[:, None] + np.arange(LONGEST)
        digits = self._digits[at]
        digits[at >= end[:, None]] = NO_DIGIT
        return Numbers(first, count, digits, end - begin)

    def sums(self, first: Rows, counts: Rows) -> Rows:
        """int64 [numbers]: the digits of so many groups from a first one on."""
        sums: Rows = self._at[first + counts] - self._at[first]
        return sums

    def begin_with(self, *numbers: str) -> Mask:
        """bool [groups]: which begin with one of these digits; a group may end before they do."""
        begin = self._at[:-1]
        found = np.zeros(len(self), np.bool_)
        for number in numbers:
            same = [self._digits[begin + place] == int(digit) for place, digit in enumerate(number)]
            found |= np.logical_and.reduce(same)
        return found

    def chains(self, gap: int) -> tuple[Rows, Rows]:
        """Whole runs of groups with such a gap, one character wide, between each two: (first group, groups of each)."""
        joined = ((self.gaps & gap) != 0) & self.tight
        begins = np.flatnonzero(~np.append(False, joined[:-1])) if len(self) else np.empty(0, np.int64)
        return begins, np.diff(np.append(begins, len(self)))

    def _alone(self, first: Rows, count: int) -> Mask:
        """Whether the group before is not tied to the first one, nor the one behind to the last one."""
        last = first + count - 1
        own = self.gaps[first] if count > 1 else np.full(len(first), DOT, np.uint8)
        gap_before = np.append(0, self.gaps)[first]
        tight_before = np.append(False, self.tight)[first]
        dots = (own & DOT) != 0
        before = tight_before & ((gap_before & DASH != 0) | ((gap_before & DOT != 0) & dots))
        behind_dots = dots if count > 1 else np.zeros(len(first), np.bool_)
        gap = self.gaps[last]
        behind = self.tight[last] & ((gap & DASH != 0) | ((gap & DOT != 0) & behind_dots))
        alone: Mask = ~before & ~behind
        return alone

    def _gaps(self) -> tuple[NDArray[np.uint8], Mask]:
        widths = np.append(self.starts[1:] - self.stops[:-1], 0)[: len(self)]
        marks = np.zeros(0x10000, np.uint8)
        for mark, bit in _MARKS.items():
            marks[ord(mark)] = bit
        found = np.zeros(len(self), np.uint8)
        known = (widths >= 1) & (widths <= _WIDEST)
        for place in range(_WIDEST):
            within = widths > place
            bits = marks[self._padded[np.minimum(self.stops + 1 + place, len(self._padded) - 1)]]
            known &= ~within | (bits != 0)
            found |= np.where(within, bits, 0).astype(np.uint8)
        mixed = found & ~np.uint8(SPACE)  # spaces around a mark are none of their own
        found = np.where(mixed != 0, mixed, found)
        found = np.where(found == BRACKET | DASH, BRACKET, found)  # (02)-123-4567
        known &= (found & (found - np.uint8(1))) == 0  # one kind of mark
        return np.where(known, found, 0).astype(np.uint8), widths == 1
