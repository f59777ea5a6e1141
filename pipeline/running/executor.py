"""Where a job is done: on this machine, or on the nodes of a Ray cluster."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from emojob.pipeline.inference.engine import EngineChoice
from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.inference.streaming import Labelled, chunk_texts, label
from emojob.pipeline.inference.throughput import tokens_per_second
from emojob.pipeline.models.tokenizer import Encoded
from emojob.pipeline.output.part_writer import write_parts
from emojob.pipeline.reading.calibration import calibration_texts
from emojob.pipeline.reading.chunks import Chunk, PendingChunks
from emojob.pipeline.reading.dataset import FileInfo, inspect_files
from emojob.pipeline.reading.inputs import InputFile
from emojob.pipeline.running.processes import GpuWorkers, processes_for
from emojob.pipeline.storage.paths import AnyPath
from emojob.pipeline.system import hardware
from emojob.pipeline.system.prefetch import Stages, StageTimer
from emojob.schemas.errors import OptionError
from emojob.schemas.manifest import PartMarker
from emojob.schemas.options import ModelOptions, ScoreOptions

if TYPE_CHECKING:
    from emojob.pipeline.running.job import Job


#: What Ray reads as it is imported: it tells others nothing, its own messages do not mix with what is printed here, and
#: a cluster of this machine alone works as hard as a run without one.
_RAY = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS_SKIP_REGEX": ".*", "RAY_worker_niceness": "0"}


class Executor(Protocol):
    """Looks at a job's files, loads its model and labels its rows."""

    @property
    def name(self) -> str | None:
        """What run.json calls it; None for this machine."""

    def load(self, options: ModelOptions, is_large: bool, note: Callable[[str], None]) -> Scorer:
        """The model, and the engine that it is run on. Raises what `Scorer.load` raises."""

    def inspect(self, files: Sequence[InputFile], encoding: str) -> Iterable[FileInfo]:
        """What each file shows, in their order. Raises what `pipeline.pending.dataset.inspect_file` raises."""

    def processes(self, choice: EngineChoice, is_large: bool) -> int:
        """How many processes a job is labelled in."""

    def rate(self, scorer: Scorer, encoded: Encoded, seconds: float) -> float:
        """Tokens/s of one process's engine on such texts, found in about so many seconds; 0 where it is not known."""

    def parts(
        self, job: Job, folder: AnyPath, stages: Stages, timer: StageTimer, added: Callable[[int], None]
    ) -> Iterator[PartMarker]:
        """Label what is missing in OUT and write it there; the marker of each part as it is complete.

        added: is told some ten times a second how many more rows were labelled. Raises Stopped once the stages were
        told to stop, when all that was labelled till then is in parts.
        """


class LocalExecutor:
    """This machine."""

    name: str | None = None

    def load(self, options: ModelOptions, is_large: bool, note: Callable[[str], None]) -> Scorer:
        """As `Executor` says."""
        texts = calibration_texts(options.calibration)
        return Scorer.load(None, options, is_large, note, calibration_texts=texts)

    def inspect(self, files: Sequence[InputFile], encoding: str) -> Iterable[FileInfo]:
        """As `Executor` says."""
        return inspect_files(files, encoding)

    def processes(self, choice: EngineChoice, is_large: bool) -> int:
        """As `Executor` says."""
        return processes_for(choice, len(hardware.detect().gpus), is_large)

    def rate(self, scorer: Scorer, encoded: Encoded, seconds: float) -> float:
        """As `Executor` says."""
        return tokens_per_second(scorer.engine, encoded, scorer.batch_tokens, seconds)

    def parts(
        self, job: Job, folder: AnyPath, stages: Stages, timer: StageTimer, added: Callable[[int], None]
    ) -> Iterator[PartMarker]:
        """As `Executor` says."""
        labelled = stages.prefetch(self._labelled(job, stages, timer), 1, lambda: added(0))
        return write_parts(labelled, folder, job.schema, job.privacy, job.scorer.fingerprint, timer, added)

    def _labelled(self, job: Job, stages: Stages, timer: StageTimer) -> Iterator[Labelled[Chunk]]:
        dataset, scorer = job.dataset, job.scorer
        sources = list(zip(dataset.sources, job.inputs_progress, strict=True))
        rate = scorer.choice.tokens_per_second
        pending = PendingChunks(dataset, sources, job.options.limit, lambda: stages.stopping, rate)
        chunks = stages.prefetch(timer.timed("read", iter(pending)))
        if job.processes == 1:
            texts = (chunk_texts(chunk, dataset.text_column) for chunk in chunks)
            yield from label(scorer, texts, stages, timer, pending.on_timing)
            return
        with GpuWorkers(scorer, job.processes, stages, timer) as workers:
            yield from workers.label(chunks, dataset.text_column, pending.on_timing)


@contextlib.contextmanager
def open_executor(options: ScoreOptions, model_options: ModelOptions) -> Iterator[Executor]:
    """Where a job with such options is done. Raises OptionError where that cannot be reached."""
    if model_options.engine != "ray":
        yield LocalExecutor()
        return
    if not hardware.is_installed("ray"):
        raise OptionError("--engine ray needs ray: pip install 'emojob[ray]'")
    set_ray_environment()
    from emojob.pipeline.running.ray.ray_executor import connected

    with connected(options.ray_address, options.ray_cores) as cluster:
        yield cluster


def set_ray_environment() -> None:
    """Put into the environment what Ray reads as it is imported, but for what stands there already."""
    for name, value in _RAY.items():
        os.environ.setdefault(name, value)
