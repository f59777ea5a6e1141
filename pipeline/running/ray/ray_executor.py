"""Runs a job on a Ray cluster, with one worker per GPU. Without GPUs, each worker uses a few CPU cores.

- Ray tasks on the nodes inspect the input files.
- Ray starts the workers. If the process or the node of a worker dies, Ray restarts the worker.
- This process gives shards (ranges of rows) to the workers, and receives the completion markers of part files. No row
  passes through this process.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import ray
from ray.exceptions import RayError

from emojob.pipeline.inference.engines.engine import EngineChoice
from emojob.pipeline.inference.scoring_model import ScoringModel
from emojob.pipeline.models.local_copy import read_model_files
from emojob.pipeline.models.model import Model
from emojob.pipeline.models.model_folder import FILES
from emojob.pipeline.models.tokenizer import Encoded
from emojob.pipeline.reading.dataset import inspect_file
from emojob.pipeline.reading.files.input_file import InputFile
from emojob.pipeline.reading.source import FileInfo
from emojob.pipeline.running.job import Job
from emojob.pipeline.running.ray.connection import connected
from emojob.pipeline.running.ray.dispatcher import Dispatcher
from emojob.pipeline.running.ray.nodes import PATIENCE, Nodes, SharedObject, node_failure
from emojob.pipeline.running.ray.worker import WorkerSetup, returning_errors
from emojob.pipeline.storage.paths import AnyPath
from emojob.pipeline.system.prefetch import Stages, StageTimer
from emojob.schemas.errors import EmojobError, OptionError
from emojob.schemas.manifest import PartMarker
from emojob.schemas.options import ModelOptions, ReadOptions

_FILES_PER_CORE = 4  # maximum number of files that are inspected at the same time, per core


@contextlib.contextmanager
def open_ray_executor(address: str | None, cores: int | None) -> Iterator[RayExecutor]:
    """Open the executor of a Ray cluster.

    Args:
        address: HOST:PORT. None: the environment variable RAY_ADDRESS. If RAY_ADDRESS is not set, Ray uses only this
            machine.
        cores: Number of cores of each worker without a GPU. None: a default number (see `Nodes.cores`).

    Raises:
        OptionError: No cluster answers at the address, or Ray cannot start on this machine.
    """
    with connected(address):
        executor = RayExecutor(Nodes(cores))
        try:
            yield executor
        finally:
            executor.close()


class RayExecutor:
    """Runs a job on the connected Ray cluster. `Executor` documents the methods."""

    name: str | None = "ray"

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self._setup: WorkerSetup | None = None
        self._spare: list[Any] = []  # started actors without a shard
        self._note: Callable[[str], None] = lambda text: None

    def check(self, options: ModelOptions) -> None:
        """See `Executor.check`."""
        self._with_device(options)

    def inspect(self, files: Sequence[InputFile], options: ReadOptions) -> Iterator[FileInfo]:
        """See `Executor.inspect`."""
        task = ray.remote(_inspect).options(num_cpus=0, scheduling_strategy="SPREAD")
        most = max(1, int(_FILES_PER_CORE * self._nodes.all_cores()))
        waiting: deque[Any] = deque()
        for file in [*files, None]:
            while waiting and (file is None or len(waiting) >= most):
                try:
                    found = ray.get(waiting.popleft())
                except RayError as error:
                    raise node_failure(error) from error
                if isinstance(found, EmojobError):
                    raise found
                yield found
            if file is not None:
                waiting.append(task.remote(file, options))

    def start(self, model: Model, options: ModelOptions, is_large: bool, note: Callable[[str], None]) -> ScoringModel:
        """See `Executor.start`. One worker chooses the engine for all workers."""
        options = self._with_device(options)
        files, digest = read_model_files(model.folder, FILES)
        threads = self._nodes.threads(options.device)
        setup = WorkerSetup(SharedObject(files), digest, options, threads, version("emojob"))
        room = self._nodes.capacity(options.device)
        if not room:
            raise OptionError(
                f"no node of the cluster has the {self._nodes.cores()} cores that a worker needs: use a smaller "
                f"--ray-cores"
            )
        self._note = note
        note("choosing the engine on a node of the cluster")
        self._spare = [self._nodes.start_worker(options.device) for _ in range(room if is_large else 1)]
        choice, batch_tokens = self._chosen(setup, is_large)
        chosen = replace(options, device=choice.device, engine=choice.engine, precision=choice.precision)
        self._setup = replace(setup, options=chosen)
        return ScoringModel(model, choice, replace(options, batch_tokens=batch_tokens))

    def processes(self, choice: EngineChoice, is_large: bool) -> int:
        """See `Executor.processes`. Returns the number of workers that the nodes can run at the same time."""
        return max(1, self._nodes.capacity(choice.device))

    def rate(self, model: ScoringModel, encoded: Encoded, seconds: float) -> float:
        """See `Executor.rate`. Returns the speed that a worker measured during `start`."""
        return model.choice.tokens_per_second or 0.0

    def parts(
        self, job: Job, folder: AnyPath, stages: Stages, timer: StageTimer, on_rows: Callable[[int], None]
    ) -> Iterator[PartMarker]:
        """See `Executor.parts`. Raises WorkerError if several workers die while they label one shard."""
        if self._setup is None:
            raise AssertionError("not started")
        dispatcher = Dispatcher(self._nodes, self._setup, self._spare, self._note, job, folder)
        return dispatcher.parts(stages, timer, on_rows)

    def close(self) -> None:
        """End the started workers that were not used. `Dispatcher.parts` ends all used workers."""
        for actor in self._spare:
            ray.kill(actor)

    def _chosen(self, setup: WorkerSetup, is_large: bool) -> tuple[EngineChoice, int]:
        """Return (engine choice, tokens per batch) from the first worker that answers.

        One worker is called first. After every 2 * PATIENCE seconds without an answer, one more worker is called.
        """
        answers: list[Any] = []
        ready: list[Any] = []
        while not ready:
            if len(answers) < len(self._spare):
                answers.append(self._spare[len(answers)].choose.remote(setup, is_large))
            ready, _ = ray.wait(answers, num_returns=1, timeout=2 * PATIENCE)
        try:
            chosen: tuple[EngineChoice, int] | EmojobError = ray.get(ready[0])
        except RayError as error:
            raise node_failure(error) from error
        if isinstance(chosen, EmojobError):
            raise chosen
        return chosen

    def _with_device(self, options: ModelOptions) -> ModelOptions:
        """Return the options with the device set to cpu or cuda.

        Raises OptionError if --device cuda was given, but the cluster has no GPU.
        """
        has_gpus = self._nodes.capacity("cuda") > 0
        if options.device == "cuda" and not has_gpus:
            raise OptionError("--device cuda: the cluster has no GPU; give --device cpu or --device auto")
        for_cpu = options.precision == "int8" or options.device == "cpu"
        return replace(options, device="cuda" if has_gpus and not for_cpu else "cpu")


def _inspect(file: InputFile, options: ReadOptions) -> FileInfo | EmojobError:
    return returning_errors(lambda: inspect_file(file, options, count_rows=True))
