"""Counts how many workers the nodes of a Ray cluster can run, and starts workers."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Generic, TypeVar

import ray
from ray.exceptions import RayError, RayTaskError

from emojob.pipeline.running.ray.worker import Worker
from emojob.schemas.errors import WorkerError

T = TypeVar("T")

PATIENCE = 60.0  # after a stop, workers have this many seconds to write their rows

_CORES = 4  # default number of cores per worker


class SharedObject(Generic[T]):
    """An object in Ray's object store. Call the instance to get the object."""

    def __init__(self, value: T) -> None:
        self._reference = ray.put(value)

    def __call__(self) -> T:
        value: T = ray.get(self._reference)
        return value


class Nodes:
    """The nodes of the connected Ray cluster."""

    def __init__(self, cores: int | None) -> None:
        """Prepare the nodes.

        Args:
            cores: Number of cores for each worker that has no GPU. None: a default number (see `Nodes.cores`).
        """
        self._wanted_cores = cores

    def capacity(self, device: str) -> int:
        """Return how many workers the nodes can run at the same time if the cluster is idle.

        Args:
            device: cpu or cuda.
        """
        kind, each = ("GPU", 1) if device == "cuda" else ("CPU", self.cores())
        return sum(int(node.get(kind, 0) // each) for node in self._alive())

    def start_worker(self, device: str) -> Any:
        """Start a worker and return its Ray actor. The call does not wait until the worker is running.

        Args:
            device: cpu or cuda.
        """
        settings: dict[str, Any] = {"max_restarts": -1, "concurrency_groups": {"aside": 2}, **self._resources(device)}
        kind: Any = ray.remote(**settings)(Worker)
        return kind.remote()

    def cores(self) -> int:
        """Return the number of cores for each worker that has no GPU.

        The default is _CORES. If the smallest node has fewer cores, the default is the number of cores of that node.
        """
        if self._wanted_cores:
            return self._wanted_cores
        return min([_CORES, *(int(node["CPU"]) for node in self._alive() if node.get("CPU", 0) >= 1)])

    def all_cores(self) -> float:
        """Return the total number of cores of all nodes."""
        return sum(node.get("CPU", 0) for node in self._alive())

    def threads(self, device: str) -> int:
        """Return the number of threads of each worker.

        Args:
            device: cpu or cuda.
        """
        return max(1, int(self._resources(device)["num_cpus"]))

    def _alive(self) -> list[dict[str, float]]:
        return [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]

    def _resources(self, device: str) -> dict[str, float]:
        """Return the numbers of cores and GPUs that Ray reserves for each worker."""
        if device != "cuda":
            return {"num_cpus": self.cores()}
        each = [node.get("CPU", 0) // node["GPU"] for node in self._alive() if node.get("GPU", 0) >= 1]
        return {"num_cpus": max(0, min([_CORES, *each])), "num_gpus": 1}


def node_failure(error: RayError) -> WorkerError:
    """Return the WorkerError for a node that cannot run emojob."""
    failure = WorkerError(
        f"a node of the cluster cannot run emojob ({error_kind(error)}): install emojob {version('emojob')} with the "
        f"extra `ray` on every node"
    )
    failure.add_note(str(error))
    return failure


def error_kind(error: RayError) -> str:
    """Return the class name of an error. For an error in a Ray task, return the class name of the original error.

    The error message is not returned, because it may contain dialogue.
    """
    cause = error.cause if isinstance(error, RayTaskError) else error
    return type(cause).__name__
