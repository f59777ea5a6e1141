"""Removes rows that are older than `keep_days`, and the files that were made from these rows."""

from __future__ import annotations

import datetime
from collections.abc import Callable

from emojob.pipeline.nightly.calendar import Calendar, Day
from emojob.pipeline.nightly.config import NightlyConfig
from emojob.pipeline.output.archive_folder import ArchiveFolder, open_output
from emojob.pipeline.output.derived.taking import Taken, Taking
from emojob.pipeline.output.identity import read_identity


def remove_old_rows(
    config: NightlyConfig,
    day: Day,
    calendar: Calendar,
    output: ArchiveFolder,
    note: Callable[[str], None] = lambda text: None,
) -> int:
    """Remove the rows that are too old, and their rejected rows. Return the number of removed rows.

    Args:
        config: The configuration.
        day: Date of the nightly run.
        calendar: Finds the day of each input.
        output: The archive, after a call of `output.read_markers()`. Afterwards, `output.markers` is current.
        note: callback(message) for messages to the user.

    Raises:
        BusyError: Another command, such as `emojob forget`, uses the archive.
    """
    if not any(calendar.is_too_old(marker.input, day, config.output.keep_days) for marker in output.markers):
        return 0
    with open_output(config.archive, note) as locked:
        old = [one for one in locked.markers if calendar.is_too_old(one.input, day, config.output.keep_days)]
        # The rejected rows first: if the process is killed in between, the next run removes the parts.
        locked.write_rejects(without=old)
        locked.remove(old, for_good=True)
        output.markers = locked.markers
        return sum(marker.counts.written for marker in old)


def take_outdated(config: NightlyConfig, day: Day, removed_rows: int) -> Taken:
    """Remove the derived files that may show rows which `keep_days` removed. Old texts leave the memo.

    Args:
        config: The configuration.
        day: Date of the nightly run.
        removed_rows: Number of rows that this run removed.
    """
    keep_days = config.output.keep_days
    if not keep_days or read_identity(config.archive) is None:
        return Taken()
    until = day - datetime.timedelta(days=keep_days)
    taking = Taking(config.archive, prune_until=until, only_removals=True)
    return taking.take(scan=removed_rows > 0)
