"""Data classes for the progress of a run: which rows of an input are already in complete part files."""

from __future__ import annotations

from dataclasses import dataclass

from emojob.schemas.manifest import Counts, PartMarker


@dataclass(frozen=True)
class Span:
    """Consecutive rows of an input, rejected rows included.

    Attributes:
        first_row: Number of the first row, from 0.
        stop_row: Number of the row after the last row. None: the span ends at the end of the input.
    """

    first_row: int = 0
    stop_row: int | None = None


@dataclass(frozen=True)
class InputProgress:
    """Progress of an input.

    Attributes:
        number: Number of the input. The names of the part files contain this number.
        missing: Spans of rows that are not in a complete part file, sorted by row number.
        next_row: Number of the row after the last row in a complete part file.
        counts: Row counts of all complete part files together.
        stale: Completion markers of part files that the run replaces, for example because the input has changed.
    """

    number: int
    missing: list[Span]
    next_row: int
    counts: Counts
    stale: list[PartMarker]

    @property
    def complete(self) -> bool:
        """Whether every row of the input is in a complete part file."""
        return not self.missing
