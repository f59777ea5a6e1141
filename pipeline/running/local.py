"""Labels rows on this machine, in one process or in one process per GPU."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from emojob.pipeline.inference.engine_choice import choices
from emojob.pipeline.inference.engines.engine import EngineChoice
from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.inference.scoring_model import ScoringModel
from emojob.pipeline.inference.streaming import Labelled, chunk_texts, label
from emojob.pipeline.inference.throughput import tokens_per_second
from emojob.pipeline.models.model import Model
from emojob.pipeline.models.tokenizer import Encoded
from emojob.pipeline.output.part_writer import write_parts
from emojob.pipeline.output.run_json import ensure_current
from emojob.pipeline.reading.calibration import calibration_texts
from emojob.pipeline.reading.chunks import Chunk, PendingChunks
from emojob.pipeline.reading.dataset import inspect_files
from emojob.pipeline.reading.files.input_file import InputFile
from emojob.pipeline.reading.source import FileInfo
from emojob.pipeline.running.job import Job
from emojob.pipeline.running.processes import GpuWorkers, processes_for
from emojob.pipeline.storage.paths import AnyPath
from emojob.pipeline.system import hardware
from emojob.pipeline.system.prefetch import Stages, StageTimer
from emojob.schemas.manifest import PartMarker
from emojob.schemas.options import ModelOptions, ReadOptions


class LocalExecutor:
    """Runs a job on this machine. `Executor` documents the methods."""

    name: str | None = None

    def __init__(self) -> None:
        self._scorer: Scorer | None = None

    def check(self, options: ModelOptions) -> None:
        """See `Executor.check`."""
        choices(options, hardware.detect())

    def inspect(self, files: Sequence[InputFile], options: ReadOptions) -> Iterable[FileInfo]:
        """See `Executor.inspect`."""
        return inspect_files(files, options)

    def start(self, model: Model, options: ModelOptions, is_large: bool, note: Callable[[str], None]) -> ScoringModel:
        """See `Executor.start`."""
        texts = calibration_texts(options.calibration)
        self._scorer = Scorer.start(model, options, is_large, note, calibration_texts=texts)
        return self._scorer

    def processes(self, choice: EngineChoice, is_large: bool) -> int:
        """See `Executor.processes`."""
        return processes_for(choice, len(hardware.detect().gpus), is_large)

    def rate(self, model: ScoringModel, encoded: Encoded, seconds: float) -> float:
        """See `Executor.rate`."""
        return tokens_per_second(self._started().engine, encoded, model.batch_tokens, seconds)

    def parts(
        self, job: Job, folder: AnyPath, stages: Stages, timer: StageTimer, on_rows: Callable[[int], None]
    ) -> Iterator[PartMarker]:
        """See `Executor.parts`."""
        labelled = stages.prefetch(self._labelled(job, stages, timer), 1, lambda: on_rows(0))
        return write_parts(
            labelled, folder, job.schema, job.privacy, job.model.fingerprint, timer, on_rows, job.attempt,
            lambda: ensure_current(folder, job.run_id),
        )  # fmt: skip

    def _labelled(self, job: Job, stages: Stages, timer: StageTimer) -> Iterator[Labelled[Chunk]]:
        dataset, scorer = job.dataset, self._started()
        pending = PendingChunks(
            dataset, job.pending, job.options.limit, lambda: stages.stopping, scorer.choice.tokens_per_second
        )
        chunks = stages.prefetch(timer.timed("read", iter(pending)))
        if job.processes == 1:
            texts = (chunk_texts(chunk, dataset) for chunk in chunks)
            yield from label(scorer, texts, stages, timer, pending.on_timing)
            return
        with GpuWorkers(scorer, job.processes, stages, timer) as workers:
            yield from workers.label(chunks, dataset, pending.on_timing)

    def _started(self) -> Scorer:
        if self._scorer is None:
            raise AssertionError("not started")
        return self._scorer
