"""Checks the date of a nightly run if the date comes from the system clock, because the clock may be wrong."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence

from emojob.pipeline.nightly.calendar import Calendar, Day
from emojob.pipeline.nightly.config import NightlyConfig
from emojob.pipeline.nightly.state import read_last_night
from emojob.schemas.errors import OptionError
from emojob.schemas.manifest import PartMarker

_BACK = datetime.timedelta(days=1)  # a change of the time zone can move the date back by one day


def check_clock(config: NightlyConfig, day: Day) -> None:
    """If `input.files` has no `{date}`, check that the date of the run is not before the date of the last run.

    A file without a date in its path gets the date of the run that first finds the file. With a clock that was set
    back, `output.keep_days` would soon remove the rows of such a file.

    Args:
        config: The configuration.
        day: Date of the nightly run, from the system clock.

    Raises:
        OptionError: The date is more than a day before the last nightly run.
    """
    last = None if config.input.has_date else read_last_night(config.archive)
    if last and day < last[1] - _BACK:
        raise OptionError(
            f"the nightly run would be for {day}, because the system clock says so, but the last nightly run was for "
            f"{last[1]}: check the system clock, or give the date with --date"
        )


def would_empty(
    calendar: Calendar, markers: Sequence[PartMarker], day: Day, keep_days: int, note: Callable[[str], None]
) -> bool:
    """Return whether `output.keep_days` would remove all parts of the archive. Then the system clock may be ahead.

    Args:
        calendar: Finds the day of each input.
        markers: All parts of the archive.
        day: Date of the nightly run, from the system clock.
        keep_days: Value of output.keep_days.
        note: callback(message), called if the result is true.
    """
    if not markers or not all(calendar.is_too_old(marker.input, day, keep_days) for marker in markers):
        return False
    note(
        f"output.keep_days removes nothing, because all rows of the archive are too old on {day}: check the system "
        f"clock, or remove the rows with --date {day}"
    )
    return True
