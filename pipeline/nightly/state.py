"""Reads and writes nightly.json (the state of the nightly runs), and locks the archive during a nightly run."""

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
    """Return {input: date of the nightly run that first found the input}. Dates are in ISO 8601."""
    seen = atomic.read_json(archive / NIGHTLY_STATE_FILE).get("seen")
    return {str(name): str(day) for name, day in seen.items()} if isinstance(seen, dict) else {}


def read_last_night(archive: AnyPath) -> tuple[Path, Day] | None:
    """Return the configuration file and the date of the last nightly run. Return None if there was no run."""
    state = atomic.read_json(archive / NIGHTLY_STATE_FILE)
    try:
        return Path(state["config"]), Day.fromisoformat(state["day"])
    except (KeyError, TypeError, ValueError):
        return None


def write_state(config: NightlyConfig, seen: dict[str, str], day: Day) -> None:
    """Write nightly.json after a nightly run.

    Args:
        config: The configuration of the nightly run.
        seen: {input: date of the nightly run that first found the input}. Dates are in ISO 8601.
        day: Date of the nightly run.
    """
    file = config.archive / NIGHTLY_STATE_FILE
    state = {"format": _STATE_FORMAT, "seen": seen, "day": day.isoformat(), "config": str(config.file)}
    if state != atomic.read_json(file):
        atomic.write_json(file, state)


@contextlib.contextmanager
def night_lock(archive: AnyPath) -> Iterator[None]:
    """Lock the archive's folder. Create the folder if missing.

    Raises BusyError if another nightly run holds the lock.
    """
    make_folder(archive / PARTS_FOLDER)
    with lock(archive / NIGHTLY_LOCK_FILE, archive):
        yield
