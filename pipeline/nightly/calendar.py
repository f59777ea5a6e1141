"""Which files belong to which day."""

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
    """The day of each input: as its path says, or the day on which it was first seen.

    seen: {input: day in ISO 8601}, for patterns without a date.
    """

    def __init__(self, config: NightlyConfig, seen: dict[str, str]) -> None:
        self._seen = seen
        self._path = _expression(str(config.named(config.input.files)))
        self._has_date = config.input.has_date

    def day_of(self, name: str) -> Day | None:
        """The day of an input, None where nothing tells it."""
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
        """Note that an input was there on a day, where it was not known before."""
        if not self._has_date:
            self._seen.setdefault(name, day.isoformat())

    def counts(self, markers: Iterable[PartMarker]) -> dict[Day, Counts]:
        """What the rows of each day came to."""
        found: dict[Day, Counts] = {}
        for marker in markers:
            day = self.day_of(marker.input)
            if day is not None:
                found.setdefault(day, Counts()).add(marker.counts)
        return found


def files_of(config: NightlyConfig, day: Day) -> list[InputFile]:
    """The input files that a night looks at: those of the day and of `days_back` days before it, or all there are."""
    if not config.input.has_date:
        return _found(config.pattern(), config.archive)
    days = [day - datetime.timedelta(days=back) for back in range(config.input.days_back, -1, -1)]
    return [file for one in days for file in _found(config.pattern(one), config.archive)]


def _found(pattern: str, archive: AnyPath) -> list[InputFile]:
    try:
        return find_inputs([pattern], [archive])
    except NothingFound:  # a night without logs, or none yet
        return []


def _expression(pattern: str) -> re.Pattern[str]:
    """A pattern of paths as a regular expression; a folder stands for what is in it."""
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
