"""Gives the shards of a job to the workers of a Ray cluster, and reports their progress.

A shard whose worker dies goes to another worker. Ray would wait for the dead one, whose node may never come back.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from emojob.pipeline.reading.dataset import Dataset
from emojob.pipeline.reading.row_batches import SPLIT_ROWS
from emojob.pipeline.running.job import Job
from emojob.pipeline.running.ray.nodes import PATIENCE, Nodes, SharedObject, error_kind, node_failure
from emojob.pipeline.running.ray.shards import Shard, make_shards, undivided_inputs
from emojob.pipeline.running.ray.worker import JobContext, MemoSnapshot, ShardResult, WorkerSetup
from emojob.pipeline.storage.paths import AnyPath, list_files
from emojob.pipeline.storage.permissions import umask
from emojob.pipeline.system.prefetch import Stages, StageTimer, StopRequested
from emojob.schemas.errors import EmojobError, WorkerError
from emojob.schemas.manifest import PartMarker
from emojob.schemas.messages import first_of

_TICK = 0.5  # seconds between two requests for a worker's progress
_GROWTH_INTERVAL = 10.0  # seconds between two checks whether the cluster has room for more workers
_LONGEST_WAIT = 1800.0  # seconds without a ready worker, after which the job fails
_MAX_DEATHS = 4  # workers that may die at one shard; the last death fails the job


class WorkerHandle:
    """The dispatcher's view of one worker.

    Attributes:
        actor: The Ray actor, a `Worker`.
        is_ready: Whether it has loaded the model.
        shard: The shard that it labels, if any.
        rows: Rows of that shard labelled so far.
        next_poll: When to ask for the rows again, in seconds of `time.monotonic`.
        calls: The method of each unanswered call, by the call's reference.
    """

    def __init__(self, actor: Any) -> None:
        self.actor = actor
        self.is_ready = False
        self.shard: Shard | None = None
        self.rows = 0
        self.next_poll = 0.0
        self.calls: dict[Any, str] = {}

    def call(self, method: str, *arguments: Any) -> None:
        """Call a method of the worker without waiting for the answer."""
        self.calls[getattr(self.actor, method).remote(*arguments)] = method


class Dispatcher:
    """The workers of one job, from its first shard to its last."""

    def __init__(
        self,
        nodes: Nodes,
        setup: WorkerSetup,
        spare: list[Any],
        note: Callable[[str], None],
        job: Job,
        folder: AnyPath,
    ) -> None:
        """Put the data that all workers need into Ray's object store.

        Args:
            nodes: The cluster's nodes.
            setup: Sent to each worker first.
            spare: Started actors without a shard; they become the first workers.
            note: callback(line), called with a line that the user should see.
            job: The job.
            folder: OUT.
        """
        self.nodes, self.setup, self.spare, self.note = nodes, setup, spare, note
        self.job, self.folder = job, folder
        self.device = job.model.choice.device
        dataset, rate = job.dataset, job.model.choice.tokens_per_second
        without_sources = Dataset([], dataset.schema, dataset.text_column, dataset.conversation_column)
        self.context = ray.put(JobContext(without_sources, folder, job.schema, job.privacy, rate, umask()))
        memo = job.model.memo
        self.memo_snapshot = SharedObject(MemoSnapshot(memo.multipliers, memo.contents()))
        self.workers: list[WorkerHandle] = []
        self.shards: deque[Shard] = deque()  # without a worker
        self.deaths: dict[tuple[int, int], int] = {}  # by where the shard starts
        self.rows_in_parts = 0
        self.rows_reported = 0
        self.max_workers = 1
        self.next_growth = 0.0
        self.last_ready = time.monotonic()  # when a worker was last seen ready
        self.has_noted_wait = False

    def parts(self, stages: Stages, timer: StageTimer, on_rows: Callable[[int], None]) -> Iterator[PartMarker]:
        """Yield the markers of complete parts, in no order. See `Executor.parts`."""
        self.timer, self.on_rows = timer, on_rows
        self._make_shards()
        stages.mark_started()
        written: dict[str, int] = {}
        try:
            while self.shards or any(worker.shard for worker in self.workers):
                self._grow()
                self._call_workers()
                for marker in self._receive():
                    written[marker.part] = marker.part_bytes
                    yield marker
                if stages.stopping:
                    yield from self._stop()
                    raise StopRequested
            _check_parts(self.folder, written)
            self._collect_memos()
        finally:
            for worker in self.workers:
                ray.kill(worker.actor)

    def _make_shards(self) -> None:
        job = self.job
        for line in undivided_inputs(job.dataset):
            self.note(line)
        rows = max(0, job.rows - job.counts_before.read)
        workers = max(1, self.nodes.capacity(self.device))
        self.shards.extend(make_shards(job.dataset, job.inputs_progress, job.options.limit, rows, workers))
        self.max_workers = rows // SPLIT_ROWS + len(job.dataset.sources)  # that can have a shard at the same time

    def _grow(self) -> None:
        """Start as many workers as there are room and shards for; nodes may have joined the cluster."""
        now = time.monotonic()
        if now < self.next_growth:
            return
        self.next_growth = now + _GROWTH_INTERVAL
        if any(worker.is_ready for worker in self.workers):
            self.last_ready = now
        self._check_wait(now - self.last_ready)
        while len(self.workers) < min(max(1, self.nodes.capacity(self.device)), self.max_workers):
            worker = WorkerHandle(self.spare.pop(0) if self.spare else self.nodes.start_worker(self.device))
            worker.call("ready", self.setup, self.memo_snapshot)
            self.workers.append(worker)

    def _check_wait(self, seconds: float) -> None:
        """Note once that no worker is ready, which is normal on a busy cluster; fail after a long time."""
        if seconds > _LONGEST_WAIT:
            raise WorkerError(
                f"no worker was ready for {_LONGEST_WAIT:,.0f} seconds: see `ray status` for free resources, and Ray's "
                f"logs for workers that die at their start; the same command then goes on"
            )
        if seconds > PATIENCE and not self.has_noted_wait:
            self.has_noted_wait = True
            self.note("no worker is ready yet: the cluster has no room, or workers die at their start; waiting")

    def _call_workers(self) -> None:
        """Give a shard to each ready worker without one, and ask the others for their progress."""
        now = time.monotonic()
        for worker in self.workers:
            if not worker.is_ready:
                continue
            if worker.shard and now >= worker.next_poll and "rows" not in worker.calls.values():
                worker.call("rows")
                worker.next_poll = now + _TICK
            if not worker.shard and self.shards:
                worker.shard = self.shards.popleft()
                worker.call("label", self.context, worker.shard)

    def _receive(self) -> Iterator[PartMarker]:
        """Wait for an answer, at most one tick; yield the markers in it, then report new rows.

        Raises:
            EmojobError: The error of a worker.
        """
        callers = {call: worker for worker in self.workers for call in worker.calls}
        answered, _ = ray.wait(list(callers), num_returns=1, timeout=_TICK)
        for call in answered:
            yield from self._take(callers[call], call)
        rows = self.rows_in_parts + sum(worker.rows for worker in self.workers)
        self.on_rows(rows - self.rows_reported)
        self.rows_reported = rows

    def _take(self, worker: WorkerHandle, call: Any) -> list[PartMarker]:
        """Process the answer to a call; return the markers in it."""
        method = worker.calls.pop(call)
        try:
            answer = ray.get(call)
        except RayTaskError as error:
            raise node_failure(error) from error
        except RayError as error:
            self._reassign(worker, method, error)
            return []
        if isinstance(answer, EmojobError):
            raise answer
        if isinstance(answer, ShardResult):
            return self._finish_shard(worker, answer)
        if method == "ready":
            worker.is_ready = True
        elif method == "rows":
            start, rows = answer  # perhaps of the shard before
            worker.rows = rows if worker.shard and start == worker.shard.start else 0
        return []

    def _finish_shard(self, worker: WorkerHandle, result: ShardResult) -> list[PartMarker]:
        worker.shard, worker.rows = None, 0
        self.rows_in_parts += sum(marker.counts.read for marker in result.markers)
        self.job.model.tally.add(result.tally)
        for stage, seconds in result.seconds.items():
            self.timer.add(stage, seconds / len(self.workers))
        return result.markers

    def _reassign(self, worker: WorkerHandle, method: str, error: RayError) -> None:
        """Take the shard of a dead worker back. Ray restarts the worker; it gets no shard until it is ready."""
        if method == "ready":  # Ray cannot start it
            raise node_failure(error) from error
        if worker.shard:
            shard, worker.shard = worker.shard, None
            self.deaths[shard.start] = self.deaths.get(shard.start, 0) + 1
            if self.deaths[shard.start] == _MAX_DEATHS:
                raise WorkerError(
                    f"{_MAX_DEATHS} workers died, one after the other, at the rows of {shard.source.file.name} from "
                    f"{shard.span.first_row:,} on ({error_kind(error)}): give the nodes more memory; the same "
                    f"command then goes on"
                ) from error
            self.shards.appendleft(shard)
        worker.is_ready, worker.rows = False, 0
        worker.calls.clear()
        worker.call("ready", self.setup, self.memo_snapshot)

    def _stop(self) -> Iterator[PartMarker]:
        """Stop the workers, and yield the markers of the parts that they still write."""
        for worker in self.workers:
            if worker.shard:
                worker.call("stop")
        deadline = time.monotonic() + PATIENCE
        while any(worker.shard for worker in self.workers) and time.monotonic() < deadline:
            yield from self._receive()

    def _collect_memos(self) -> None:
        """Merge the workers' memos if a file keeps the memo; leave out workers that do not answer soon."""
        if self.job.memo is None:
            return
        calls = [worker.actor.memo.remote() for worker in self.workers if worker.is_ready]
        answered, _ = ray.wait(calls, num_returns=len(calls), timeout=PATIENCE) if calls else ([], [])
        for call in answered:
            with contextlib.suppress(RayError):
                self.job.model.memo.merge(ray.get(call))


def _check_parts(folder: AnyPath, written: dict[str, int]) -> None:
    """Raise WorkerError if a part has another size than its marker says.

    Ray counts a node without a connection as dead, but its workers may still write. They can replace a complete part
    by one with other rows.

    Args:
        folder: OUT.
        written: Bytes of each part, by its name.
    """
    found = list_files(folder, ())
    changed = [name for name, size in written.items() if found.get(name) != size]
    if changed:
        raise WorkerError(
            f"{first_of(changed, 'more parts')} were replaced by a node that had lost its connection: the same command "
            f"labels their rows again"
        )
