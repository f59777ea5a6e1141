"""One scoring run: dataset -> row batches -> tokens -> probabilities -> labelled parts, the stages overlapping."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from emojob.pipeline.inference import memo_file
from emojob.pipeline.inference.scoring_model import ScoringModel
from emojob.pipeline.output.archive_folder import ArchiveFolder
from emojob.pipeline.output.run_json import run_json
from emojob.pipeline.reading.chunks import PendingChunks
from emojob.pipeline.running.executor import Executor
from emojob.pipeline.running.job import Job
from emojob.pipeline.running.prepare import prepare
from emojob.pipeline.running.single_file import join_parts
from emojob.pipeline.storage.paths import AnyPath
from emojob.pipeline.system.prefetch import Stages, StageTimer, StopRequested
from emojob.schemas.errors import Interrupted, StorageError
from emojob.schemas.manifest import Counts
from emojob.schemas.options import ModelOptions, ScoreOptions


@dataclass
class Progress:
    """The progress of a run. One object for the whole run; its numbers grow."""

    rows_total: int = 0  # of all inputs
    is_estimate: bool = False  # whether rows_total is the number of lines of text files
    rows_before: int = 0  # in parts that were complete already
    rows_done: int = 0  # by this run
    memo_share: float = 0.0  # of the rows with text, those that repeated others
    parts: int = 0
    inputs: int = 0
    begun: float = field(default_factory=time.monotonic)

    @property
    def rows_per_second(self) -> float:
        """Of this run so far."""
        return self.rows_done / max(1e-9, time.monotonic() - self.begun)

    @property
    def seconds_left(self) -> float | None:
        """None where nothing has been done yet."""
        if not self.rows_done:
            return None
        return max(0, self.rows_total - self.rows_before - self.rows_done) / self.rows_per_second


@dataclass(frozen=True)
class Result:
    """The result of a run.

    Attributes:
        out: What was written: a folder or a file.
        counts: The counts of all inputs, parts of earlier runs included.
        rows_before: Rows that were complete before this run.
        seconds: The run's duration.
        run: The contents of run.json.
    """

    out: AnyPath
    counts: Counts
    rows_before: int
    seconds: float
    run: dict[str, Any]

    @property
    def rows_done(self) -> int:
        """Rows read by this run."""
        return self.counts.read - self.rows_before


def score_dataset(
    inputs: Sequence[str],
    out: AnyPath | None = None,
    options: ScoreOptions | None = None,
    model_options: ModelOptions | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
    note: Callable[[str], None] = lambda text: None,
    stages: Stages | None = None,
    grows: bool = False,
) -> Result:
    """Label a dataset into OUT. An interrupted run of the same command goes on where it stopped.

    Args:
        inputs: Files, folders, globs or URLs.
        out: A folder, a file X.parquet, or None for INPUT-STEM.emotions beside the input.
        options: What to read and to write.
        model_options: The model and how it runs.
        report: callback(progress), called about ten times a second.
        note: callback(line), called with a line that the user should see.
        stages: The run's threads; its `stop` ends the run.
        grows: Whether OUT is meant to hold other inputs as well.

    Raises:
        InputError: Something that the user can mend.
        StorageError: OUT cannot be written.
        BusyError: Another run has locked OUT.
        WorkerError: A process that labels is gone.
        Interrupted: After `stages.stop`.
    """
    options, model_options = options or ScoreOptions(), model_options or ModelOptions()
    with prepare(inputs, out, options, model_options) as prepared:
        if prepared.complete:
            counts, seconds = prepared.complete.counts, time.monotonic() - prepared.begun
            return Result(prepared.out, counts, counts.read, seconds, prepared.complete.run)
        for line in prepared.notes(grows):
            note(line)
        job = prepared.start(note)
        with _remembering(job, note):
            result = _Run(job, prepared.output, prepared.executor, stages or Stages(), report).go()
        if prepared.out != prepared.output.folder:
            join_parts(prepared.output, prepared.out, result.run, result.counts, job.schema)
        return replace(result, out=prepared.out)


class _Run:
    """The state of one run, from the parts that are complete already to the last part."""

    def __init__(
        self, job: Job, output: ArchiveFolder, executor: Executor, stages: Stages, report: Callable[[Progress], None]
    ) -> None:
        self.job, self.output, self.executor, self.stages, self.report = job, output, executor, stages, report
        self.model, self.options = job.model, job.options
        self.timer, self.progress = StageTimer(), Progress(inputs=len(job.dataset.sources))
        self.started = datetime.now(UTC)

    def go(self) -> Result:
        """Plan, score, and write run.json."""
        self._plan()
        if self._complete_before():
            return self._finish("complete")
        self.output.write_run(self._run_json("running"))
        try:
            for marker in self.executor.parts(self.job, self.output.folder, self.stages, self.timer, self._added):
                self.output.add_marker(marker)
                self.counts.add(marker.counts)
                self.progress.parts += 1
            return self._finish("complete")
        except StopRequested:
            result = self._finish("interrupted")
            raise Interrupted(
                f"interrupted after {result.rows_done:,} rows of this run: the same command goes on from there"
            ) from None
        except BaseException:
            self.stages.join()
            with contextlib.suppress(OSError, StorageError):  # for example, another run has taken OUT
                self._write_failed()
            raise
        finally:
            self.stages.join()

    # -- before labelling --------------------------------------------------------------------------------------

    def _plan(self) -> None:
        if self.options.fresh:
            self.output.remove_all_parts()
        self.output.remove([marker for progress in self.job.inputs_progress for marker in progress.stale])
        self.output.sweep()
        self.counts = self.job.counts_before
        self.progress.rows_before = self.rows_before = self.counts.read
        self.progress.rows_total, self.progress.is_estimate = self.job.rows, self.job.is_estimate

    def _complete_before(self) -> bool:
        if self.job.is_complete:
            return True
        if self.options.limit is None:
            return False
        pending = PendingChunks(self.job.dataset, self.job.pending, self.options.limit, lambda: self.stages.stopping)
        return next(iter(pending), None) is None

    # -- while labelling, and after ----------------------------------------------------------------------------

    def _added(self, rows: int) -> None:
        self.output.ensure_lock_held()
        self.progress.rows_done += rows
        self.progress.memo_share = self.model.tally.memo_share
        self.report(self.progress)

    def _finish(self, state: str) -> Result:
        self.output.write_rejects()
        before, run = self.output.run(), self._run_json(state)
        if (before.get("state"), before.get("counts")) != (state, run["counts"]):
            self.output.write_run(run)
        seconds = time.monotonic() - self.progress.begun
        return Result(self.output.folder, self.counts, self.rows_before, seconds, run)

    def _write_failed(self) -> None:
        if self.output.markers:
            self.output.write_run(self._run_json("failed"))
        else:  # nothing to go on with, so nothing is left behind
            self.output.remove_all_parts()

    def _run_json(self, state: str) -> dict[str, Any]:
        new_rows = self.counts.read - self.rows_before
        timings = self.progress.begun, self.timer.seconds
        job = self.job
        run = run_json(
            state, self.started, job.dataset, self.model, job.privacy, self.options, self.counts, new_rows, timings
        )
        run["engine"] |= {"processes": self.job.processes, "within": self.executor.name}
        return run


@contextlib.contextmanager
def _remembering(job: Job, note: Callable[[str], None]) -> Iterator[None]:
    """Begin with the memo that a file keeps, and write it back at the end, also after an interruption.

    A memo that cannot be written only costs the next run time, so that is a note and no error.
    """
    if job.memo is None:
        yield
        return
    model, file = job.model, job.memo
    memo_file.remove_leftovers(file)
    was_there = file.exists()
    model.memo, why = memo_file.load(file, model.depends_on, len(model.model.labels))
    if why:
        note(why)
    try:
        yield
    except Interrupted:
        _keep(model, file, was_there, note)
        raise
    _keep(model, file, was_there, note)


def _keep(model: ScoringModel, file: Path, was_there: bool, note: Callable[[str], None]) -> None:
    if not model.tally.rows:  # nothing new
        return
    if was_there and not file.exists():  # what it held is to be forgotten
        note(f"the memo {file} was removed meanwhile, and the next run begins a new one")
        return
    try:
        memo_file.save(file, model.memo, model.depends_on)
    except OSError as error:
        note(f"the memo could not be kept in {file}: {error.strerror or error}")
