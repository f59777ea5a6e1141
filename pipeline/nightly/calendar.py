"""Finds the input files of a nightly run, and the day of each input file."""

from __future__ import annotations

import datetime
import fnmatch
import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from emojob.pipeline.nightly.config import NightlyConfig
from emojob.pipeline.reading.files.input_file import InputFile, PassedOver
from emojob.pipeline.reading.files.table_folders import table_format
from emojob.pipeline.reading.inputs import find_inputs, partitions_below
from emojob.pipeline.reading.selection import with_sheets, with_slack_exports
from emojob.pipeline.storage.paths import AnyPath, as_local, parse_path, path_name
from emojob.schemas.errors import DataError, NothingFound
from emojob.schemas.manifest import Counts, PartMarker
from emojob.schemas.options import ReadOptions

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

    def rename(self, names: Mapping[str, str]) -> None:
        """Give moved inputs their new names. They keep their days.

        Args:
            names: {name of an input: new name}.
        """
        for days in (self.first, self.matched):
            for before, now in names.items():
                if before in days:
                    days.setdefault(now, days.pop(before))


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


@dataclass
class Found:
    """The files that a nightly run found.

    Attributes:
        days: {input file, member of a ZIP file or sheet of a workbook: day}.
        passed_over: Files that are not read.
        failed: {file: error message} for the files that cannot be read.
        with_files: Days for which the pattern found files, also if they cannot be read.
    """

    days: dict[InputFile, Day] = field(default_factory=dict)
    passed_over: list[PassedOver] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    with_files: set[Day] = field(default_factory=set)


def files_of(config: NightlyConfig, day: Day) -> Found:
    """Return the files of a nightly run and their days. Each file occurs once, also if several paths lead to it.

    - If `input.files` contains `{date}`: the files from `day` minus `input.days_back` to `day`. The date with which the
      pattern found a file is its day. If several dates find the file, the earliest date counts.
    - Otherwise: all files that match `input.files`, with `day` as the day of each file.
    """
    found, keys = Found(), set[Hashable]()
    for back in range(config.input.days_back, -1, -1) if config.input.has_date else [0]:
        one = day - datetime.timedelta(days=back)
        failed = len(found.failed)
        files = _found(config.pattern(one), config, found)
        if files or len(found.failed) > failed:
            found.with_files.add(one)
        for file in files:
            if file.key not in keys:
                keys.add(file.key)
                found.days[file] = one
    found.passed_over = list(dict.fromkeys(found.passed_over))
    return found


def finds_any(config: NightlyConfig) -> bool:
    """Return whether `input.files` finds a file of any day."""
    found = Found()
    return bool(_found(config.pattern(), config, found) or found.failed)


def _found(pattern: str, config: NightlyConfig, found: Found) -> list[InputFile]:
    """Return the files for a pattern. Raises DataError for files of a table, because a compaction rewrites its rows."""
    options = config.score_options()
    try:
        files = find_inputs([pattern], config.own_files, options.format, found.passed_over, found.failed)
    except NothingFound:  # a day may have no logs
        return []
    for folder in sorted({file.path.parent for file in files}, key=str):
        if kind := table_format(folder):
            raise DataError(
                f"{folder} belongs to a table of {kind}, which emojob nightly cannot read: when the table is "
                "compacted, its rows move to new files, and would be labelled again; write the rows of each day to a "
                "file of its own, and give the pattern of these files"
            )
    lists: list[PassedOver] = []
    if options.format == "auto":
        files, lists = with_slack_exports(files)
    found.passed_over += lists
    files = [_with_day_folders(file, config) for file in files]
    return [part for file in files for part in _sheets(file, options, found)]


def _with_day_folders(file: InputFile, config: NightlyConfig) -> InputFile:
    """Return the file with the key=value folders below the fixed part of `input.files`, such as day={date}."""
    parts, fixed = _split(config.pattern_path())
    if fixed == len(parts):
        return file
    local = isinstance(config.pattern_path(), Path)
    folder = Path(*parts[:fixed]).resolve() if local else parse_path("/".join(parts[:fixed]))
    partitions = partitions_below(folder, file.path)
    return file if partitions is None else replace(file, partitions=partitions)


def _sheets(file: InputFile, options: ReadOptions, found: Found) -> list[InputFile]:
    """Return the sheets of a workbook, because each sheet is an input; [file] for another file."""
    try:
        return list(with_sheets([file], options, found.passed_over))
    except DataError as error:
        found.failed[file.name] = str(error)
        return []


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
    parts, fixed = _split(pattern)
    local = as_local(pattern)
    if local is None:
        return _fits(parts, name.split("/"))
    if fixed == len(parts):
        roots = {path_name(local.resolve()), path_name(local.parent.resolve() / local.name)}
        return any(name == root or name.startswith(f"{root.rstrip('/')}/") for root in roots)
    root = path_name(Path(*parts[:fixed]).resolve()).rstrip("/")
    return name.startswith(f"{root}/") and _fits(_without_parents(parts[fixed:]), name[len(root) + 1 :].split("/"))


def _split(pattern: AnyPath) -> tuple[tuple[str, ...], int]:
    """Return (parts of a pattern, number of parts before the first wildcard)."""
    parts = pattern.parts if isinstance(pattern, Path) else tuple(str(pattern).split("/"))
    return parts, next((i for i, part in enumerate(parts) if _WILDCARD.search(part)), len(parts))


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
