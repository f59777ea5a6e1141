"""Reads and writes nightly.json (the state of the nightly runs), and locks the archive during a nightly run."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from emojob.pipeline.nightly.calendar import Day, Seen
from emojob.pipeline.nightly.config import NightlyConfig
from emojob.pipeline.output.compatibility import ensure_no_links
from emojob.pipeline.output.identity import ensure_identity, hidden_name, is_hidden, names_of_hidden
from emojob.pipeline.output.layout import NIGHTLY_LOCK_FILE, NIGHTLY_STATE_FILE, PARTS_FOLDER
from emojob.pipeline.storage import atomic
from emojob.pipeline.storage.lock import lock
from emojob.pipeline.storage.paths import AnyPath, make_folder

_STATE_FORMAT = 1
_MEMORY = 1200  # days


def read_seen(archive: AnyPath, inputs: Iterable[str] = ()) -> Seen:
    """Return the recorded days of the inputs. Nothing is recorded before the first nightly run.

    Args:
        archive: The archive's folder.
        inputs: Names of inputs that exist. If such a name is hidden (see `hidden_name`), the name itself is returned.
    """
    state = atomic.read_json(archive / NIGHTLY_STATE_FILE)
    first, matched = _days(state.get("seen")), _days(state.get("days"))
    names = names_of_hidden(archive, [*first, *matched], inputs)
    return Seen(*({names.get(name, name): day for name, day in days.items()} for days in (first, matched)))


def _days(plain: Any) -> dict[str, str]:
    return {str(name): str(day) for name, day in plain.items()} if isinstance(plain, dict) else {}


def read_last_night(archive: AnyPath) -> tuple[Path, Day] | None:
    """Return the configuration file and the date of the last nightly run. Return None if there was no run."""
    state = atomic.read_json(archive / NIGHTLY_STATE_FILE)
    try:
        return Path(state["config"]), Day.fromisoformat(state["day"])
    except (KeyError, TypeError, ValueError):
        return None


def write_seen(archive: AnyPath, seen: Seen) -> None:
    """Record the days of the inputs before the scoring, so that an interrupted nightly run keeps its days."""
    state = atomic.read_json(archive / NIGHTLY_STATE_FILE)
    _write(archive, {**state, "format": _STATE_FORMAT, "seen": seen.first, "days": seen.matched})


def write_state(config: NightlyConfig, seen: Seen, day: Day) -> None:
    """Write nightly.json after a nightly run.

    Args:
        config: The configuration of the nightly run.
        seen: Days of the inputs.
        day: Date of the nightly run.
    """
    state = {"seen": seen.first, "days": seen.matched, "day": day.isoformat(), "config": str(config.file)}
    _write(config.archive, {"format": _STATE_FORMAT, **state})


def _write(archive: AnyPath, state: dict[str, Any]) -> None:
    file = archive / NIGHTLY_STATE_FILE
    if state != atomic.read_json(file):
        atomic.write_json(file, state)


def still_needed(archive: AnyPath, seen: Seen, known: Collection[str], today: Day, keep_days: int) -> Seen:
    """Return `seen` without the days that no later nightly run needs.

    A file that vanishes and comes back keeps its first day: otherwise, rows that `keep_days` removed would be labelled
    again as new rows. So `first` keeps vanished inputs for three times `keep_days`, and for at least `_MEMORY` days.
    The names of vanished inputs are hidden, because a name may name a person.

    Args:
        archive: The archive's folder.
        seen: Days of the inputs.
        known: Names of the inputs that exist, or have rows in the archive.
        today: Date of the nightly run.
        keep_days: Value of output.keep_days.
    """
    oldest = (today - datetime.timedelta(days=min(max(_MEMORY, 3 * keep_days), 100_000))).isoformat()
    identity = ensure_identity(archive)
    return Seen(
        {
            name if name in known or is_hidden(name) else hidden_name(identity, name): day
            for name, day in seen.first.items()
            if name in known or day >= oldest
        },
        {name: day for name, day in seen.matched.items() if name in known},
    )


@contextlib.contextmanager
def night_lock(archive: AnyPath, note: Callable[[str], None] = lambda text: None) -> Iterator[None]:
    """Lock the archive's folder. Create the folder if missing.

    Args:
        archive: The archive's folder.
        note: callback(message), called if this run must wait for the lock (only in an object store).

    Raises:
        BusyError: Another nightly run holds the lock.
        OutputError: A folder in the archive is a link.
    """
    ensure_no_links(archive)
    make_folder(archive / PARTS_FOLDER)
    with lock(archive / NIGHTLY_LOCK_FILE, archive, note):
        yield
