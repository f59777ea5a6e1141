"""The result of a night, and the plan of one."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from emojob.pipeline.nightly.calendar import Day
from emojob.pipeline.nightly.drift import Drift
from emojob.pipeline.storage.paths import AnyPath
from emojob.schemas.manifest import Counts


@dataclass(frozen=True)
class Scored:
    """An input that the night scored.

    Attributes:
        input: Name of the input.
        day: Day of its rows.
        rows: Rows read by this night.
        was: new, changed (other content than before) or late (of an earlier day).
    """

    input: str
    day: Day
    rows: int
    was: str


@dataclass
class Night:
    """The result of a night.

    Attributes:
        day: The night's day.
        inputs: Number of input files found.
        scored: Inputs scored by this night.
        failed: {input: error message} of the inputs that cannot be read.
        removed_rows: Rows removed because they were too old.
        counts: Row counts of the day.
        rejected: Rejected rows of the inputs scored by this night.
        drift: Comparison with the days before.
        written: Report files, written or unchanged.
    """

    day: Day
    inputs: int
    scored: list[Scored] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    removed_rows: int = 0
    counts: Counts = field(default_factory=Counts)
    rejected: int = 0
    drift: Drift | None = None
    written: list[AnyPath] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return plain values without any text of the archive; the same night gives the same values."""
        return {
            "day": self.day.isoformat(),
            "inputs": self.inputs,
            "scored": [{**asdict(one), "day": one.day.isoformat()} for one in self.scored],
            "failed": self.failed,
            "removed_rows": self.removed_rows,
            "rows": self.counts.read,
            "labelled": self.counts.labelled,
            "empty": self.counts.empty,
            "truncated": self.counts.truncated,
            "rejected": self.counts.rejected,
            "emotions": self.counts.emotions,
            "drift": self.drift.as_json() if self.drift else None,
        }

    @property
    def changed(self) -> bool:
        """Return whether the night changed the archive."""
        return bool(self.scored or self.removed_rows)


@dataclass(frozen=True)
class Plan:
    """What a night would do.

    Attributes:
        day: The night's day.
        inputs: {state: names of inputs}; the states are new, changed and complete.
        too_old_rows: Rows that would be removed.
    """

    day: Day
    inputs: dict[str, list[str]]
    too_old_rows: int
