"""Defines the completion marker of a part file: a small file with counts of the rows.

A run writes the completion marker when the part file is complete. Part files without a valid marker are ignored.
"""

from __future__ import annotations

import re
import sys
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Format version of the files in OUT. emojob reads all versions up to this version.
#:
#: - Version 1 stores the confidence histogram as {bin: number of rows}.
#: - Version 3 added the row count `forgotten`, and TIMES in the names of part files.
OUT_FORMAT = 3

#: Folder in OUT for all files except part files. A folder that contains `_emojob` is a labelled archive.
STATE_FOLDER = "_emojob"

#: Pattern of part file names: part-FILE-ROW or part-FILE-ROW-TIMES. FILE is the number of the input file. ROW is the
#: number of the first row. TIMES is how many times `emojob forget` rewrote the part file, plus a random number of nine
#: digits if a worker of a cluster wrote the part again.
PART_NAME = re.compile(r"(part-\d+-\d+)(?:-(\d+))?")
_PART_FILE = re.compile(PART_NAME.pattern + r"\.parquet")

#: Number of bins in the confidence histogram. The bins divide the range from 0 to 1 into equal intervals.
CONFIDENCE_BINS = 1000


@dataclass(slots=True)
class Counts:
    """Counts of rows and tokens. Each row that was read is labelled, empty, rejected or forgotten.

    Attributes:
        scored: Number of labelled rows, without the rows that `truncated` counts.
        truncated: Number of labelled rows whose text was cut to --max-length.
        empty: Number of rows without text.
        rejected: Number of rows that could not be read.
        forgotten: Number of rows that `emojob forget` removed.
        tokens: Number of tokens in all texts, after truncation.
        unknown_tokens: Number of [UNK] tokens.
        emotions: {label: number of rows with this label}.
        confidences: Confidence histogram: the number of labelled rows in each bin.
        null_markers: Number of rows in `empty` whose text is a null marker, such as NULL.
        placeholders: Number of rows in `empty` whose text is a placeholder of a messenger.
    """

    scored: int = 0
    truncated: int = 0
    empty: int = 0
    rejected: int = 0
    forgotten: int = 0
    tokens: int = 0
    unknown_tokens: int = 0
    emotions: dict[str, int] = field(default_factory=dict)
    confidences: Sequence[int] = field(default_factory=lambda: [0] * CONFIDENCE_BINS)
    null_markers: int = 0
    placeholders: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.confidences, array):
            self.confidences = _compact(_rows(self.confidences))

    @property
    def labelled(self) -> int:
        """Number of labelled rows: `scored` plus `truncated`."""
        return self.scored + self.truncated

    @property
    def written(self) -> int:
        """Number of rows in part files: labelled rows and rows without text."""
        return self.labelled + self.empty

    @property
    def read(self) -> int:
        """Number of rows that were read from the input."""
        return self.written + self.rejected + self.forgotten

    @property
    def median_confidence(self) -> float | None:
        """Median confidence, rounded to the middle of a histogram bin; None if no row is labelled."""
        half, below = self.labelled / 2, 0
        for bin_, rows in enumerate(self.confidences):
            below += rows
            if rows and below >= half:
                return (bin_ + 0.5) / CONFIDENCE_BINS
        return None

    def summary(self) -> dict[str, Any]:
        """Return the counts for run.json. The median confidence replaces the histogram."""
        names = (
            "read", "labelled", "truncated", "empty", "null_markers", "placeholders", "rejected", "forgotten",
            "emotions", "median_confidence",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names}

    def as_json(self) -> dict[str, Any]:
        """Return the counts as JSON values. The histogram becomes a string, because parsing a list is slower."""
        return {**asdict(self), "confidences": " ".join(map(str, self.confidences))}

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> Counts:
        """Parse the result of `as_json`. Raises ValueError, TypeError or KeyError if `plain` is malformed."""
        emotions = {sys.intern(name): rows for name, rows in plain["emotions"].items()}
        counts = cls(**{**plain, "emotions": emotions, "confidences": _compact(_bins(plain["confidences"]))})
        rows = [counts.scored, counts.truncated, counts.empty, counts.rejected, counts.forgotten]
        rows += counts.emotions.values()
        numbers = [*rows, counts.null_markers, counts.placeholders, counts.tokens, counts.unknown_tokens]
        if not all(isinstance(one, int) and one >= 0 for one in numbers):
            raise ValueError(f"the row counts are damaged: {numbers} must be whole numbers of 0 or more")
        return counts

    def add(self, other: Counts) -> None:
        """Add the counts of `other` to this object."""
        self.scored += other.scored
        self.truncated += other.truncated
        self.empty += other.empty
        self.null_markers += other.null_markers
        self.placeholders += other.placeholders
        self.rejected += other.rejected
        self.forgotten += other.forgotten
        self.tokens += other.tokens
        self.unknown_tokens += other.unknown_tokens
        for emotion, rows in other.emotions.items():
            self.emotions[emotion] = self.emotions.get(emotion, 0) + rows
        mine, theirs = np.asarray(self.confidences, np.uint64), np.asarray(other.confidences, np.uint64)
        self.confidences = _compact(mine + theirs)


def _bins(plain: Any) -> NDArray[np.uint64]:
    """Parse the confidence histogram of a completion marker.

    `plain` is a string with a number for each bin. In format version 1, `plain` is a dict {bin: number of rows}.
    Raises TypeError, ValueError or AttributeError if `plain` is malformed.
    """
    if isinstance(plain, str):
        bins = _rows(map(int, plain.split()))
        if len(bins) != CONFIDENCE_BINS:
            raise ValueError(
                f"the row counts are damaged: `confidences` has {len(bins)} numbers instead of {CONFIDENCE_BINS}"
            )
        return bins
    bins = np.zeros(CONFIDENCE_BINS, np.uint64)
    given = [*map(int, plain)]
    if given and not 0 <= min(given) <= max(given) < CONFIDENCE_BINS:
        raise ValueError(
            f"the row counts are damaged: a key of `confidences` is not between 0 and {CONFIDENCE_BINS - 1}"
        )
    bins[given] = _rows(plain.values())
    return bins


def _rows(given: Iterable[int]) -> NDArray[np.uint64]:
    """Convert row counts to a uint64 array. Raises TypeError or ValueError for an invalid count."""
    try:
        return np.frombuffer(array("Q", given), np.uint64)
    except OverflowError:
        raise ValueError("the row counts are damaged: a number in `confidences` is negative or 2**64 or more") from None


def _compact(rows: NDArray[np.uint64]) -> array[int]:
    """Convert a histogram to the smallest integer type, to save memory in runs with many part files."""
    most = int(rows.max(initial=0))
    if most < 1 << 16:
        return array("H", rows.astype(np.uint16).tobytes())
    return array("I", rows.astype(np.uint32).tobytes()) if most < 1 << 32 else array("Q", rows.tobytes())


# {key of a completion marker that earlier versions did not write: its type}.
_OPTIONAL: dict[str, type] = {"attempt": int, "columns": str, "compact": bool, "dialect": str}


@dataclass(frozen=True, slots=True)
class PartMarker:
    """The completion marker of a part file: the input file, the range of rows, and counts of the rows.

    Attributes:
        part: Name of the part file in OUT.
        part_bytes: Size of the part file in bytes.
        input: Path or URL of the input file.
        input_bytes: Size of the input file in bytes.
        input_sha256: SHA-256 of a local input file, or etag of an input file in an object store.
        encoding: Character encoding of the input file; None for Parquet.
        first_row: Row number of the first row in the input file. Row numbers start at 0 and include rejected rows.
        stop_row: Row number of the last row, plus 1.
        last: Whether this is the last part file of the input file.
        fingerprint: Hash of the model and the settings.
        counts: Counts of the rows.
        format: Value of OUT_FORMAT when the part file was written.
        attempt: Number of the attempt that wrote the part, from 1. If two parts contain the same rows, the part of the
            later attempt counts. Earlier versions of emojob did not write this key.
        columns: Short text that is the same for part files with the same column names and types. Earlier versions of
            emojob did not write this key.
        compact: Whether the part file certainly contains no values of other rows, for example in a dictionary. Earlier
            versions of emojob did not write this key.
        dialect: Delimiter, quoting and header of a text file (`Dialect.key`); None for the usual ones. Earlier versions
            of emojob did not write this key.
    """

    part: str
    part_bytes: int
    input: str
    input_bytes: int
    input_sha256: str
    encoding: str | None
    first_row: int
    stop_row: int
    last: bool
    fingerprint: str
    counts: Counts
    format: int = OUT_FORMAT
    attempt: int = 1
    columns: str | None = None
    compact: bool = False
    dialect: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the completion marker as JSON values."""
        return {**asdict(self), "counts": self.counts.as_json()}

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> PartMarker:
        """Parse the result of `as_json`. Raises ValueError, TypeError or KeyError if `plain` is malformed."""
        optional = {name: plain[name] for name in _OPTIONAL if plain.get(name) is not None}
        values = {one.name: plain[one.name] for one in fields(cls) if one.name not in _OPTIONAL} | optional
        if values["format"] > OUT_FORMAT:
            raise ValueError(
                f"the completion marker has format version {values['format']}, but this version of emojob reads only "
                f"versions up to {OUT_FORMAT}: install a newer version of emojob"
            )
        if not _PART_FILE.fullmatch(values["part"]):  # a forged name could be a path outside OUT
            raise ValueError(f"damaged completion marker: {values['part']!r} is not the name of a part file")
        for name in ("part_bytes", "first_row", "stop_row"):
            if not isinstance(values[name], int):
                raise ValueError(f"damaged completion marker: `{name}` is {values[name]!r}, not a whole number")
        # to save memory, equal values share a string
        for name in ("input", "input_sha256", "encoding", "fingerprint", "columns", "dialect"):
            if values.get(name) is not None:
                values[name] = sys.intern(values[name])
        for name, value in optional.items():
            if not isinstance(value, _OPTIONAL[name]):
                raise ValueError(f"damaged completion marker: `{name}` is {value!r}, not a {_OPTIONAL[name].__name__}")
        if values.get("attempt", 1) < 1:
            raise ValueError(f"damaged completion marker: `attempt` is {values['attempt']!r}, but must be 1 or more")
        return cls(**{**values, "counts": Counts.from_json(values["counts"])})
