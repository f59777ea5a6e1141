"""Defines the interface of an executor. An executor labels the rows of a job.

`LocalExecutor` runs on this machine. `RayExecutor` runs on a Ray cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from emojob.pipeline.inference.engines.engine import EngineChoice
from emojob.pipeline.inference.scoring_model import ScoringModel
from emojob.pipeline.models.model import Model
from emojob.pipeline.models.tokenizer import Encoded
from emojob.pipeline.reading.files.input_file import InputFile
from emojob.pipeline.reading.source import FileInfo
from emojob.pipeline.running.job import Job
from emojob.pipeline.storage.paths import AnyPath
from emojob.pipeline.system.prefetch import Stages, StageTimer
from emojob.schemas.manifest import PartMarker
from emojob.schemas.options import ModelOptions, ReadOptions


class Executor(Protocol):
    """Interface of an executor. An executor inspects input files, starts the model and labels rows.

    Call the methods in this order: `check`, `inspect`, `start`, then `rate` or `parts`.
    """

    @property
    def name(self) -> str | None:
        """Name of the executor in run.json; None for `LocalExecutor`."""

    def check(self, options: ModelOptions) -> None:
        """Raise OptionError if the device or engine in the options is unavailable."""

    def inspect(self, files: Sequence[InputFile], options: ReadOptions) -> Iterable[FileInfo]:
        """Yield the FileInfo of each file, in the order of `files`. Raises the same errors as `inspect_file`."""

    def start(self, model: Model, options: ModelOptions, is_large: bool, note: Callable[[str], None]) -> ScoringModel:
        """Choose an engine for the model and start it.

        Args:
            model: The loaded model.
            options: Options of the model. `options.context` must not be None.
            is_large: Whether the job is large. For a large job, emojob measures the speed of the engines, and may use
                several processes.
            note: callback(message), called before each slow step.

        Raises:
            OptionError: The engine is unavailable, or no node of the cluster has enough free resources.
            WorkerError: A node cannot run emojob.
        """

    def processes(self, choice: EngineChoice, is_large: bool) -> int:
        """Return the number of processes that label rows if `choice` is used."""

    def rate(self, model: ScoringModel, encoded: Encoded, seconds: float) -> float:
        """Return the speed of one process in tokens/s; 0 if unknown. A measurement takes about `seconds` seconds."""

    def parts(
        self, job: Job, folder: AnyPath, stages: Stages, timer: StageTimer, on_rows: Callable[[int], None]
    ) -> Iterator[PartMarker]:
        """Label the rows that are missing in OUT, and write part files.

        Yield the completion marker of each part file when the part file is complete.

        Args:
            job: The job. The engine must be started.
            folder: OUT, the output folder.
            stages: The threads of the run. `stages.stop()` ends the run.
            timer: Measures how many seconds each stage is busy.
            on_rows: callback(number of new rows), called about ten times per second.

        Raises:
            StopRequested: `stages.stop()` was called. Rows that were already labelled are in part files.
            WorkerError: A worker process ended unexpectedly.
        """
