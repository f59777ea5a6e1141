"""Finds the input files of a nightly run, and the day of each input file."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable

from emojob.pipeline.nightly.config import DATE, NightlyConfig
from emojob.pipeline.reading.inputs import InputFile, find_inputs
from emojob.pipeline.storage.paths import AnyPath
from emojob.schemas.errors import NothingFound
from emojob.schemas.manifest import Counts, PartMarker

Day = datetime.date


class Calendar:
    """Finds the day of an input file.

    If `input.files` contains `{date}`, the day is the date in the path. Otherwise, the day is the date of the nightly
    run that first found the file.

    Args:
        config: The configuration.
        seen: {input: date of the nightly run that first found the input, such as "2026-11-25"}. `see` adds new inputs.
    """

    def __init__(self, config: NightlyConfig, seen: dict[str, str]) -> None:
        self._seen = seen
        self._path = _expression(str(config.resolve(config.input.files)))
        self._has_date = config.input.has_date

    def day_of(self, name: str) -> Day | None:
        """Return the day of an input, or None if the day is unknown."""
        if self._has_date:
            found = self._path.fullmatch(name)
            text = found["date"] if found else ""
        else:
            text = self._seen.get(name, "")
        try:
            return Day.fromisoformat(text)
        except ValueError:
            return None

    def see(self, name: str, day: Day) -> None:
        """Record the date of the nightly run that first found an input. A recorded date is not changed."""
        if not self._has_date:
            self._seen.setdefault(name, day.isoformat())

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

    def is_too_old(self, name: str, today: Day, keep_days: int) -> bool:
        """Return whether an input is at least `keep_days` days old on `today`. Return False if `keep_days` is 0."""
        day = self.day_of(name)
        return bool(keep_days) and day is not None and day <= today - datetime.timedelta(days=keep_days)


def files_of(config: NightlyConfig, day: Day) -> list[InputFile]:
    """Return the input files of a nightly run.

    - If `input.files` contains `{date}`: the files from `day` minus `input.days_back` to `day`.
    - Otherwise: all files that match `input.files`.
    """
    if not config.input.has_date:
        return _found(config.pattern(), config.archive)
    days = [day - datetime.timedelta(days=back) for back in range(config.input.days_back, -1, -1)]
    return [file for one in days for file in _found(config.pattern(one), config.archive)]


def _found(pattern: str, archive: AnyPath) -> list[InputFile]:
    try:
        return find_inputs([pattern], [archive])
    except NothingFound:  # a day may have no logs
        return []


def _expression(pattern: str) -> re.Pattern[str]:
    """Return a path pattern as a regular expression. If a folder matches, all files in this folder match, too."""
    parts = re.split(r"(\{date\}|\*\*/|\*|\?)", pattern)
    known = {DATE: r"(?P<date>\d{4}-\d{2}-\d{2})", "**/": ".*", "*": "[^/]*", "?": "[^/]"}
    first = True
    text = ""
    for part in parts:
        if part == DATE and not first:
            text += r"(?P=date)"
        else:
            first = first and part != DATE
            text += known.get(part) or re.escape(part)
    return re.compile(f"{text}(/.*)?", re.DOTALL)
