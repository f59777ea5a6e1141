"""Loads the memo (cached probabilities of repeated texts) of a run from a file, and saves it after the run."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from emojob.pipeline.inference import memo_file
from emojob.pipeline.output.derived import records
from emojob.pipeline.output.identity import Mark, ensure_identity
from emojob.pipeline.output.layout import NIGHTLY_STATE_FILE
from emojob.pipeline.running.job import Job
from emojob.pipeline.storage.paths import AnyPath
from emojob.pipeline.storage.temporary import sweep
from emojob.schemas.errors import Interrupted, OptionError


@contextlib.contextmanager
def with_memo_file(
    job: Job,
    out: AnyPath,
    note: Callable[[str], None],
    day_of: Callable[[str], datetime.date | None] | None = None,
) -> Iterator[None]:
    """Load the memo from a file, and save the memo after the `with` block.

    The memo is also saved after an interruption. If the memo cannot be saved, the user gets a message, not an error.
    The memo file is recorded in OUT, so that `emojob forget` knows of the file.

    Args:
        job: The job.
        out: Path of the output: a folder or a single file.
        note: callback(message) for messages to the user.
        day_of: Function that returns the day of an input. None: the day of the run.
    """
    if job.memo is None or job.is_complete:
        yield
        return
    file = job.memo
    sweep(file.parent)
    identity = ensure_identity(out)
    is_new = records.add_record(out, records.new_record(out, file, records.MEMO, identity.mark))
    before = _Before(file)
    job.model.memo, why = memo_file.load(file, job.model.depends_on, len(job.model.model.labels))
    if why:
        note(why)
    try:
        try:
            yield
        except Interrupted:
            _save(job, before, identity.mark, _day(job, out, day_of), note)
            raise
        _save(job, before, identity.mark, _day(job, out, day_of), note)
    finally:
        if not file.exists() or (is_new and not job.model.tally.rows):
            with contextlib.suppress(OSError):
                records.remove_records(out, file)


@dataclass
class _Before:
    """A memo file before the run. `may_save` returns whether the file was not removed since then."""

    file: Path

    def __post_init__(self) -> None:
        self._existed = self.file.exists()
        self._multipliers = memo_file.read_multipliers(self.file)
        self.archives: list[str] = []
        if self._existed:
            with contextlib.suppress(OSError):
                self.archives = memo_file.read_archives(self.file)

    def may_save(self) -> bool:
        """Return False if `emojob forget` removed the memo file during the run."""
        if not self._existed:
            return True
        if not self.file.exists():
            return False
        now = memo_file.read_multipliers(self.file)  # after a removal, another run may have started a new memo
        return not self._multipliers or not now or self._multipliers == now


def _save(job: Job, before: _Before, mark: Mark, day: datetime.date | None, note: Callable[[str], None]) -> None:
    model, file = job.model, before.file
    if not model.tally.rows:  # no row was labelled, so there is nothing to save
        return
    archives = [one for one in map(Mark.parse, before.archives) if one]
    if mark.archive not in {one.archive for one in archives}:
        archives.append(mark)
    try:
        saved = memo_file.save(file, model.memo, model.depends_on, list(map(str, archives)), day, before.may_save)
    except (OSError, OptionError) as error:
        why = getattr(error, "strerror", None) or error
        note(f"the memo could not be saved to {file} ({why}); the next run only takes longer")
        return
    if not saved:
        note(
            f"the memo file {file} was removed during this run, so the memo is not saved; the next run starts a new one"
        )


def _day(job: Job, out: AnyPath, day_of: Callable[[str], datetime.date | None] | None) -> datetime.date | None:
    """Return the day of the texts that this run labels: the earliest day of the inputs; None if the day is unknown.

    A nightly run with `keep_days` removes a text from the memo as soon as it removes the rows of this day.
    """
    if day_of is None:
        # the rows of a nightly archive have the days of their inputs, which this run does not know
        is_nightly = out.is_dir() and (out / NIGHTLY_STATE_FILE).exists()
        return None if is_nightly else datetime.datetime.now(datetime.UTC).date()
    days = [day_of(source.file.name) for source, progress in job.pending if not progress.complete]
    known = [day for day in days if day is not None]
    return min(known) if known and len(known) == len(days) else None
