"""The Ray actor that labels rows on a node of a cluster. The actor loads the model once, and labels many shards.

- A worker reads the rows of a shard (a range of rows) and writes part files.
- If a worker dies, another worker gets the shard. The new worker keeps the complete part files, and labels only the
  missing rows.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import TypeVar

import pyarrow as pa
import ray

from emojob.pipeline.inference.engines.engine import EngineChoice
from emojob.pipeline.inference.memo import Contents, Keys, Memo
from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.inference.scoring_model import Tally
from emojob.pipeline.inference.streaming import Labelled, chunk_texts, label
from emojob.pipeline.models.local_copy import ModelFiles, cached_folder, read_model_files
from emojob.pipeline.models.model_folder import FILES
from emojob.pipeline.output.part_writer import write_parts
from emojob.pipeline.output.run_json import ensure_current
from emojob.pipeline.output.snapshot import read_snapshot
from emojob.pipeline.privacy.policy import Privacy
from emojob.pipeline.reading.calibration import calibration_texts
from emojob.pipeline.reading.chunks import Chunk, PendingChunks
from emojob.pipeline.reading.dataset import Dataset
from emojob.pipeline.reading.resume import InputProgress, Span
from emojob.pipeline.running.ray.shards import Shard
from emojob.pipeline.storage.paths import AnyPath
from emojob.pipeline.system import hardware
from emojob.pipeline.system.prefetch import Stages, StageTimer, StopRequested
from emojob.schemas.errors import EmojobError, WorkerError, internal_error
from emojob.schemas.manifest import Counts, PartMarker
from emojob.schemas.options import ModelOptions

T = TypeVar("T")


@dataclass(frozen=True)
class WorkerSetup:
    """The data that a worker needs to load the model.

    Attributes:
        files: Function that returns the model files.
        digest: Hash of the model files, hexadecimal.
        options: Options of the model. `RayExecutor.start` adds the chosen engine.
        threads: Number of threads of the worker.
        version: Version of emojob on the machine on which the user started the run.
    """

    files: Callable[[], ModelFiles]
    digest: str
    options: ModelOptions
    threads: int
    version: str


@dataclass(frozen=True)
class MemoSnapshot:
    """A copy of the memo (cached probabilities of repeated texts). Each worker starts with this copy."""

    multipliers: Keys
    contents: Contents


@dataclass(frozen=True)
class JobContext:
    """The data that all shards of a job share.

    Attributes:
        dataset: The dataset, with an empty list of inputs. `Shard.source` is the input of a shard.
        folder: OUT, the output folder.
        schema: Schema of the part files.
        privacy: Privacy options: what is masked, dropped or hashed.
        rate: Speed of the engine in tokens/s; None if unknown.
        umask: The umask for new files, from the process that the user started.
        run_id: ID of the run, as in run.json.
        attempt: Number of the first attempt of this run (see `PartMarker.attempt`).
    """

    dataset: Dataset
    folder: AnyPath
    schema: pa.Schema
    privacy: Privacy
    rate: float | None
    umask: int
    run_id: str
    attempt: int


@dataclass(frozen=True)
class ShardResult:
    """The result of labelling a shard.

    Attributes:
        markers: Completion markers of all part files of the shard, including part files from earlier workers.
        tally: Counts of rows, tokens and batches of this worker.
        seconds: {stage: busy seconds}.
    """

    markers: list[PartMarker]
    tally: Tally
    seconds: dict[str, float]


def load(setup: WorkerSetup, may_measure: bool) -> Scorer:
    """Load the model on this node.

    Args:
        setup: The data for loading the model.
        may_measure: Whether to measure the speed of the engines if no speed is saved. This takes several seconds.

    Raises:
        WorkerError: The version of emojob on this node is not `setup.version`.
    """
    here = version("emojob")
    if here != setup.version:
        raise WorkerError(
            f"a node has emojob {here}, but this machine has emojob {setup.version}: install emojob {setup.version} on "
            f"every node"
        )
    folder = cached_folder(setup.digest, setup.files, lambda found: read_model_files(found, FILES)[1] == setup.digest)
    options = replace(setup.options, model=str(folder))
    texts = calibration_texts(options.calibration)
    return Scorer.load(options=options, may_measure=may_measure, threads=setup.threads, calibration_texts=texts)


def returning_errors(work: Callable[[], T]) -> T | EmojobError:
    """Return the result of `work`, or the error that `work` raises.

    The error is returned instead of raised, because Ray wraps raised errors.
    """
    try:
        return work()
    except EmojobError as error:
        return error
    except Exception as error:
        return internal_error(error, f"on the node {os.uname().nodename}")


class Worker:
    """The Ray actor that labels shards. `rows` and `stop` can be called while `label` runs."""

    def __init__(self) -> None:
        hardware.return_freed_memory()
        self._stages, self._shard_start, self._rows, self._is_stopped = Stages(), (-1, -1), 0, False
        self._scorer: Scorer | None = None

    @ray.method(max_task_retries=-1)
    def choose(self, setup: WorkerSetup, may_measure: bool) -> tuple[EngineChoice, int] | EmojobError:
        """Choose the engine for the model on this node.

        Args:
            setup: The data for loading the model.
            may_measure: Whether to measure the speed of the engines if no speed is saved. This takes several seconds.

        Returns:
            (engine choice, tokens per batch), or the error if the model or the engine cannot be loaded.
        """

        def chosen() -> tuple[EngineChoice, int]:
            scorer = load(setup, may_measure)
            return scorer.choice, scorer.batch_tokens

        return returning_errors(chosen)

    @ray.method(max_task_retries=-1)
    def ready(self, setup: WorkerSetup, memo_snapshot: Callable[[], MemoSnapshot]) -> EmojobError | None:
        """Load the model and the memo, if they are not loaded yet.

        Args:
            setup: The data for loading the model.
            memo_snapshot: Function that returns the memo (cached probabilities of repeated texts).

        Returns:
            None if the model is loaded, otherwise the error.
        """

        def begin() -> None:
            self._scorer = self._scorer or _load_with_memo(setup, memo_snapshot())

        return returning_errors(begin)

    def label(self, context: JobContext, shard: Shard, attempt: int) -> ShardResult | EmojobError:
        """Label a shard. If `stop` is called, write the rows that are already labelled, and return.

        Args:
            context: The data that all shards of the job share.
            shard: The rows to label.
            attempt: Number of this attempt (see `PartMarker.attempt`).

        Returns:
            The result, or the error if the shard cannot be labelled.
        """
        return returning_errors(lambda: self._label(context, shard, attempt))

    @ray.method(concurrency_group="aside")
    def rows(self) -> tuple[tuple[int, int], int]:
        """Return (`Shard.start` of the current shard, number of labelled rows in the shard)."""
        return self._shard_start, self._rows

    @ray.method(concurrency_group="aside")
    def stop(self) -> None:
        """Stop labelling the current shard, and do not start another shard."""
        self._is_stopped = True
        self._stages.stop()

    def memo(self) -> Contents:
        """Return the contents of the memo (cached probabilities of repeated texts)."""
        return self._loaded().memo.contents()

    def _loaded(self) -> Scorer:
        if self._scorer is None:
            raise AssertionError("not ready")
        return self._scorer

    def _label(self, context: JobContext, shard: Shard, attempt: int) -> ShardResult:
        os.umask(context.umask)
        scorer, stages, timer = self._loaded(), Stages(), StageTimer()
        self._shard_start, self._rows, self._stages, scorer.tally = shard.start, 0, stages, Tally()
        markers, rest = list[PartMarker](), None if self._is_stopped else shard.span
        if attempt > context.attempt:  # an earlier worker may have completed parts of the shard
            markers, rest = remaining_of(shard, context.folder, scorer.fingerprint)
        if self._is_stopped or rest is None:
            return ShardResult(markers, Tally(), {})
        self._add(sum(marker.counts.read for marker in markers))
        labelled = stages.prefetch(_labelled(scorer, context, shard, rest, stages, timer), 1)
        try:
            for marker in write_parts(
                labelled, context.folder, context.schema, context.privacy, scorer.fingerprint, timer, self._add,
                attempt, lambda: ensure_current(context.folder, context.run_id),
            ):  # fmt: skip
                markers.append(marker)
        except StopRequested:
            pass
        finally:
            stages.join()
        return ShardResult(markers, scorer.tally, timer.seconds)

    def _add(self, rows: int) -> None:
        self._rows += rows


def _labelled(
    scorer: Scorer, context: JobContext, shard: Shard, rest: Span, stages: Stages, timer: StageTimer
) -> Iterator[Labelled[Chunk]]:
    dataset = replace(context.dataset, sources=[shard.source])
    progress = InputProgress(shard.number, [rest], rest.first_row, Counts(), [])
    pending = PendingChunks(dataset, [(shard.source, progress)], None, lambda: stages.stopping, context.rate)
    chunks = stages.prefetch(timer.timed("read", iter(pending)))
    texts = (chunk_texts(chunk, dataset) for chunk in chunks)
    return label(scorer, texts, stages, timer, pending.on_timing)


def _load_with_memo(setup: WorkerSetup, memo_snapshot: MemoSnapshot) -> Scorer:
    scorer = load(setup, may_measure=False)
    scorer.memo = Memo(len(scorer.model.labels), multipliers=memo_snapshot.multipliers)
    scorer.memo.merge(memo_snapshot.contents)
    return scorer


def remaining_of(shard: Shard, folder: AnyPath, fingerprint: str) -> tuple[list[PartMarker], Span | None]:
    """Find the complete part files of a shard and the rows that are still missing.

    Args:
        shard: The shard.
        folder: OUT, the output folder.
        fingerprint: Fingerprint of the model.

    Returns:
        (completion markers of the part files, missing rows). The missing rows are None if the shard is complete.
    """
    found = [marker for marker in read_snapshot(folder).markers if _is_of(marker, shard, fingerprint)]
    by_first_row = {marker.first_row: marker for marker in found}
    markers: list[PartMarker] = []
    row, stop = shard.span.first_row, shard.span.stop_row
    while stop is None or row < stop:
        marker = by_first_row.get(row)
        if marker is None:
            return markers, Span(row, stop)
        markers.append(marker)
        row = marker.stop_row
        if marker.last:
            break
    return markers, None


def _is_of(marker: PartMarker, shard: Shard, fingerprint: str) -> bool:
    source = shard.source
    now = source.file.name, source.size, source.sha256, source.encoding, source.reading_key, fingerprint
    then = marker.input, marker.input_bytes, marker.input_sha256, marker.encoding, marker.dialect, marker.fingerprint
    within = shard.span.stop_row is None or marker.stop_row <= shard.span.stop_row
    return now == then and within and (marker.stop_row > marker.first_row or marker.last)
