"""A labeller: what a process on a node of a cluster does. It gets the model once, then share after share.

It reads a share's rows itself and writes its parts itself, so that no row passes through another process. What an
attempt that died has completed of a share is found by its markers, and stays.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import TypeVar

import pyarrow as pa

from emojob.pipeline.inference.engines.engine import EngineChoice
from emojob.pipeline.inference.memo import Contents, Keys, Memo
from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.inference.scoring_model import Tally
from emojob.pipeline.inference.streaming import Labelled, chunk_texts, label
from emojob.pipeline.models.local_copy import ModelFiles, cached_folder, read_model_files
from emojob.pipeline.models.model_folder import FILES
from emojob.pipeline.output.layout import part_paths
from emojob.pipeline.output.part_writer import write_parts
from emojob.pipeline.output.parts import read_marker
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
    """What a labeller begins with.

    files: fetches the model's; digest: of these, hexadecimal; threads: that it may keep busy; version: of the emojob
    that sends it.
    """

    files: Callable[[], ModelFiles]
    digest: str
    options: ModelOptions
    threads: int
    version: str


@dataclass(frozen=True)
class MemoSnapshot:
    """The memo that labellers begin with."""

    multipliers: Keys
    contents: Contents


@dataclass(frozen=True)
class JobContext:
    """What all shares of a job have in common.

    dataset: without its sources; schema: of what is written in `folder`; rate: of an engine, tokens/s, where known;
    umask: of the process that was started.
    """

    dataset: Dataset
    folder: AnyPath
    schema: pa.Schema
    privacy: Privacy
    rate: float | None
    umask: int


@dataclass(frozen=True)
class ShardResult:
    """What a share came to. tally, seconds: of this share; rows: of it that are in parts."""

    markers: list[PartMarker]
    tally: Tally
    seconds: dict[str, float]


def load(setup: WorkerSetup, patient: bool) -> Scorer:
    """The model of a shipment on this node. Raises WorkerError where another emojob is installed here."""
    here = version("emojob")
    if here != setup.version:
        raise WorkerError(
            f"emojob {here} is installed on a node, {setup.version} on this machine: install one version on all"
        )
    folder = cached_folder(setup.digest, setup.files, lambda found: read_model_files(found, FILES)[1] == setup.digest)
    options = replace(setup.options, model=str(folder))
    texts = calibration_texts(options.calibration)
    return Scorer.load(options=options, patient=patient, threads=setup.threads, calibration_texts=texts)


def returning_errors(work: Callable[[], T]) -> T | EmojobError:
    """What some work comes to; an error is returned, for one that is raised comes with the cluster's own around it."""
    try:
        return work()
    except EmojobError as error:
        return error
    except Exception as error:
        return internal_error(error, f"on the node {os.uname().nodename}")


class Worker:
    """A process that labels. Its methods are called from elsewhere, `rows` and `stop` while `label` is at work."""

    def __init__(self) -> None:
        hardware.return_freed_memory()
        self._stages, self._place, self._rows, self._is_stopped = Stages(), (-1, -1), 0, False
        self._scorer: Scorer | None = None

    def choose(self, setup: WorkerSetup, patient: bool) -> tuple[EngineChoice, int] | EmojobError:
        """Which engine suits the model on this node, and its tokens in a batch. patient: as for `Scorer.load`."""

        def chosen() -> tuple[EngineChoice, int]:
            scorer = load(setup, patient)
            return scorer.choice, scorer.batch_tokens

        return returning_errors(chosen)

    def ready(self, setup: WorkerSetup, memo_snapshot: Callable[[], MemoSnapshot]) -> EmojobError | None:
        """None once the model is there, or why it is not."""

        def begin() -> None:
            self._scorer = self._scorer or _remembering(load(setup, patient=False), memo_snapshot())

        return returning_errors(begin)

    def label(self, work: JobContext, shard: Shard) -> ShardResult | EmojobError:
        """Label a share; an error is returned. After `stop` it comes back soon, with what is in parts by then."""
        return returning_errors(lambda: self._label(work, shard))

    def rows(self) -> tuple[tuple[int, int], int]:
        """(the place of the share at work, rows of it that were labelled so far)."""
        return self._place, self._rows

    def stop(self) -> None:
        """End the share at work, and begin no other."""
        self._is_stopped = True
        self._stages.stop()

    def memo(self) -> Contents:
        """What it remembers."""
        return self._begun().memo.contents()

    def _begun(self) -> Scorer:
        if self._scorer is None:
            raise AssertionError("not ready")
        return self._scorer

    def _label(self, work: JobContext, shard: Shard) -> ShardResult:
        os.umask(work.umask)
        scorer, stages, timer = self._begun(), Stages(), StageTimer()
        self._place, self._rows, self._stages, scorer.tally = shard.place, 0, stages, Tally()
        markers, rest = remaining_of(shard, work.folder, scorer.fingerprint)
        if self._is_stopped or rest is None:
            return ShardResult(markers, Tally(), {})
        self._add(sum(marker.counts.read for marker in markers))
        labelled = stages.prefetch(_labelled(scorer, work, shard, rest, stages, timer), 1)
        try:
            for marker in write_parts(
                labelled, work.folder, work.schema, work.privacy, scorer.fingerprint, timer, self._add
            ):
                markers.append(marker)
        except StopRequested:
            pass
        finally:
            stages.join()
        return ShardResult(markers, scorer.tally, timer.seconds)

    def _add(self, rows: int) -> None:
        self._rows += rows


def _labelled(
    scorer: Scorer, work: JobContext, shard: Shard, rest: Span, stages: Stages, timer: StageTimer
) -> Iterator[Labelled[Chunk]]:
    dataset = replace(work.dataset, sources=[shard.source])
    progress = InputProgress(shard.number, [rest], rest.first_row, Counts(), [])
    pending = PendingChunks(dataset, [(shard.source, progress)], None, lambda: stages.stopping, work.rate)
    chunks = stages.prefetch(timer.timed("read", iter(pending)))
    texts = (chunk_texts(chunk, dataset.text_column) for chunk in chunks)
    return label(scorer, texts, stages, timer, pending.on_timing)


def _remembering(scorer: Scorer, memo_snapshot: MemoSnapshot) -> Scorer:
    scorer.memo = Memo(len(scorer.model.labels), multipliers=memo_snapshot.multipliers)
    scorer.memo.merge(memo_snapshot.contents)
    return scorer


def remaining_of(shard: Shard, folder: AnyPath, fingerprint: str) -> tuple[list[PartMarker], Span | None]:
    """(markers of the parts that an attempt before completed from the share's first row on, what is left of it)."""
    markers: list[PartMarker] = []
    row, stop = shard.span.first_row, shard.span.stop_row
    while stop is None or row < stop:
        marker = read_marker(part_paths(folder, shard.number, row))
        if marker is None or not _is_of(marker, shard, fingerprint):
            return markers, Span(row, stop)
        markers.append(marker)
        row = marker.stop_row
        if marker.last:
            break
    return markers, None


def _is_of(marker: PartMarker, shard: Shard, fingerprint: str) -> bool:
    source = shard.source
    now = source.file.name, source.size, source.sha256, source.encoding, fingerprint
    then = marker.input, marker.input_bytes, marker.input_sha256, marker.encoding, marker.fingerprint
    within = shard.span.stop_row is None or marker.stop_row <= shard.span.stop_row
    return now == then and within and (marker.stop_row > marker.first_row or marker.last)
