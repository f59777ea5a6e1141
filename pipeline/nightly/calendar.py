"""Finds the input files of a nightly run, and the day of each input file."""

from __future__ import annotations

import datetime
import fnmatch
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from emojob.pipeline.nightly.config import NightlyConfig
from emojob.pipeline.reading.files.table_folders import table_format
from emojob.pipeline.reading.inputs import InputFile, find_inputs
from emojob.pipeline.storage.paths import AnyPath, as_local, path_name
from emojob.schemas.errors import DataError, NothingFound
from emojob.schemas.manifest import Counts, PartMarker

Day = datetime.date

_DATES = re.compile(r"(?=(\d{4}-\d{2}-\d{2}))")
_WILDCARD = re.compile(r"[*?[]")


@dataclass
class Seen:
    """Days of the inputs that nightly runs found, as ISO 8601 dates.

    Attributes:
        first: {input: date of the nightly run that first found the input}, for patterns without `{date}`.
        matched: {input: date that `{date}` stands for}, for patterns with `{date}`.
    """

    first: dict[str, str] = field(default_factory=dict)
    matched: dict[str, str] = field(default_factory=dict)


class Calendar:
    """Finds the day of an input file.

    If `input.files` contains `{date}`, the day is the date with which the pattern found the file. Otherwise, the day is
    the date of the nightly run that first found the file.

    Args:
        config: The configuration.
        seen: Recorded days. `see` adds new inputs.
    """

    def __init__(self, config: NightlyConfig, seen: Seen) -> None:
        self._config, self._seen = config, seen
        self._has_date = config.input.has_date
        self._derived: dict[str, str] = {}

    def day_of(self, name: str) -> Day | None:
        """Return the day of an input, or None if the day is unknown."""
        if not self._has_date:
            return _as_day(self._seen.first.get(name, ""))
        recorded = _as_day(self._seen.matched.get(name, ""))
        if recorded is not None:
            return recorded
        if name not in self._derived:  # archives of earlier versions have no recorded days
            self._derived[name] = next(iter(self._dates_in(name)), "")
        return _as_day(self._derived[name])

    def see(self, name: str, day: Day) -> None:
        """Record the day of an input that the nightly run found.

        Args:
            name: The input.
            day: The day from `files_of`. If the pattern has no `{date}`, a recorded day is not changed.
        """
        if self._has_date:
            self._seen.matched[name] = day.isoformat()
        else:
            self._seen.first.setdefault(name, day.isoformat())

    def counts(self, markers: Iterable[PartMarker]) -> dict[Day, Counts]:
        """Return {day: row counts of the inputs of this day}.

        Args:
            markers: Completion markers, which contain the row counts of each part file.
        """
        found: dict[Day, Counts] = {}
        for marker in markers:
            day = self.day_of(marker.input)
            if day is not None:
                found.setdefault(day, Counts()).add(marker.counts)
        return found

    def without_day(self, markers: Iterable[PartMarker]) -> list[str]:
        """Return the sorted names of the inputs without a day."""
        return sorted(name for name in {marker.input for marker in markers} if self.day_of(name) is None)

    def is_too_old(self, name: str, today: Day, keep_days: int) -> bool:
        """Return whether an input is at least `keep_days` days old on `today`. Return False if `keep_days` is 0."""
        day = self.day_of(name)
        return bool(keep_days) and day is not None and day <= today - datetime.timedelta(days=keep_days)

    def _dates_in(self, name: str) -> Iterator[str]:
        """Yield the dates in `name` with which `input.files` matches `name`, the earliest first."""
        for text in sorted(set(_DATES.findall(name))):
            day = _as_day(text)
            if day is not None and _matches(self._config.pattern_path(day), name):
                yield text


def files_of(config: NightlyConfig, day: Day) -> dict[InputFile, Day]:
    """Return {input file of a nightly run: day of the file}. Each file occurs once, also if several paths lead to it.

    - If `input.files` contains `{date}`: the files from `day` minus `input.days_back` to `day`. The date with which the
      pattern found a file is its day. If several dates find the file, the earliest date counts.
    - Otherwise: all files that match `input.files`, with `day` as the day of each file.
    """
    if not config.input.has_date:
        return dict.fromkeys(_found(config.pattern(), config.archive), day)
    found: dict[AnyPath, tuple[InputFile, Day]] = {}
    for back in range(config.input.days_back, -1, -1):
        one = day - datetime.timedelta(days=back)
        for file in _found(config.pattern(one), config.archive):
            found.setdefault(file.path.resolve(), (file, one))
    return dict(found.values())


def _found(pattern: str, archive: AnyPath) -> list[InputFile]:
    """Return the files for a pattern. Raises DataError for files of a table, because a compaction rewrites its rows."""
    try:
        found = find_inputs([pattern], [archive])
    except NothingFound:  # a day may have no logs
        return []
    for folder in sorted({file.path.parent for file in found}, key=str):
        if kind := table_format(folder):
            raise DataError(
                f"{folder} belongs to a table of {kind}, which emojob nightly cannot read: when the table is "
                "compacted, its rows move to new files, and would be labelled again; write the rows of each day to a "
                "file of its own, and give the pattern of these files"
            )
    return found


def _as_day(text: str) -> Day | None:
    try:
        return Day.fromisoformat(text)
    except ValueError:
        return None


# -- the name of an input whose file may be gone -----------------------------------------------------------------------


def _matches(pattern: AnyPath, name: str) -> bool:
    """Return whether `find_inputs` can find the input `name` with `pattern`: as a match, or in a folder that matches.

    The file itself may be gone. Links in the part of `pattern` before the first wildcard are followed.
    """
    parts = pattern.parts if isinstance(pattern, Path) else tuple(str(pattern).split("/"))
    fixed = next((i for i, part in enumerate(parts) if _WILDCARD.search(part)), len(parts))
    local = as_local(pattern)
    if local is None:
        return _fits(parts, name.split("/"))
    if fixed == len(parts):
        roots = {path_name(local.resolve()), path_name(local.parent.resolve() / local.name)}
        return any(name == root or name.startswith(f"{root.rstrip('/')}/") for root in roots)
    root = path_name(Path(*parts[:fixed]).resolve()).rstrip("/")
    return name.startswith(f"{root}/") and _fits(_without_parents(parts[fixed:]), name[len(root) + 1 :].split("/"))


def _without_parents(parts: Sequence[str]) -> list[str]:
    """Remove each `..` together with the part before."""
    kept: list[str] = []
    for part in parts:
        if part == ".." and kept and kept[-1] != "..":
            kept.pop()
        else:
            kept.append(part)
    return kept


def _fits(pattern: Sequence[str], names: Sequence[str]) -> bool:
    """Return whether the parts of a path, or of a folder of the path, match the parts of a pattern."""
    if not pattern:
        return True
    if not names:
        return all(part == "**" for part in pattern)
    if pattern[0] == "**":
        return _fits(pattern[1:], names) or _fits(pattern, names[1:])
    return fnmatch.fnmatchcase(names[0], pattern[0]) and _fits(pattern[1:], names[1:])
