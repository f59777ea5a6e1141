"""A scoring run: archive -> row batches -> tokens -> probabilities -> labelled parts, the stages overlapping."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from emojob.pipeline.inference import memo_file
from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.output.archive_folder import ArchiveFolder, open_output
from emojob.pipeline.output.run_json import run_json
from emojob.pipeline.reading.chunks import PendingChunks
from emojob.pipeline.running.executor import Executor, open_executor
from emojob.pipeline.running.job import Job, check_default_out, default_out, encodings, input_files, open_job, others
from emojob.pipeline.storage.paths import AnyPath, output_errors
from emojob.pipeline.storage.permissions import limit_permissions
from emojob.pipeline.system.prefetch import Stages, StageTimer, StopRequested
from emojob.schemas.errors import Interrupted, StorageError
from emojob.schemas.manifest import Counts
from emojob.schemas.options import ModelOptions, ScoreOptions


@dataclass
class Progress:
    """How far a run is; the same object all the time, its numbers growing."""

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
    """What a run came to. counts: of all inputs, parts that were complete before among them."""

    out: AnyPath
    counts: Counts
    rows_before: int
    seconds: float
    run: dict[str, Any]  # what run.json holds

    @property
    def rows_done(self) -> int:
        """Rows read by this run."""
        return self.counts.read - self.rows_before


def score_archive(
    inputs: Sequence[str],
    out: AnyPath | None = None,
    options: ScoreOptions | None = None,
    model_options: ModelOptions | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
    note: Callable[[str], None] = lambda text: None,
    stages: Stages | None = None,
    leave_out: Sequence[AnyPath] = (),
    then: Callable[[Result, pa.Schema, ArchiveFolder], Result] = lambda result, schema, output: result,
    grows: bool = False,
) -> Result:
    """Label an archive into the folder `out`, going on where an earlier run of the same stopped.

    report: called some ten times a second; note: called with a line that the user should see; stages: its `stop`
    ends the run; leave_out: files that are no input, wherever they lie; then: what is done with the result while
    `out` is still held; grows: whether `out` is to hold other inputs as well. Raises InputError for what the user can
    mend, StorageError where OUT cannot be written, BusyError where another run holds it, WorkerError where a process
    that labels is gone, Interrupted after `stop`.
    """
    options, model_options = options or ScoreOptions(), model_options or ModelOptions()
    place = (out or default_out(inputs)).resolve()
    files = input_files(inputs, place, options, leave_out)
    with (
        output_errors(place),
        limit_permissions(file.path for file in files),
        open_output(place) as output,
        open_executor(options, model_options) as where,
    ):
        job = open_job(files, output, options, model_options, where, note)
        if out is None:
            check_default_out(output, inputs[0], job.dataset)
        for line in [*encodings(job.dataset), *([] if grows else others(output, job.dataset))]:
            note(line)
        with _remembering(job, note):
            result = _Run(job, output, where, stages or Stages(), report).go()
        return then(result, job.schema, output)


class _Run:
    """The state of one run, from what is complete already to the last part."""

    def __init__(
        self, job: Job, output: ArchiveFolder, where: Executor, stages: Stages, report: Callable[[Progress], None]
    ) -> None:
        self.job, self.output, self.where, self.stages, self.report = job, output, where, stages, report
        self.scorer, self.options = job.scorer, job.options
        self.timer, self.progress = StageTimer(), Progress(inputs=len(job.dataset.sources))
        self.started = datetime.now(UTC)

    def go(self) -> Result:
        """Plan, score, and write down what came of it."""
        self._plan()
        if self._complete_before():
            return self._finish("complete")
        self.output.write_run(self._run_json("running"))
        try:
            for marker in self.where.parts(self.job, self.output.folder, self.stages, self.timer, self._added):
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
            with contextlib.suppress(OSError, StorageError):  # such as OUT being another's by now
                self._write_failed()
            raise
        finally:
            self.stages.join()

    # -- what is to be done ------------------------------------------------------------------------------------

    def _plan(self) -> None:
        if self.options.fresh:
            self.output.remove_all_parts()
        self.output.remove([marker for progress in self.job.inputs_progress for marker in progress.stale])
        self.output.sweep()
        self.counts = self.job.counts_before
        self.progress.rows_before = self.rows_before = self.counts.read
        self.progress.rows_total, self.progress.is_estimate = self.job.rows, self.job.is_estimate

    def _complete_before(self) -> bool:
        if all(progress.complete for progress in self.job.inputs_progress):
            return True
        if self.options.limit is None:
            return False
        sources = list(zip(self.job.dataset.sources, self.job.inputs_progress, strict=True))
        pending = PendingChunks(self.job.dataset, sources, self.options.limit, lambda: self.stages.stopping)
        return next(iter(pending), None) is None

    # -- what comes out ----------------------------------------------------------------------------------------

    def _added(self, rows: int) -> None:
        self.output.ensure_lock_held()
        self.progress.rows_done += rows
        self.progress.memo_share = self.scorer.tally.memo_share
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
            state, self.started, job.dataset, self.scorer, job.privacy, self.options, self.counts, new_rows, timings
        )
        run["engine"] |= {"processes": self.job.processes, "within": self.where.name}
        return run


@contextlib.contextmanager
def _remembering(job: Job, note: Callable[[str], None]) -> Iterator[None]:
    """Begin with the memo that a file keeps, and keep it there at the end, also of a run that is interrupted.

    A memo that cannot be written costs the next run time and nothing else, so it is told and no error.
    """
    if job.memo is None:
        yield
        return
    scorer, place = job.scorer, job.memo
    memo_file.remove_leftovers(place)
    was_there = place.exists()
    scorer.memo, why = memo_file.load(place, scorer.depends_on, len(scorer.model.labels))
    if why:
        note(why)
    try:
        yield
    except Interrupted:
        _keep(scorer, place, was_there, note)
        raise
    _keep(scorer, place, was_there, note)


def _keep(scorer: Scorer, place: Path, was_there: bool, note: Callable[[str], None]) -> None:
    if not scorer.tally.rows:  # nothing new
        return
    if was_there and not place.exists():  # what it held is to be forgotten
        note(f"the memo {place} was removed meanwhile, and the next run begins a new one")
        return
    try:
        memo_file.save(place, scorer.memo, scorer.depends_on)
    except OSError as error:
        note(f"the memo could not be kept in {place}: {error.strerror or error}")
