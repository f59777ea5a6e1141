"""A job on a Ray cluster: shares of rows, labelled by actors on its nodes, one a GPU or one some cores.

Ray starts the actors, places them, and starts them anew elsewhere where a process or a node dies. This process looks
(in tasks on the nodes), plans, hands out shares, takes completion markers; no row passes through it. The share of an
actor that dies is handed to another, which goes on behind the parts that were complete.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import numpy as np
import ray
from numpy.typing import NDArray
from ray.exceptions import RayError

from emojob.pipeline.inference.batching import Layout, Packed
from emojob.pipeline.inference.engine import EngineChoice
from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.inference.scoring_model import resolve_options
from emojob.pipeline.models import model
from emojob.pipeline.models.local_copy import read_model_files
from emojob.pipeline.models.model_folder import FILES
from emojob.pipeline.models.tokenizer import Encoded
from emojob.pipeline.reading.dataset import FileInfo, inspect_file
from emojob.pipeline.reading.inputs import InputFile
from emojob.pipeline.running.job import Job
from emojob.pipeline.running.ray.dispatcher import PATIENCE, Dispatcher, SharedObject, unfit
from emojob.pipeline.running.ray.worker import Worker, WorkerSetup, returning_errors
from emojob.pipeline.storage.paths import AnyPath
from emojob.pipeline.system.prefetch import Stages, StageTimer
from emojob.schemas.errors import EmojobError, OptionError
from emojob.schemas.manifest import PartMarker
from emojob.schemas.messages import first_line
from emojob.schemas.options import ModelOptions

_CORES = 4  # of a labeller without a GPU, where nodes have so many
_INSPECTED_AT_ONCE = 4  # files looked at at the same time, for each core of the cluster


@contextlib.contextmanager
def connected(address: str | None, cores: int | None) -> Iterator[RayExecutor]:
    """A cluster: that at an address, or at RAY_ADDRESS, or else one of this machine alone, which ends with it.

    cores: of each labeller on nodes without a GPU. Raises OptionError where no cluster answers.
    """
    with contextlib.nullcontext() if ray.is_initialized() else _joined(address):  # somebody else's, as in a notebook
        cluster = RayExecutor(cores)
        try:
            yield cluster
        finally:
            cluster.leave()


@contextlib.contextmanager
def _joined(address: str | None) -> Iterator[None]:
    address = address or os.environ.get("RAY_ADDRESS")
    alone: dict[str, Any] = {} if address else {"include_dashboard": False}
    with _handlers_kept():
        try:
            _check_answer(address)
            ray.init(address or "local", log_to_driver=False, logging_level=logging.ERROR, **alone)
        except EmojobError:  # raised by a signal
            raise
        except Exception as error:
            reason = first_line(error)
            raise OptionError(
                f"--ray-address {address}: no Ray cluster answers there ({reason}): `ray status` says more; without an "
                f"address this machine alone is used"
                if address
                else f"Ray could not be started on this machine ({reason}): leave --engine ray out"
            ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _check_answer(address: str | None) -> None:
    """Raise OSError at once where nobody listens at HOST:PORT; Ray itself tries for minutes."""
    place = re.fullmatch(r"(?:ray://)?\[?(.+?)\]?:(\d{1,5})", address or "")
    if place:
        socket.create_connection((place[1], int(place[2])), timeout=10).close()


@contextlib.contextmanager
def _handlers_kept() -> Iterator[None]:
    """Ray takes SIGTERM for itself; a job has its own way to end in good order."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # not the main thread
            for number, handler in before.items():
                signal.signal(number, handler)


class _Elsewhere:
    """Stands for the engine that labellers have."""

    layout = Layout.EVEN

    def __init__(self, choice: EngineChoice) -> None:
        self.choice = choice

    def run(self, batches: Iterable[Packed]) -> Iterator[NDArray[np.float32]]:
        raise NotImplementedError("it runs on the cluster")


class RayExecutor:
    """The nodes of the cluster that this process is connected to."""

    name: str | None = "ray"

    def __init__(self, cores: int | None) -> None:
        self._wanted_cores = cores
        self.setup: WorkerSetup | None = None
        self.actors: list[Any] = []  # that are there, but have nothing to do yet
        self.note: Callable[[str], None] = lambda text: None

    def load(self, options: ModelOptions, is_large: bool, note: Callable[[str], None]) -> Scorer:
        """As `Executor` says. The engine is chosen on a node, once, so that all labellers have the same."""
        loaded = model.load(options.model)
        options = resolve_options(self._with_device(options), loaded)
        files, digest = read_model_files(loaded.folder, FILES)
        setup = WorkerSetup(SharedObject(files), digest, options, self._threads(options.device), version("emojob"))
        if not self.room(options.device):
            raise OptionError(
                f"no node of the cluster has {self._cores()} cores free for a labeller: give fewer as --ray-cores"
            )
        self.note = note
        note("asking the cluster which engine suits the model")
        self.actors = [self.worker(options.device) for _ in range(self.room(options.device) if is_large else 1)]
        choice, batch_tokens = self._chosen(setup, is_large)
        same = replace(options, device=choice.device, engine=choice.engine, precision=choice.precision)
        self.setup = replace(setup, options=same)
        return Scorer(loaded, _Elsewhere(choice), replace(options, batch_tokens=batch_tokens))

    def _chosen(self, setup: WorkerSetup, is_large: bool) -> tuple[EngineChoice, int]:
        """What one of the labellers says of the engine; another is asked where one does not answer for long."""
        answers: list[Any] = []
        there: list[Any] = []
        while not there:
            if len(answers) < len(self.actors):
                choose = self.actors[len(answers)].choose.options(max_task_retries=-1)
                answers.append(choose.remote(setup, is_large))
            there, _ = ray.wait(answers, num_returns=1, timeout=2 * PATIENCE)
        try:
            chosen: tuple[EngineChoice, int] | EmojobError = ray.get(there[0])
        except RayError as error:
            raise unfit(error) from error
        if isinstance(chosen, EmojobError):
            raise chosen
        return chosen

    def inspect(self, files: Sequence[InputFile], encoding: str) -> Iterator[FileInfo]:
        """As `Executor` says; in tasks on the nodes, the results in the files' order."""
        task = ray.remote(_inspect).options(num_cpus=0, scheduling_strategy="SPREAD")
        most = max(1, int(_INSPECTED_AT_ONCE * sum(node.get("CPU", 0) for node in self._nodes())))
        waiting: deque[Any] = deque()
        for file in [*files, None]:
            while waiting and (file is None or len(waiting) >= most):
                try:
                    found = ray.get(waiting.popleft())
                except RayError as error:
                    raise unfit(error) from error
                if isinstance(found, EmojobError):
                    raise found
                yield found
            if file is not None:
                waiting.append(task.remote(file, encoding))

    def processes(self, choice: EngineChoice, is_large: bool) -> int:
        """As `Executor` says: what the cluster has room for now."""
        return max(1, self.room(choice.device))

    def rate(self, scorer: Scorer, encoded: Encoded, seconds: float) -> float:
        """As `Executor` says: what was measured on a node as the engine was chosen."""
        return scorer.choice.tokens_per_second or 0.0

    def parts(
        self, job: Job, folder: AnyPath, stages: Stages, timer: StageTimer, added: Callable[[int], None]
    ) -> Iterator[PartMarker]:
        """As `Executor` says. Raises WorkerError where a share ends labeller after labeller."""
        return Dispatcher(self, job, folder, stages, timer, added).parts()

    def worker(self, device: str) -> Any:
        """A new actor; it is there at once, and at work when Ray finds room for it."""
        settings: dict[str, Any] = {"max_restarts": -1, "concurrency_groups": {"aside": 2}, **self._resources(device)}
        kind: Any = ray.remote(**settings)(Worker)
        return kind.remote()

    def leave(self) -> None:
        """End labellers that were started and had nothing to do."""
        for actor in self.actors:
            ray.kill(actor)

    # -- what the cluster has ----------------------------------------------------------------------------------

    def _with_device(self, options: ModelOptions) -> ModelOptions:
        """The options with the device settled: GPUs where there are any. Raises OptionError where there are none."""
        has_gpus = self.room("cuda") > 0
        if options.device == "cuda" and not has_gpus:
            raise OptionError("--device cuda: the cluster has no GPU: give cpu or auto")
        for_cpu = options.precision == "int8" or options.device == "cpu"
        return replace(options, device="cuda" if has_gpus and not for_cpu else "cpu")

    def _nodes(self) -> list[dict[str, float]]:
        return [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]

    def _cores(self) -> int:
        """Of each labeller without a GPU: no more than the smaller nodes have."""
        if self._wanted_cores:
            return self._wanted_cores
        return min([_CORES, *(int(node["CPU"]) for node in self._nodes() if node.get("CPU", 0) >= 1)])

    def _threads(self, device: str) -> int:
        return max(1, int(self._resources(device)["num_cpus"]))

    def _resources(self, device: str) -> dict[str, float]:
        """What Ray sets aside for one labeller."""
        if device != "cuda":
            return {"num_cpus": self._cores()}
        make_shards = [node.get("CPU", 0) // node["GPU"] for node in self._nodes() if node.get("GPU", 0) >= 1]
        return {"num_cpus": max(0, min([_CORES, *make_shards])), "num_gpus": 1}

    def room(self, device: str) -> int:
        """For how many labellers the cluster has nodes, whoever else is on them."""
        kind, each = ("GPU", 1) if device == "cuda" else ("CPU", self._cores())
        return sum(int(node.get(kind, 0) // each) for node in self._nodes())


def _inspect(file: InputFile, encoding: str) -> FileInfo | EmojobError:
    return returning_errors(lambda: inspect_file(file, encoding, count_rows=True))
