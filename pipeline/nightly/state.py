"""What nights remember in nightly.json in OUT, and the lock that allows one night at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from emojob.pipeline.nightly.calendar import Day
from emojob.pipeline.nightly.config import NightlyConfig
from emojob.pipeline.output.layout import NIGHTLY_LOCK_FILE, NIGHTLY_STATE_FILE, PARTS_FOLDER
from emojob.pipeline.storage import atomic
from emojob.pipeline.storage.lock import lock
from emojob.pipeline.storage.paths import AnyPath, make_folder

_STATE_FORMAT = 1


def read_seen(archive: AnyPath) -> dict[str, str]:
    """Return {input: day on which it was first seen, in ISO 8601}."""
    seen = atomic.read_json(archive / NIGHTLY_STATE_FILE).get("seen")
    return {str(name): str(day) for name, day in seen.items()} if isinstance(seen, dict) else {}


def read_last_night(archive: AnyPath) -> tuple[Path, Day] | None:
    """Return the configuration file and the day of the archive's last night, None if there was no night."""
    state = atomic.read_json(archive / NIGHTLY_STATE_FILE)
    try:
        return Path(state["config"]), Day.fromisoformat(state["day"])
    except (KeyError, TypeError, ValueError):
        return None


def write_state(config: NightlyConfig, seen: dict[str, str], day: Day) -> None:
    """Write the state of a night; an unchanged file is not written again.

    Args:
        config: The night's configuration; names the archive.
        seen: {input: day on which it was first seen, in ISO 8601}.
        day: The night's day.
    """
    file = config.archive / NIGHTLY_STATE_FILE
    state = {"format": _STATE_FORMAT, "seen": seen, "day": day.isoformat(), "config": str(config.file)}
    if state != atomic.read_json(file):
        atomic.write_json(file, state)


@contextlib.contextmanager
def night_lock(archive: AnyPath) -> Iterator[None]:
    """Lock an archive for one night; make its folder first. Raises BusyError if another night holds the lock."""
    make_folder(archive / PARTS_FOLDER)
    with lock(archive / NIGHTLY_LOCK_FILE, archive):
        yield
