"""A dry run: what a run would do and about how long it would take. Nothing is labelled or written."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from emojob.pipeline.inference import memo_file
from emojob.pipeline.inference.memo import Memo
from emojob.pipeline.output.run_json import how_run
from emojob.pipeline.reading.context import Conversations
from emojob.pipeline.reading.dataset import Dataset, Source, read_batches
from emojob.pipeline.running.executor import Executor
from emojob.pipeline.running.job import Job
from emojob.pipeline.running.prepare import PreparedRun, prepare
from emojob.pipeline.storage.paths import AnyPath
from emojob.schemas.options import ModelOptions, ScoreOptions

_POSITIONS = 4  # in the dataset from which texts are sampled
_ROWS = 16_384  # sampled at each
_SECONDS = 5.0  # for which the engine is measured


def plan_run(
    inputs: Sequence[str],
    out: AnyPath | None,
    options: ScoreOptions,
    model_options: ModelOptions,
    note: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Return what a run would do, with its duration estimated from some seconds of real batches.

    Args:
        inputs: Files, folders, globs or URLs.
        out: A folder, a file X.parquet, or None for INPUT-STEM.emotions beside the input.
        options: What to read and to write.
        model_options: The model and how it runs.
        note: callback(line), called before anything that takes long.

    Raises:
        InputError: Whatever a run would refuse.
    """
    begun = time.perf_counter()
    with prepare(inputs, out, options, model_options, writes=False) as prepared:
        job = prepared.start(note)
        return _plan(job, prepared, time.perf_counter() - begun)


def _plan(job: Job, prepared: PreparedRun, opening: float) -> dict[str, Any]:
    """Describe the run. opening: seconds until the first row."""
    before, executor = prepared.complete, prepared.executor
    done = before.counts.read if before else job.counts_before.read
    left = 0 if before or job.is_complete else max(0, job.rows - done)
    choice = job.model.choice
    plan = {
        "inputs": len(job.dataset.sources),
        "bytes": sum(source.size for source in job.dataset.sources),
        "text_column": job.dataset.text_column,
        **({"conversation_column": job.dataset.conversation_column} if job.dataset.conversation_column else {}),
        "rows_about" if job.is_estimate else "rows": job.rows,
        "rows_complete": done,
        "output": str(prepared.out),
        "engine": how_run({**asdict(choice), "processes": job.processes, "within": executor.name}),
    }
    if left:
        plan |= _estimate(job, executor, left, opening)
    return plan


def _estimate(job: Job, executor: Executor, rows: int, opening: float) -> dict[str, Any]:
    """Estimate the tokens of `rows` rows and the seconds of a run over them. opening: seconds until the first row."""
    model, memo = job.model, _memo(job)
    sampled = tokens = inferred = 0
    begun = time.perf_counter()
    samples = []
    for texts, previous in _sample(job):
        prepared = model.prepare(texts, previous)
        known, _ = memo.find(memo.keys_of(prepared.encoded))
        sampled += len(texts)
        tokens += int(prepared.encoded.lengths[prepared.place[prepared.place >= 0]].sum())
        inferred += int(prepared.encoded.lengths[~known].sum())
        samples.append(prepared.encoded)
    if not sampled:
        return {}
    reading = (time.perf_counter() - begun) / sampled
    rate = executor.rate(model, max(samples, key=lambda encoded: len(encoded.ids)), _SECONDS)
    if not rate:
        return {}
    engine = inferred / sampled / rate / job.processes
    if executor.name:  # each worker of a cluster reads for itself
        reading /= job.processes
    # a GPU works while the processor reads on; on a processor the two share the cores
    each = max(engine, reading) if model.choice.device == "cuda" else engine + reading
    return {
        "tokens_about": round(rows * tokens / sampled),
        "rows_per_second_about": round(1 / each),
        "seconds_about": round(opening + rows * each, 1),
    }


def _memo(job: Job) -> Memo:
    """The memo that the run would begin with."""
    if job.memo is None:
        return job.model.memo
    return memo_file.load(job.memo, job.model.depends_on, len(job.model.model.labels))[0]


def _sample(job: Job) -> Iterator[tuple[pa.Array, pa.Array | None]]:
    """Yield texts from a few positions of what a run would read, with the previous texts if the model reads them."""
    left = [source for source, progress in job.pending if not progress.complete]
    some = left[:: max(1, len(left) // _POSITIONS)][:_POSITIONS]
    for source in some:
        each = max(1, _POSITIONS // len(some)) if source.file.format == "parquet" else 1  # text is read from the start
        for position in range(each):
            yield from _texts(job.dataset, source, (source.rows or 0) * position // each)


def _texts(dataset: Dataset, source: Source, start: int) -> Iterator[tuple[pa.Array, pa.Array | None]]:
    """Yield the texts of the row batch that begins at a row. Conversations that began before it are unknown."""
    column = dataset.conversation_column
    wanted = [dataset.text_column, *([column] if column else [])]
    for row_batch in itertools.islice(read_batches(dataset, source, start, _ROWS, wanted), 1):
        previous = Conversations(dataset.text_column, column).previous(row_batch) if column else None
        yield row_batch.batch.column(dataset.text_column), previous
