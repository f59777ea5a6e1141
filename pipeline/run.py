"""A scoring run: archive -> windows -> tokens -> probabilities -> labelled parts, the stages overlapping."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline import machine, memo_file
from pipeline.archive import Archive, open_archive
from pipeline.chunks import Chunk, Reading
from pipeline.columns import listed
from pipeline.context import in_context
from pipeline.engine import choices
from pipeline.inputs import find_inputs, local_path
from pipeline.labelled import count, labelled_schema, with_labels
from pipeline.labelling import Labelled, OneEngine
from pipeline.output import Output, hold
from pipeline.parts import PartWriter
from pipeline.pool import Pool, processes_for
from pipeline.runfile import run_json
from pipeline.scorer import Scorer
from pipeline.stages import Clock, Stages, Stopped
from schemas.errors import ArchiveError, ColumnError, Interrupted, OptionError, OutputError, StorageError
from schemas.manifest import Counts
from schemas.options import ModelOptions, ScoreOptions

#: Bytes of input from which on it pays to measure which engine is fastest.
LARGE = 2_000_000

_ENDINGS = re.compile(r"\.[^.]+(\.(gz|zst))?$", re.IGNORECASE)


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

    out: Path
    counts: Counts
    rows_before: int
    seconds: float
    run: dict[str, Any]  # what run.json holds

    @property
    def rows_done(self) -> int:
        """Rows read by this run."""
        return self.counts.read - self.rows_before


def default_out(inputs: Sequence[str]) -> Path:
    """INPUT-STEM.emotions beside the input. Raises ArchiveError where there is no one file or folder to name it by."""
    path = Path(local_path(inputs[0]))
    if len(inputs) != 1 or not path.exists():
        raise ArchiveError("several inputs, and no place for the output: give one with -o FOLDER")
    path = path.resolve()
    stem = path.name if path.is_dir() else _ENDINGS.sub("", path.name) or path.name
    return path.parent / f"{stem}.emotions"


def score_archive(
    inputs: Sequence[str],
    out: Path | None = None,
    options: ScoreOptions | None = None,
    model_options: ModelOptions | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
    note: Callable[[str], None] = lambda text: None,
    stages: Stages | None = None,
    leave_out: Sequence[Path] = (),
    then: Callable[[Result, pa.Schema], Result] = lambda result, schema: result,
) -> Result:
    """Label an archive into the folder `out`, going on where an earlier run of the same stopped.

    report: called some ten times a second; note: called with a line that the user should see; stages: its `stop`
    ends the run; leave_out: files that are no input, wherever they lie; then: what is done with the result while
    `out` is still held. Raises InputError for what the user can mend, StorageError where OUT cannot be written,
    BusyError where another run holds it, Interrupted after `stop`.
    """
    options, model_options = options or ScoreOptions(), model_options or ModelOptions()
    files = find_inputs(inputs, [*leave_out, *(Path(one) for one in (out, options.memo) if one)])
    place = (out or default_out(inputs)).resolve()
    try:
        with hold(place) as output:
            is_large = sum(file.path.stat().st_size for file in files) >= LARGE
            if not options.fresh:
                model_options = _as_begun(model_options, output.run())
            scorer = Scorer.load(None, model_options, is_large, note)  # before the long look at every file
            archive = open_archive(files, options.text_column, options.encoding)
            archive = in_context(archive, scorer.options.context, options.conversation_column)
            options = replace(options, conversation_column=archive.conversation_column or options.conversation_column)
            _check_columns(archive, options)
            if out is None:
                _check_default_out(output, inputs[0], archive)
            for line in [*_encodings(archive), *_others(output, archive)]:
                note(line)
            schema = labelled_schema(archive.schema, scorer.model.labels, options.prefix)
            processes = processes_for(scorer.choice, len(machine.look().gpus), is_large)
            with _remembering(scorer, options.memo, note):
                result = _Run(archive, scorer, schema, output, options, stages or Stages(), report, processes).go()
            return then(result, schema)
    except OSError as error:
        raise storage_error(error, place) from error


class _Run:
    """The state of one run, from what is complete already to the last part."""

    def __init__(
        self,
        archive: Archive,
        scorer: Scorer,
        schema: pa.Schema,
        output: Output,
        options: ScoreOptions,
        stages: Stages,
        report: Callable[[Progress], None],
        processes: int,
    ) -> None:
        self.archive, self.scorer, self.schema, self.processes = archive, scorer, schema, processes
        self.output, self.options, self.stages, self.report = output, options, stages, report
        self.clock, self.progress = Clock(), Progress(inputs=len(archive.sources))
        self.started = datetime.now(UTC)

    def go(self) -> Result:
        """Plan, score, and write down what came of it."""
        self._plan()
        if self._complete_before():
            return self._finish("complete")
        self.reading = self._reading()
        self.output.write_run(self._run_json("running"))
        writer: PartWriter | None = None
        try:
            for labelled in self.stages.ahead(self._labelled(), 1, self._tick):
                chunk = labelled.chunk
                if writer and writer.stop_row != chunk.window.first_row:
                    raise AssertionError(f"row {chunk.window.first_row} follows row {writer.stop_row}")
                writer = writer or self._new_part(chunk)
                with self.clock.busy("write"):
                    self._add(writer, labelled)
                    if writer.due or chunk.last or self.reading.ends_with(chunk):
                        self._commit(writer, chunk.last)
                        writer = None
            return self._finish("complete")
        except Stopped:
            self.stages.join()
            if writer:
                self._commit(writer, False)
            result = self._finish("interrupted")
            raise Interrupted(
                f"interrupted after {result.rows_done:,} rows of this run: the same command goes on from there"
            ) from None
        except BaseException:
            if writer:
                writer.abandon()
            self.stages.join()
            with contextlib.suppress(OSError):
                self._write_failed()
            raise
        finally:
            self.stages.join()

    # -- what is to be done ------------------------------------------------------------------------------------

    def _plan(self) -> None:
        if self.options.fresh:
            self.output.forget_all()
        self.output.check(
            self.scorer.fingerprint,
            self.scorer.model.name,
            self.scorer.model.labels,
            self.archive.text_column,
            self.archive.conversation_column,
            self.options.prefix,
        )
        self.standings = [self.output.standing(source) for source in self.archive.sources]
        self.output.sweep()
        self.counts = Counts()
        for standing in self.standings:
            self.counts.add(standing.counts)
        self.progress.rows_before = self.rows_before = self.counts.read
        rows = [
            standing.stop_row if standing.complete else source.rows if source.rows is not None else source.lines
            for standing, source in zip(self.standings, self.archive.sources, strict=True)
        ]
        total = sum(rows)
        self.progress.rows_total = min(total, self.options.limit or total)
        self.progress.is_estimate = any(source.rows is None for source in self.archive.sources)

    def _complete_before(self) -> bool:
        if all(standing.complete for standing in self.standings):
            return True
        return self.options.limit is not None and next(iter(self._reading()), None) is None

    def _reading(self) -> Reading:
        sources = list(zip(self.archive.sources, self.standings, strict=True))
        rate = self.scorer.choice.tokens_per_second
        return Reading(self.archive, sources, self.options.limit, lambda: self.stages.stopping, rate)

    # -- stages ------------------------------------------------------------------------------------------------

    def _labelled(self) -> Iterator[Labelled]:
        chunks = self.stages.ahead(self.clock.timed("read", iter(self.reading)))
        if self.processes == 1:
            one = OneEngine(self.scorer, self.stages, self.clock)
            yield from one.label(chunks, self.archive.text_column, self.reading.took)
            return
        with Pool(self.scorer, self.processes, self.stages, self.clock) as pool:
            yield from pool.label(chunks, self.archive.text_column, self.reading.took)

    # -- what comes out ----------------------------------------------------------------------------------------

    def _new_part(self, chunk: Chunk) -> PartWriter:
        place = self.output.place(chunk.standing.number, chunk.window.first_row)
        return PartWriter(place, chunk.source, self.schema, self.scorer.fingerprint, chunk.window.first_row)

    def _add(self, writer: PartWriter, labelled: Labelled) -> None:
        chunk, window = labelled.chunk, labelled.chunk.window
        counts = count(labelled.scored, len(window.rejects), labelled.tokens)
        writer.add(with_labels(window.batch, labelled.scored, self.schema), counts, chunk.stop_row, window.rejects)
        self.progress.rows_done += counts.read
        self.progress.memo_share = self.scorer.tally.memo_share
        self._tick()

    def _commit(self, writer: PartWriter, last: bool) -> None:
        marker = writer.commit(last)
        self.output.committed(marker)
        self.counts.add(marker.counts)
        self.progress.parts += 1

    def _tick(self) -> None:
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
            self.output.forget_all()

    def _run_json(self, state: str) -> dict[str, Any]:
        new_rows = self.counts.read - self.rows_before
        timings = self.progress.begun, self.clock.seconds
        run = run_json(state, self.started, self.archive, self.scorer, self.options, self.counts, new_rows, timings)
        run["engine"]["processes"] = self.processes
        return run


@contextlib.contextmanager
def _remembering(scorer: Scorer, file: str | None, note: Callable[[str], None]) -> Iterator[None]:
    """Begin with the memo that a file keeps, and keep it there at the end, also of a run that is interrupted.

    A memo that cannot be written costs the next run time and nothing else, so it is told and no error.
    """
    if file is None:
        yield
        return
    place = Path(local_path(file))
    scorer.memo, why = memo_file.recall(place, scorer.depends_on, len(scorer.model.labels))
    if why:
        note(why)
    try:
        yield
    except Interrupted:
        _keep(scorer, place, note)
        raise
    _keep(scorer, place, note)


def _keep(scorer: Scorer, place: Path, note: Callable[[str], None]) -> None:
    if not scorer.tally.rows:  # nothing new
        return
    try:
        memo_file.keep(place, scorer.memo, scorer.depends_on)
    except OSError as error:
        note(f"the memo could not be kept in {place}: {error.strerror or error}")


def _as_begun(options: ModelOptions, before: dict[str, Any]) -> ModelOptions:
    """The options with `auto` settled as in a run that was cut off: its rest is to come out as its beginning did.

    before: its run.json.
    """
    begun = before.get("engine")
    if before.get("state") not in ("running", "interrupted", "failed") or not isinstance(begun, dict):
        return options
    settled = {name: begun.get(name) for name in ("device", "engine", "precision") if getattr(options, name) == "auto"}
    try:
        same = replace(options, **{name: str(value) for name, value in settled.items()})  # type: ignore[arg-type]
        choices(same, machine.look())
    except OptionError:  # what it ran on is here no more
        return options
    return same


def _encodings(archive: Archive) -> list[str]:
    """Lines that say which encodings were found."""
    files: dict[str, list[str]] = {}
    for source in archive.sources:
        if source.encoding:
            files.setdefault(source.encoding, []).append(source.file.path.name)
    return [f"{names[0]}{f' and {len(names) - 1:,} more' * (len(names) > 1)}: {e}" for e, names in files.items()]


def _others(output: Output, archive: Archive) -> list[str]:
    """A line that says that OUT holds rows of inputs that are not given now."""
    others = {marker.input for marker in output.markers} - {source.file.name for source in archive.sources}
    rows = sum(marker.counts.read for marker in output.markers if marker.input in others)
    return (
        [f"{output.folder} also holds {rows:,} rows of inputs not given now: {listed(sorted(others))}"]
        if others
        else []
    )


def _check_columns(archive: Archive, options: ScoreOptions) -> None:
    for role in ("conversation", "time", "speaker"):
        name = getattr(options, f"{role}_column")
        if name is not None and name not in archive.schema.names:
            raise ColumnError(
                f"--{role}-column {name} is no column of the input; it has {listed(archive.schema.names)}"
            )


def _check_default_out(output: Output, given: str, archive: Archive) -> None:
    """Refuse to put an input's labels to those of another that happens to have the same stem."""
    folder = f"{Path(local_path(given)).resolve()}/"
    names = {source.file.name for source in archive.sources}
    others = sorted({m.input for m in output.markers if m.input not in names and not m.input.startswith(folder)})
    if others:
        raise OutputError(
            f"{output.folder} holds the labels of {others[0]}{' and others' * (len(others) > 1)}, not of {given}: "
            f"give another place with -o"
        )


def storage_error(error: OSError, out: Path) -> StorageError:
    """The one line for an output that cannot be written."""
    return StorageError(
        f"cannot write to {out}: {error.strerror or error}: make room or give the right to write; "
        f"the same command then goes on"
    )
