"""Describes what a run would do, and estimates its duration (`--dry-run`). Nothing is written."""

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
from emojob.pipeline.reading.dataset import Dataset, read_batches
from emojob.pipeline.reading.source import Source
from emojob.pipeline.running.executor import Executor
from emojob.pipeline.running.job import Job
from emojob.pipeline.running.prepare import PreparedRun, prepare
from emojob.pipeline.running.role_summary import roles_of_dataset
from emojob.pipeline.storage.paths import AnyPath
from emojob.schemas.options import ModelOptions, ScoreOptions

_POSITIONS = 4  # number of positions at which texts are sampled
_ROWS = 16_384  # number of rows of each sample
_SECONDS = 5.0  # duration of the speed measurement in seconds


def plan_run(
    inputs: Sequence[str],
    out: AnyPath | None,
    options: ScoreOptions,
    model_options: ModelOptions,
    note: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Describe what a run would do. To estimate the duration, label sampled texts for a few seconds.

    Args:
        inputs: Files, folders, globs or URLs.
        out: A folder or a file X.parquet. None: INPUT-STEM.emotions next to the input.
        options: Options for reading and writing.
        model_options: Options of the model and its engine.
        note: callback(message), called before each slow step, and with the messages of a run, such as the encodings.

    Returns:
        {name: value}, in the order in which the command prints the values.

    Raises:
        InputError: An input, an option, the model or OUT is wrong. A run would also fail.
    """
    begun = time.perf_counter()
    with prepare(inputs, out, options, model_options, writes=False) as prepared:
        for line in prepared.role_notes if prepared.complete else prepared.notes():
            note(line)
        job = prepared.start(note)
        return _plan(job, prepared, time.perf_counter() - begun)


def _plan(job: Job, prepared: PreparedRun, preparation: float) -> dict[str, Any]:
    """Describe the run. `preparation` is a duration in seconds."""
    before, executor = prepared.complete, prepared.executor
    done = before.counts.read if before else job.counts_before.read
    left = 0 if before or job.is_complete else max(0, job.rows - done)
    choice = job.model.choice
    plan = {
        "inputs": len(job.dataset.sources),
        "bytes": sum(source.size for source in job.dataset.sources),
        "text_column": job.dataset.text_column,
        **({"conversation_column": job.dataset.conversation_column} if job.dataset.conversation_column else {}),
        **_roles(job),
        "rows_about" if job.is_estimate else "rows": job.rows,
        "rows_complete": done,
        "output": str(prepared.out),
        "engine": how_run({**asdict(choice), "processes": job.processes, "within": executor.name}),
    }
    if left:
        plan |= _estimate(job, executor, left, preparation)
    return plan


def _roles(job: Job) -> dict[str, str]:
    """Return the lines about the columns with a role."""
    roles = roles_of_dataset(job.dataset, job.options)
    return {"columns": roles.line, **({"times": roles.time_note} if roles.time_note else {})}


def _estimate(job: Job, executor: Executor, rows: int, preparation: float) -> dict[str, Any]:
    """Estimate the number of tokens and the duration of a run.

    Args:
        job: The job.
        executor: The started executor.
        rows: Number of rows that the run would label.
        preparation: Duration of the preparation in seconds.
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
    # With a GPU, reading and inference overlap. On a CPU, reading and inference share the cores.
    each = max(engine, reading) if model.choice.device == "cuda" else engine + reading
    return {
        "tokens_about": round(rows * tokens / sampled),
        "rows_per_second_about": round(1 / each),
        "seconds_about": round(preparation + rows * each, 1),
    }


def _memo(job: Job) -> Memo:
    """Return the memo (cached probabilities of repeated texts) at the start of the run."""
    if job.memo is None:
        return job.model.memo
    return memo_file.load(job.memo, job.model.depends_on, len(job.model.model.labels))[0]


def _sample(job: Job) -> Iterator[tuple[pa.Array, pa.Array | None]]:
    """Yield (texts, previous texts) from a few positions in the inputs. Skip inputs that are complete in OUT.

    If the model uses no previous texts, the previous texts are None.
    """
    left = [source for source, progress in job.pending if not progress.complete]
    some = left[:: max(1, len(left) // _POSITIONS)][:_POSITIONS]
    for source in some:
        # Text files have no row index, so only their first rows are sampled.
        each = max(1, _POSITIONS // len(some)) if source.file.format == "parquet" else 1
        for position in range(each):
            yield from _texts(job.dataset, source, (source.rows or 0) * position // each)


def _texts(dataset: Dataset, source: Source, start: int) -> Iterator[tuple[pa.Array, pa.Array | None]]:
    """Yield (texts, previous texts) of the row batch that begins at row `start`.

    Rows before `start` are not read. So in the row batch, the first utterance of each conversation gets no previous
    text.
    """
    column = dataset.conversation_column
    wanted = [dataset.text_column, *([column] if column else [])]
    for row_batch in itertools.islice(read_batches(dataset, source, start, _ROWS, wanted), 1):
        previous = Conversations(dataset.text_column, column).previous(row_batch) if column else None
        yield row_batch.batch.column(dataset.text_column), previous
