"""The progress of each input: which of its rows are already in complete parts, and which are missing."""

from __future__ import annotations

from dataclasses import dataclass

from emojob.schemas.manifest import Counts, PartMarker


@dataclass(frozen=True)
class Span:
    """Consecutive rows of one input, rejected rows included.

    Attributes:
        first_row: First row, counted from 0.
        stop_row: Row after the last one; None means the end of the input.
    """

    first_row: int = 0
    stop_row: int | None = None


@dataclass(frozen=True)
class InputProgress:
    """The progress of one input.

    Attributes:
        number: Number of the input in OUT.
        missing: Rows that no complete part holds, in order.
        next_row: Row after the last one that a part holds.
        counts: Counts of the parts.
        stale: Markers of parts that no longer match the input.
    """

    number: int
    missing: list[Span]
    next_row: int
    counts: Counts
    stale: list[PartMarker]

    @property
    def complete(self) -> bool:
        """Whether complete parts hold every row of the input."""
        return not self.missing
