"""Finds out whether files are missing: no file at all, or no file of a day that usually has one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

from emojob.pipeline.nightly.calendar import Day, Found, finds_any
from emojob.pipeline.nightly.config import DriftConfig, NightlyConfig
from emojob.pipeline.statistics.reference_days import reference_days, why_no_rows_are_usual
from emojob.schemas.messages import counted


class Missing(Enum):
    """What is missing."""

    NOTHING = "nothing"
    DAY = "day"  # the day has no file, although such days usually have one
    ALL = "all"  # no file matches


@dataclass(frozen=True)
class MissingFiles:
    """The files that a nightly run did not find.

    Attributes:
        what: What is missing.
        line: Message for the user; "" if nothing is missing. There is also a message if a day has no file and it is
            unknown whether this is usual.
    """

    what: Missing = Missing.NOTHING
    line: str = ""


def missing_files(config: NightlyConfig, day: Day, found: Found, with_rows: Collection[Day]) -> MissingFiles:
    """Return which files are missing.

    Args:
        config: The configuration.
        day: Date of the nightly run.
        found: The files of the run.
        with_rows: Days of which the archive contains rows.
    """
    if day in found.with_files:
        return MissingFiles()
    if not found.with_files and not with_rows and not finds_any(config):
        return MissingFiles(
            Missing.ALL,
            f"input.files is {config.input.files!r}, and no file matches: correct the pattern (relative paths begin at "
            f"{config.file.parent})",
        )
    pattern = config.pattern(day)
    days_with_files = {*found.with_files, *with_rows}
    reason = _why_usual(days_with_files, day, config.drift)
    if reason is None:
        others = "" if found.with_files or finds_any(config) else " (no file of another day matches either)"
        return MissingFiles(
            Missing.DAY,
            f"{day} has no file ({pattern}), although such days usually have one{others}: check input.files, and "
            "whether the file is late; write a holiday into drift.holidays",
        )
    first = min(found.with_files, default=None)
    if first is None:
        back = counted(config.input.days_back + 1, "day")
        return MissingFiles(line=f"the last {back} up to {day} have no file ({config.input.files})")
    return MissingFiles(line="" if day in config.drift.days_off else f"{day} has no file ({pattern}){reason}")


def _why_usual(with_files: Collection[Day], day: Day, config: DriftConfig) -> str | None:
    """Return why a day without a file is not known to be unusual; None if such days usually have a file."""
    if day in config.days_off:
        return ""
    if len(reference_days(with_files, day, config.days, config.fewest_days, config.days_off).days) < config.fewest_days:
        return ""
    return f": {why}" if (why := why_no_rows_are_usual(with_files, day, config.days, config.days_off)) else None
