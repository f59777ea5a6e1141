"""What labels a job's rows: an executor on this machine, or on the nodes of a Ray cluster."""

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
    """Inspects a job's files, runs its model and labels its rows.

    The methods are called in this order: `check`, `inspect`, `start`, then `rate` or `parts`.
    """

    @property
    def name(self) -> str | None:
        """The name in run.json; None for this machine."""

    def check(self, options: ModelOptions) -> None:
        """Fail early if what the options ask for is unavailable.

        Raises:
            OptionError: There is no such device or engine.
        """

    def inspect(self, files: Sequence[InputFile], encoding: str) -> Iterable[FileInfo]:
        """Yield what each file shows, in the order given. Raises what `dataset.inspect_file` raises."""

    def start(self, model: Model, options: ModelOptions, is_large: bool, note: Callable[[str], None]) -> ScoringModel:
        """Choose the engine and start it.

        Args:
            model: The loaded model.
            options: Options whose `context` is settled.
            is_large: Whether it pays to measure engines and to start several processes.
            note: Called with a line before anything that takes long.

        Raises:
            OptionError: The engine is unavailable, or no node of a cluster has room.
            WorkerError: A node cannot run emojob.
        """

    def processes(self, choice: EngineChoice, is_large: bool) -> int:
        """Return the number of processes that label the job."""

    def rate(self, model: ScoringModel, encoded: Encoded, seconds: float) -> float:
        """Return the tokens/s of one process, measured for about `seconds`; 0 if unknown."""

    def parts(
        self, job: Job, folder: AnyPath, stages: Stages, timer: StageTimer, on_rows: Callable[[int], None]
    ) -> Iterator[PartMarker]:
        """Label the rows that OUT lacks, write them there, and yield the marker of each complete part.

        Args:
            job: The job; its engine was started by `start`.
            folder: OUT.
            stages: The run's threads; its `stop` ends the run.
            timer: Counts how long each stage is busy.
            on_rows: callback(new_rows), called about ten times a second.

        Raises:
            StopRequested: After `stages.stop`, when everything labelled until then is in parts.
            WorkerError: A process that labels is gone.
        """
