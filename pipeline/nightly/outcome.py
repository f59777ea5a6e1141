"""Defines the result and the plan of a nightly run."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from emojob.pipeline.nightly.calendar import Day
from emojob.pipeline.nightly.drift import Drift
from emojob.pipeline.nightly.missing import MissingFiles
from emojob.pipeline.output.derived.taking import Taken
from emojob.pipeline.running.role_summary import RoleSummary
from emojob.pipeline.running.unlabelled import Unlabelled
from emojob.pipeline.storage.paths import AnyPath
from emojob.schemas.manifest import Counts


@dataclass(frozen=True)
class Scored:
    """An input that a nightly run scored.

    Attributes:
        input: Name of the input.
        day: Day of the input.
        rows: Number of rows that the nightly run read from the input.
        was: Why the input was scored: "changed" (the content has changed), "late" (`day` is before the date of the run,
            and this is not the first run) or "new".
    """

    input: str
    day: Day
    rows: int
    was: str


@dataclass
class Night:
    """The result of a nightly run.

    Attributes:
        day: Date of the nightly run.
        inputs: Number of input files found.
        scored: The inputs that this run scored.
        failed: {input: error message} for the inputs that cannot be read.
        removed_rows: Number of rows that were removed because they were too old.
        without_day: Inputs in the archive whose day is unknown. `keep_days` never removes their rows, and the drift
            checks do not count their rows.
        counts: Row counts of `day`.
        rejected: Number of rejected rows in the scored inputs.
        drift: The drift checks of `day`. None before the checks are done.
        written: Paths of the report's files, even if a file did not change.
        taken: Files that were made from rows which `keep_days` removed: deleted files, and files that are left.
        notes: Lines about values of the time column that are not times.
        unlabelled: Inputs of which no row is labelled: of `day`, and those that this run scored.
        problems: Reasons for exit code 3, as lines: see `running.unlabelled.problems`.
        missing: Which files are missing.
        language: Language of the summary and the alarms: en or ko.
    """

    day: Day
    inputs: int
    scored: list[Scored] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    removed_rows: int = 0
    without_day: list[str] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)
    rejected: int = 0
    drift: Drift | None = None
    written: list[AnyPath] = field(default_factory=list)
    taken: Taken = field(default_factory=Taken)
    notes: list[str] = field(default_factory=list)
    unlabelled: list[Unlabelled] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    missing: MissingFiles = field(default_factory=MissingFiles)
    language: str = "en"

    def as_json(self) -> dict[str, Any]:
        """Return the result as a dict for JSON. The dict contains no utterances."""
        return {
            "day": self.day.isoformat(),
            "inputs": self.inputs,
            "scored": [{**asdict(one), "day": one.day.isoformat()} for one in self.scored],
            "failed": self.failed,
            "removed_rows": self.removed_rows,
            "removed_files": len(self.taken.removed),
            "files_to_remove": len(self.taken.left),
            "inputs_without_day": self.without_day,
            "rows": self.counts.read,
            "labelled": self.counts.labelled,
            "empty": self.counts.empty,
            "truncated": self.counts.truncated,
            "rejected": self.counts.rejected,
            "unlabelled": [asdict(one) for one in self.unlabelled],
            "missing": self.missing.what.value,
            "emotions": self.counts.emotions,
            "drift": self.drift.as_json() if self.drift else None,
        }

    @property
    def changed(self) -> bool:
        """Return whether the nightly run changed the archive."""
        return bool(self.scored or self.removed_rows)


@dataclass(frozen=True)
class Plan:
    """The plan of a nightly run.

    Attributes:
        day: Date of the nightly run.
        inputs: {state: names of inputs}. The states are new, changed and complete. Inputs without dialogue are
            left out.
        too_old_rows: Number of rows that the run would remove because they are too old.
        failed: {input: error message} for the inputs that cannot be read.
        notes: Messages about files that are not read.
        missing: Which files are missing.
        roles: The columns that the reports will use: of the inputs, then of the archive; None if there is neither.
        language: Language of the plan in the terminal: en or ko.
    """

    day: Day
    inputs: dict[str, list[str]]
    too_old_rows: int
    failed: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    missing: MissingFiles = field(default_factory=MissingFiles)
    roles: RoleSummary | None = None
    language: str = "en"
