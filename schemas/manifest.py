"""What a run writes down beside its parts: counts, completion markers, run.json."""

from __future__ import annotations

import re
import sys
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Version of the layout of OUT; a newer one is refused, an older one read. In 1 the histogram was a table; up to 2 no
#: row could be forgotten, and part names had two numbers.
OUT_FORMAT = 3

#: Folder in OUT for everything but the part files. A folder that holds it is a labelled archive.
STATE_FOLDER = "_emojob"

#: How parts are named: after their input, their first row, and how often they were written anew without some rows.
PART_NAME = re.compile(r"(part-\d+-\d+)(?:-(\d+))?")
_PART_FILE = re.compile(PART_NAME.pattern + r"\.parquet")

#: Bins of the histogram of confidences that a marker holds, over 0..1.
CONFIDENCE_BINS = 1000


@dataclass(slots=True)
class Counts:
    """Rows by what became of them; read = labelled + empty + rejected + forgotten."""

    scored: int = 0
    truncated: int = 0
    empty: int = 0
    rejected: int = 0
    forgotten: int = 0  # labelled once, and removed for good
    tokens: int = 0  # of the rows with text, those left out by truncation not among them
    unknown_tokens: int = 0  # of them, [UNK]
    emotions: dict[str, int] = field(default_factory=dict)
    confidences: Sequence[int] = field(default_factory=lambda: [0] * CONFIDENCE_BINS)

    def __post_init__(self) -> None:
        if not isinstance(self.confidences, array):
            self.confidences = _compact(_rows(self.confidences))

    @property
    def labelled(self) -> int:
        """Rows with an emotion."""
        return self.scored + self.truncated

    @property
    def written(self) -> int:
        """Rows in the output."""
        return self.labelled + self.empty

    @property
    def read(self) -> int:
        """Rows of the input."""
        return self.written + self.rejected + self.forgotten

    @property
    def median_confidence(self) -> float | None:
        """The median confidence, to a bin's width; None where nothing was labelled."""
        half, below = self.labelled / 2, 0
        for bin_, rows in enumerate(self.confidences):
            below += rows
            if rows and below >= half:
                return (bin_ + 0.5) / CONFIDENCE_BINS
        return None

    def summary(self) -> dict[str, Any]:
        """What run.json says of them."""
        names = ("read", "labelled", "truncated", "empty", "rejected", "forgotten", "emotions", "median_confidence")
        return {name: getattr(self, name) for name in names}

    def as_json(self) -> dict[str, Any]:
        """Plain values; the histogram as one text of numbers, which is read several times as fast as a list."""
        return {**asdict(self), "confidences": " ".join(map(str, self.confidences))}

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> Counts:
        """The reverse of `as_json`. Raises ValueError, TypeError or KeyError where it holds no counts."""
        emotions = {sys.intern(name): rows for name, rows in plain["emotions"].items()}
        counts = cls(**{**plain, "emotions": emotions, "confidences": _compact(_bins(plain["confidences"]))})
        rows = [counts.scored, counts.truncated, counts.empty, counts.rejected, counts.forgotten]
        rows += counts.emotions.values()
        numbers = [*rows, counts.tokens, counts.unknown_tokens]
        if not all(isinstance(one, int) and one >= 0 for one in numbers):
            raise ValueError("a count that is no number")
        return counts

    def add(self, other: Counts) -> None:
        """Add another's rows to these."""
        self.scored += other.scored
        self.truncated += other.truncated
        self.empty += other.empty
        self.rejected += other.rejected
        self.forgotten += other.forgotten
        self.tokens += other.tokens
        self.unknown_tokens += other.unknown_tokens
        for emotion, rows in other.emotions.items():
            self.emotions[emotion] = self.emotions.get(emotion, 0) + rows
        mine, theirs = np.asarray(self.confidences, np.uint64), np.asarray(other.confidences, np.uint64)
        self.confidences = _compact(mine + theirs)


def _bins(plain: Any) -> NDArray[np.uint64]:
    """The histogram of a marker: a text of all bins, or, as earlier versions wrote it, {bin: rows}.

    Raises TypeError, ValueError, AttributeError.
    """
    if isinstance(plain, str):
        bins = _rows(map(int, plain.split()))
        if len(bins) != CONFIDENCE_BINS:
            raise ValueError(f"{len(bins)} bins")
        return bins
    bins = np.zeros(CONFIDENCE_BINS, np.uint64)
    given = [*map(int, plain)]
    if given and not 0 <= min(given) <= max(given) < CONFIDENCE_BINS:
        raise ValueError("a bin that there is not")
    bins[given] = _rows(plain.values())
    return bins


def _rows(given: Iterable[int]) -> NDArray[np.uint64]:
    """Numbers of rows. Raises TypeError, ValueError."""
    try:
        return np.frombuffer(array("Q", given), np.uint64)
    except OverflowError:
        raise ValueError("a number of rows below 0") from None


def _compact(rows: NDArray[np.uint64]) -> array[int]:
    """Rows a bin, in as little memory as they need: a driver holds the markers of 100,000 parts."""
    most = int(rows.max(initial=0))
    if most < 1 << 16:
        return array("H", rows.astype(np.uint16).tobytes())
    return array("I", rows.astype(np.uint32).tobytes()) if most < 1 << 32 else array("Q", rows.tobytes())


@dataclass(frozen=True, slots=True)
class PartMarker:
    """One complete part: where its rows came from, and what they came to."""

    part: str  # file name in OUT
    part_bytes: int
    input: str
    input_bytes: int
    input_sha256: str
    encoding: str | None  # that a text format was read in
    first_row: int  # rows of the input, from 0, rejected ones counted
    stop_row: int
    last: bool  # whether the input ends here
    fingerprint: str
    counts: Counts
    format: int = OUT_FORMAT

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "counts": self.counts.as_json()}

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> PartMarker:
        """The reverse of `as_json`. Raises ValueError, TypeError or KeyError where it is no marker."""
        values = {one.name: plain[one.name] for one in fields(cls)}
        if values["format"] > OUT_FORMAT:
            raise ValueError(f"format {values['format']}")
        if not _PART_FILE.fullmatch(values["part"]):  # a marker of another's hand must not lead out of the folder
            raise ValueError("a part of another name")
        if not all(isinstance(values[name], int) for name in ("part_bytes", "first_row", "stop_row")):
            raise ValueError("a row number that is no number")
        for name in ("input", "input_sha256", "encoding", "fingerprint"):  # the same in many markers, so kept once
            if values[name] is not None:
                values[name] = sys.intern(values[name])
        return cls(**{**values, "counts": Counts.from_json(values["counts"])})
