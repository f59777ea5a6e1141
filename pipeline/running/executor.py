"""Defines the interface of an executor, which labels the rows of a job.

`LocalExecutor` runs on this machine, and `RayExecutor` runs on the nodes of a Ray cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from emojob.pipeline.inference.engines.engine import EngineChoice
from emojob.pipeline.inference.scoring_model import ScoringModel
from emojob.pipeline.models.model import Model
from emojob.pipeline.models.tokenizer import Encoded
from emojob.pipeline.reading.dataset import FileInfo
from emojob.pipeline.reading.inputs import InputFile
from emojob.pipeline.running.job import Job
from emojob.pipeline.storage.paths import AnyPath
from emojob.pipeline.system.prefetch import Stages, StageTimer
from emojob.schemas.manifest import PartMarker
from emojob.schemas.options import ModelOptions


class Executor(Protocol):
    """Inspects the files of a job, runs the model and labels the rows.

    Call the methods in this order: `check`, `inspect`, `start`, then `rate` or `parts`.
    """

    @property
    def name(self) -> str | None:
        """Name of the executor in run.json; None if it runs on this machine."""

    def check(self, options: ModelOptions) -> None:
        """Raise OptionError if the device or engine in the options is unavailable."""

    def inspect(self, files: Sequence[InputFile], encoding: str) -> Iterable[FileInfo]:
        """Yield the FileInfo of each file, in the order of `files`. Raises the errors that `inspect_file` raises."""

    def start(self, model: Model, options: ModelOptions, is_large: bool, note: Callable[[str], None]) -> ScoringModel:
        """Choose the engine and start it.

        Args:
            model: The loaded model.
            options: Options of the model. `options.context` must not be None.
            is_large: Whether the job is large. A large job measures the engines, and may use several processes.
            note: callback(line), called before each step that takes long.

        Raises:
            OptionError: The engine is unavailable, or no node of the cluster has enough free resources.
            WorkerError: A node cannot run emojob.
        """

    def processes(self, choice: EngineChoice, is_large: bool) -> int:
        """Return the number of processes that label rows if the engine of `choice` is used."""

    def rate(self, model: ScoringModel, encoded: Encoded, seconds: float) -> float:
        """Return the speed of one process in tokens/s, or 0 if it is unknown. A measurement takes about `seconds`."""

    def parts(
        self, job: Job, folder: AnyPath, stages: Stages, timer: StageTimer, on_rows: Callable[[int], None]
    ) -> Iterator[PartMarker]:
        """Label the rows that are missing in OUT, and write them to part files.

        Yield the completion marker of each part file after the part file is complete.

        Args:
            job: The job. Its engine is started.
            folder: OUT, the output folder.
            stages: The threads of the run. Calling `stages.stop` ends the run.
            timer: Measures how many seconds each stage is busy.
            on_rows: callback(new_rows), called about ten times per second.

        Raises:
            StopRequested: `stages.stop` was called. The rows that were labelled before the call are in part files.
            WorkerError: A worker process ended unexpectedly.
        """
