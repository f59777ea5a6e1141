"""What a run would do, and about how long it would take, without doing it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from emojob.pipeline.inference import memo_file
from emojob.pipeline.inference.memo import Memo
from emojob.pipeline.output.archive_folder import ArchiveFolder
from emojob.pipeline.output.compatibility import ensure_archive_or_empty
from emojob.pipeline.output.layout import rejects_beside, work_folder
from emojob.pipeline.output.run_json import how_run
from emojob.pipeline.reading.context import Conversations
from emojob.pipeline.reading.dataset import Dataset, Source, read_batches
from emojob.pipeline.running.executor import Executor, open_executor
from emojob.pipeline.running.job import Job, check_default_out, default_out, input_files, open_job
from emojob.pipeline.running.run import Result
from emojob.pipeline.running.single_file import check_one_file, still_complete
from emojob.pipeline.storage.paths import AnyPath, output_errors
from emojob.schemas.options import ModelOptions, ScoreOptions

_PLACES = 4  # of the archive that a sample is taken from
_ROWS = 16_384  # of each
_SECONDS = 5.0  # that the engine runs


def plan_archive(
    inputs: Sequence[str],
    out: AnyPath | None,
    options: ScoreOptions,
    model_options: ModelOptions,
    note: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """What a run would do, and an estimate of its seconds from some seconds of real batches; no output is written.

    note: gets a line before what takes long. Raises what `score_archive` raises before it begins.
    """
    place = (out or default_out(inputs)).resolve()
    with output_errors(place):
        return _planned(inputs, place, out is None, options, model_options, note)


def _planned(
    inputs: Sequence[str],
    place: AnyPath,
    by_default: bool,
    options: ScoreOptions,
    model_options: ModelOptions,
    note: Callable[[str], None],
) -> dict[str, Any]:
    work, before = work_folder(place), None
    if work != place:  # it is one file
        before = still_complete(place, check_one_file(place, inputs), inputs, options, model_options)
    ensure_archive_or_empty(work)
    output = ArchiveFolder(work)
    output.read_markers()
    begun = time.perf_counter()
    with open_executor(options, model_options) as where:
        files = input_files(inputs, work, options, [place, rejects_beside(place)])
        job = open_job(files, output, options, model_options, where, note)
        if by_default:
            check_default_out(output, inputs[0], job.dataset)
        opened = time.perf_counter() - begun
        return _plan(job, where, place, before, opened)


def _plan(job: Job, where: Executor, place: AnyPath, before: Result | None, opened: float) -> dict[str, Any]:
    """before: what a labelled file holds already; opened: seconds that the job took to open."""
    done = before.counts.read if before else job.counts_before.read
    ends = before or all(progress.complete for progress in job.inputs_progress)
    left = 0 if ends else max(0, job.rows - done)
    choice = job.scorer.choice
    plan = {
        "inputs": len(job.dataset.sources),
        "bytes": sum(source.size for source in job.dataset.sources),
        "text_column": job.dataset.text_column,
        **({"conversation_column": job.dataset.conversation_column} if job.dataset.conversation_column else {}),
        "rows_about" if job.is_estimate else "rows": job.rows,
        "rows_complete": done,
        "output": str(place),
        "engine": how_run({**asdict(choice), "processes": job.processes, "within": where.name}),
    }
    if left:
        plan |= _estimate(job, where, left, opened)
    return plan


def _estimate(job: Job, where: Executor, rows: int, opening: float) -> dict[str, Any]:
    """Tokens of so many rows, and seconds that a run of them takes. opening: seconds that it takes before its first."""
    scorer, memo = job.scorer, _memo(job)
    sampled = tokens = inferred = 0
    begun = time.perf_counter()
    pieces = []
    for texts, previous in _sample(job):
        prepared = scorer.prepare(texts, previous)
        known, _ = memo.find(memo.keys_of(prepared.encoded))
        sampled += len(texts)
        tokens += int(prepared.encoded.lengths[prepared.place[prepared.place >= 0]].sum())
        inferred += int(prepared.encoded.lengths[~known].sum())
        pieces.append(prepared.encoded)
    if not sampled:
        return {}
    reading = (time.perf_counter() - begun) / sampled
    rate = where.rate(scorer, max(pieces, key=lambda encoded: len(encoded.ids)), _SECONDS)
    if not rate:
        return {}
    engine = inferred / sampled / rate / job.processes
    if where.name:  # each labeller reads for itself
        reading /= job.processes
    # a GPU works while the processor reads on; on a processor the two share the cores
    each = max(engine, reading) if scorer.choice.device == "cuda" else engine + reading
    return {
        "tokens_about": round(rows * tokens / sampled),
        "rows_per_second_about": round(1 / each),
        "seconds_about": round(opening + rows * each, 1),
    }


def _memo(job: Job) -> Memo:
    """The memo that the run would begin with."""
    if job.memo is None:
        return job.scorer.memo
    return memo_file.load(job.memo, job.scorer.depends_on, len(job.scorer.model.labels))[0]


def _sample(job: Job) -> Iterator[tuple[pa.Array, pa.Array | None]]:
    """Texts from a few places of what is to be read, and those before them where the model reads them."""
    dataset = job.dataset
    left = [source for source, one in zip(dataset.sources, job.inputs_progress, strict=True) if not one.complete]
    some = left[:: max(1, len(left) // _PLACES)][:_PLACES]
    for source in some:
        each = max(1, _PLACES // len(some)) if source.file.format == "parquet" else 1  # others are read from the start
        for place in range(each):
            yield from _texts(dataset, source, (source.rows or 0) * place // each)


def _texts(dataset: Dataset, source: Source, start: int) -> Iterator[tuple[pa.Array, pa.Array | None]]:
    """The texts of a row batch that begins at a row; of conversations that began before it nothing is known."""
    column = dataset.conversation_column
    wanted = [dataset.text_column, *([column] if column else [])]
    for row_batch in itertools.islice(read_batches(dataset, source, start, _ROWS, wanted), 1):
        previous = Conversations(dataset.text_column, column).previous(row_batch) if column else None
        yield row_batch.batch.column(dataset.text_column), previous
