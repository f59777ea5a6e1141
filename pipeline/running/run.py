"""Labels a dataset: rows -> tokens -> probabilities -> part files. These stages run at the same time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

from emojob.pipeline.output.archive_folder import ArchiveFolder
from emojob.pipeline.output.run_json import ATTEMPTS, run_json
from emojob.pipeline.reading.chunks import PendingChunks
from emojob.pipeline.reading.files.input_file import InputFile
from emojob.pipeline.running.executor import Executor
from emojob.pipeline.running.job import Job
from emojob.pipeline.running.prepare import prepare
from emojob.pipeline.running.roles import update_file, with_roles
from emojob.pipeline.running.run_memo import with_memo_file
from emojob.pipeline.running.single_file import join_parts
from emojob.pipeline.running.unlabelled import empty_notes, of_run, problems, with_unlabelled
from emojob.pipeline.storage.paths import AnyPath
from emojob.pipeline.system.prefetch import Stages, StageTimer, StopRequested
from emojob.schemas.errors import EmojobError, Interrupted, WorkerError
from emojob.schemas.manifest import Counts
from emojob.schemas.options import ModelOptions, ScoreOptions

_ROUNDS = 5  # maximum number of times that a run on a cluster looks for rows that are still missing


@dataclass
class Progress:
    """The progress of a run. The attributes are updated during the run.

    Attributes:
        rows_total: Total number of rows of the inputs.
        is_estimate: Whether `rows_total` is an estimate. For some text files, emojob counts lines instead of rows.
        rows_before: Number of rows in part files of earlier runs.
        rows_done: Number of rows that this run has read.
        memo_share: Share of rows with cached probabilities, from 0 to 1. Rows without text are not counted.
        parts: Number of part files that this run wrote.
        inputs: Number of inputs.
        begun: `time.monotonic()` when the run started.
    """

    rows_total: int = 0
    is_estimate: bool = False
    rows_before: int = 0
    rows_done: int = 0
    memo_share: float = 0.0
    parts: int = 0
    inputs: int = 0
    begun: float = field(default_factory=time.monotonic)

    @property
    def rows_per_second(self) -> float:
        """Average speed of this run so far, in rows/s."""
        return self.rows_done / max(1e-9, time.monotonic() - self.begun)

    @property
    def seconds_left(self) -> float | None:
        """Estimated seconds until the end of the run; None if no row is done yet."""
        if not self.rows_done:
            return None
        return max(0, self.rows_total - self.rows_before - self.rows_done) / self.rows_per_second


@dataclass(frozen=True)
class Result:
    """The result of a run.

    Attributes:
        out: Path of the output: a folder or a file.
        counts: Counts of the rows of all inputs, including rows that earlier runs labelled.
        rows_before: Number of rows in part files of earlier runs.
        seconds: Duration of the run in seconds.
        run: Contents of run.json.
        problems: Reasons for exit code 3, as lines: too many rejected rows, or an input of which no row is labelled
            because rows are rejected. Empty if the run was successful.
    """

    out: AnyPath
    counts: Counts
    rows_before: int
    seconds: float
    run: dict[str, Any]
    problems: list[str] = field(default_factory=list)

    @property
    def rows_done(self) -> int:
        """Number of rows that this run has read."""
        return self.counts.read - self.rows_before


def score_dataset(
    inputs: Sequence[str | InputFile],
    out: AnyPath | None = None,
    options: ScoreOptions | None = None,
    model_options: ModelOptions | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
    note: Callable[[str], None] = lambda text: None,
    stages: Stages | None = None,
    grows: bool = False,
    day_of: Callable[[str], date | None] | None = None,
) -> Result:
    """Label a dataset and write the labelled rows to OUT. An interrupted run is continued.

    Args:
        inputs: Files, folders, globs or URLs; or files that `find_inputs` returned. Then `out` is required.
        out: A folder or a file X.parquet. None: INPUT-STEM.emotions next to the input.
        options: Options for reading and writing.
        model_options: Options of the model and its engine.
        report: callback(progress), called about ten times per second.
        note: callback(message), called with each message for the user.
        stages: The threads of the run. `stages.stop()` ends the run.
        grows: Whether OUT grows with each run (nightly runs). If false, inputs that were moved are recognised, and the
            user gets a warning if OUT contains rows of other inputs.
        day_of: Function that returns the day of an input, for the memo. None: the day of the run.

    Raises:
        InputError: An input, an option, the model or OUT is wrong.
        StorageError: OUT cannot be written.
        BusyError: Another run has locked OUT.
        WorkerError: A worker process ended unexpectedly.
        Interrupted: `stages.stop()` was called.
    """
    options, model_options = options or ScoreOptions(), model_options or ModelOptions()
    with prepare(inputs, out, options, model_options, note=note, recognizes_moved=not grows) as prepared:
        if prepared.complete:
            counts, run = prepared.complete.counts, prepared.complete.run
            if prepared.role_notes:
                run = update_file(prepared.out, prepared.output.folder, prepared.opened.options)
            for line in prepared.role_notes:
                note(line)
            result = Result(prepared.out, counts, counts.read, time.monotonic() - prepared.begun, run)
            return _judged(result, options, note)
        for line in prepared.notes(grows):
            note(line)
        job = prepared.start(note)
        with with_memo_file(job, prepared.out, note, day_of):
            result = _Run(job, prepared.output, prepared.executor, stages or Stages(), report, note).go()
        if prepared.out != prepared.output.folder:
            join_parts(prepared.output, prepared.out, result.run, result.counts, job.schema)
        return _judged(replace(result, out=prepared.out), options, note if not grows else lambda text: None)


def _judged(result: Result, options: ScoreOptions, note: Callable[[str], None]) -> Result:
    """Return the result with `problems`. Note the inputs without texts."""
    unlabelled = of_run(result.run)
    for line in empty_notes(unlabelled):
        note(line)
    counts = result.counts
    return replace(result, problems=problems(counts.rejected, counts.read, options, unlabelled, result.out))


class _Run:
    """One run: the job, the progress and the counts."""

    def __init__(
        self,
        job: Job,
        output: ArchiveFolder,
        executor: Executor,
        stages: Stages,
        report: Callable[[Progress], None],
        note: Callable[[str], None],
    ) -> None:
        self.job, self.output, self.executor, self.stages = job, output, executor, stages
        self.report, self.note = report, note
        self.model, self.options = job.model, job.options
        self.timer, self.progress = StageTimer(), Progress(inputs=len(job.dataset.sources))
        self.started = datetime.now(UTC)

    def go(self) -> Result:
        """Label the rows that OUT does not contain yet. Write run.json at the start and at the end."""
        self._plan()
        if self._is_complete():
            return self._finish("complete")
        self.output.write_run(self._run_json("running"))
        try:
            self._label()
            return self._finish("complete")
        except StopRequested:
            self._read_back()
            result = self._finish("interrupted")
            raise Interrupted(
                f"interrupted after {result.rows_done:,} rows of this run: run the same command to continue"
            ) from None
        except BaseException:
            self.stages.join()
            # ignore errors here (for example, another run has locked OUT), because the first error is reported
            with contextlib.suppress(OSError, EmojobError):
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

    def _is_complete(self) -> bool:
        if self.job.is_complete:
            return True
        if self.options.limit is None:
            return False
        pending = PendingChunks(self.job.dataset, self.job.pending, self.options.limit, lambda: self.stages.stopping)
        return next(iter(pending), None) is None

    # -- labelling ---------------------------------------------------------------------------------------------

    def _label(self) -> None:
        """Label the missing rows. On a cluster, label rows again if their parts do not count (`output/coverage.py`)."""
        for _ in range(_ROUNDS):
            for marker in self.executor.parts(self.job, self.output.folder, self.stages, self.timer, self._added):
                self.output.add_marker(marker)
                self.counts.add(marker.counts)
                self.progress.parts += 1
            if self.executor.name is None:
                return
            self._read_back()
            if self._is_complete():
                return
            self.note("some rows are labelled again, because a node that lost its connection has changed their parts")
            self.job = replace(self.job, attempt=self.job.attempt + ATTEMPTS // (2 * _ROUNDS))
        raise WorkerError(
            f"{self.output.folder} still lacks rows, because nodes that lost their connection change parts again and "
            "again: stop these nodes, then run the same command to continue"
        )

    def _read_back(self) -> None:
        """Read the completion markers again, if other processes also write parts. Update the job and the counts."""
        if self.executor.name is None:
            return
        self.output.read_markers()
        progress = self.output.inputs_progress(self.job.dataset.sources)
        self.job = replace(self.job, inputs_progress=progress)
        self.counts = self.job.counts_before

    # -- during and after labelling ------------------------------------------------------------------------------

    def _added(self, rows: int) -> None:
        self.output.ensure_lock_held()
        self.progress.rows_done += rows
        self.progress.memo_share = self.model.tally.memo_share
        self.report(self.progress)

    def _finish(self, state: str) -> Result:
        self.output.remove_uncounted()
        self.output.write_rejects()
        before, run = self.output.run(), self._run_json(state)
        if state == "complete":
            run = with_unlabelled(run, self.output.folder, self.output.markers)
        if any(before.get(key) != run[key] for key in ("state", "counts", "inputs")):
            self.output.write_run(run)
        elif with_roles(before, self.options) != before:  # all rows were already labelled
            self.output.write_run(with_roles(before, self.options))
        seconds = time.monotonic() - self.progress.begun
        return Result(self.output.folder, self.counts, self.rows_before, seconds, run)

    def _write_failed(self) -> None:
        self._read_back()
        if not self.output.markers:
            self.output.remove_run()  # from now on, no worker completes a part
            self.output.read_markers()
        if self.output.markers:
            self.output.write_run(self._run_json("failed"))
        else:  # no part file is complete
            self.output.remove_all_parts()

    def _run_json(self, state: str) -> dict[str, Any]:
        new_rows = self.counts.read - self.rows_before
        timings = self.progress.begun, self.timer.seconds
        job = self.job
        run = run_json(
            state, self.started, job.dataset, self.model, job.privacy, self.options, self.counts, new_rows, timings
        )
        run |= {"run_id": job.run_id, "attempt": job.attempt}
        run["engine"] |= {"processes": self.job.processes, "within": self.executor.name}
        return run
