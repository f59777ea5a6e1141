"""The nodes of a Ray cluster: counts the workers that they have room for, and starts workers."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Generic, TypeVar

import ray
from ray.exceptions import RayError, RayTaskError

from emojob.pipeline.running.ray.worker import Worker
from emojob.schemas.errors import WorkerError

T = TypeVar("T")

PATIENCE = 60.0  # seconds that workers have to write their rows after a stop

_CORES = 4  # of a worker without a GPU, if the nodes have that many


class SharedObject(Generic[T]):
    """An object in Ray's object store, kept as long as this instance. A node calls the instance to fetch it."""

    def __init__(self, value: T) -> None:
        self._reference = ray.put(value)

    def __call__(self) -> T:
        value: T = ray.get(self._reference)
        return value


class Nodes:
    """The nodes of the cluster that this process is connected to."""

    def __init__(self, cores: int | None) -> None:
        """Keep the cores of a worker without a GPU; None for the default."""
        self._wanted_cores = cores

    def capacity(self, device: str) -> int:
        """Return the number of workers that the nodes have room for if nothing else runs there.

        Args:
            device: cpu or cuda.
        """
        kind, each = ("GPU", 1) if device == "cuda" else ("CPU", self.cores())
        return sum(int(node.get(kind, 0) // each) for node in self._alive())

    def start_worker(self, device: str) -> Any:
        """Start a worker; return its actor at once, also if Ray has no room for it yet.

        Args:
            device: cpu or cuda.
        """
        settings: dict[str, Any] = {"max_restarts": -1, "concurrency_groups": {"aside": 2}, **self._resources(device)}
        kind: Any = ray.remote(**settings)(Worker)
        return kind.remote()

    def cores(self) -> int:
        """Return the cores of a worker without a GPU, by default at most those of the smallest node."""
        if self._wanted_cores:
            return self._wanted_cores
        return min([_CORES, *(int(node["CPU"]) for node in self._alive() if node.get("CPU", 0) >= 1)])

    def all_cores(self) -> float:
        """Return the cores of all nodes together."""
        return sum(node.get("CPU", 0) for node in self._alive())

    def threads(self, device: str) -> int:
        """Return the number of threads that one worker may keep busy.

        Args:
            device: cpu or cuda.
        """
        return max(1, int(self._resources(device)["num_cpus"]))

    def _alive(self) -> list[dict[str, float]]:
        return [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]

    def _resources(self, device: str) -> dict[str, float]:
        """Return what Ray reserves for one worker."""
        if device != "cuda":
            return {"num_cpus": self.cores()}
        each = [node.get("CPU", 0) // node["GPU"] for node in self._alive() if node.get("GPU", 0) >= 1]
        return {"num_cpus": max(0, min([_CORES, *each])), "num_gpus": 1}


def node_failure(error: RayError) -> WorkerError:
    """Return the error to raise for a node that cannot run emojob."""
    failure = WorkerError(
        f"a node of the cluster cannot run emojob ({error_kind(error)}): install emojob {version('emojob')} with its "
        f"extra `ray` on every node"
    )
    failure.add_note(str(error))
    return failure


def error_kind(error: RayError) -> str:
    """Return the type name of an error, or of its cause in a task. The message may contain dialogue, the name not."""
    cause = error.cause if isinstance(error, RayTaskError) else error
    return type(cause).__name__
