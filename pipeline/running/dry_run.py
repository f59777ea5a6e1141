"""Describes what a run would do and estimates how long it would take (`--dry-run`). Nothing is written."""

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

_POSITIONS = 4  # number of positions in the dataset at which texts are sampled
_ROWS = 16_384  # number of rows sampled at each position
_SECONDS = 5.0  # duration of the speed measurement


def plan_run(
    inputs: Sequence[str],
    out: AnyPath | None,
    options: ScoreOptions,
    model_options: ModelOptions,
    note: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Describe what a run would do, and run the model on sampled texts for a few seconds to estimate the duration.

    Args:
        inputs: Files, folders, globs or URLs.
        out: A folder or a file X.parquet. If None, the run would write to INPUT-STEM.emotions next to the input.
        options: Options for reading and writing.
        model_options: Options of the model and its engine.
        note: callback(line), called before each step that takes long.

    Returns:
        {name: value} in the order in which the command prints them.

    Raises:
        InputError: An input, an option, the model or OUT is wrong. A run would also fail.
    """
    begun = time.perf_counter()
    with prepare(inputs, out, options, model_options, writes=False) as prepared:
        job = prepared.start(note)
        return _plan(job, prepared, time.perf_counter() - begun)


def _plan(job: Job, prepared: PreparedRun, opening: float) -> dict[str, Any]:
    """Describe the run. `opening` is the number of seconds that the preparation took."""
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
    """Estimate the number of tokens in `rows` rows and the duration of a run over these rows.

    Args:
        job: The job.
        executor: The executor, after `start`.
        rows: Number of rows that the run would label.
        opening: Number of seconds that the preparation took.
    """
    model, memo = job.model, _memo(job)
    sampled = tokens = inferred = 0
    begun = time.perf_counter()
    samples = []
    for texts, previous in _sample(job):
        prepared = model.prepare(texts, previous)
        known, _ = memo.find(memo.keys_of(prepared.encoded))
        sampled += len(texts)
        tokens += int(prepared.encoded.lengths[prepared.index[prepared.index >= 0]].sum())
        inferred += int(prepared.encoded.lengths[~known].sum())
        samples.append(prepared.encoded)
    if not sampled:
        return {}
    reading = (time.perf_counter() - begun) / sampled
    rate = executor.rate(model, max(samples, key=lambda encoded: len(encoded.ids)), _SECONDS)
    if not rate:
        return {}
    engine = inferred / sampled / rate / job.processes
    if executor.name:  # on a cluster, the workers read in parallel
        reading /= job.processes
    # With a GPU, reading and inference overlap. On a CPU, they share the cores.
    each = max(engine, reading) if model.choice.device == "cuda" else engine + reading
    return {
        "tokens_about": round(rows * tokens / sampled),
        "rows_per_second_about": round(1 / each),
        "seconds_about": round(opening + rows * each, 1),
    }


def _memo(job: Job) -> Memo:
    """Return the memo (a cache of the labels of repeated texts) that the run would start with."""
    if job.memo is None:
        return job.model.memo
    return memo_file.load(job.memo, job.model.depends_on, len(job.model.model.labels))[0]


def _sample(job: Job) -> Iterator[tuple[pa.Array, pa.Array | None]]:
    """Yield (texts, previous texts) from a few positions of the inputs. Inputs that are complete in OUT are skipped.

    The previous texts are None if the model does not use them.
    """
    left = [source for source, progress in job.pending if not progress.complete]
    some = left[:: max(1, len(left) // _POSITIONS)][:_POSITIONS]
    for source in some:
        # Text files are sampled at the start only, because they have no index of rows.
        each = max(1, _POSITIONS // len(some)) if source.file.format == "parquet" else 1
        for position in range(each):
            yield from _texts(job.dataset, source, (source.rows or 0) * position // each)


def _texts(dataset: Dataset, source: Source, start: int) -> Iterator[tuple[pa.Array, pa.Array | None]]:
    """Yield (texts, previous texts) of the row batch that begins at row `start`.

    Utterances before this row are not read, so the first utterance of each conversation has no previous text.
    """
    column = dataset.conversation_column
    wanted = [dataset.text_column, *([column] if column else [])]
    for row_batch in itertools.islice(read_batches(dataset, source, start, _ROWS, wanted), 1):
        previous = Conversations(dataset.text_column, column).previous(row_batch) if column else None
        yield row_batch.batch.column(dataset.text_column), previous
