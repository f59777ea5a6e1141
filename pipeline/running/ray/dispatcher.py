"""Assigns shards (ranges of rows) to the workers of a Ray cluster, and reports the number of labelled rows.

If a worker dies, the shard is assigned again. Ray itself would wait for the dead worker, perhaps forever.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from emojob.pipeline.reading.row_batches import SPLIT_ROWS
from emojob.pipeline.running.job import Job
from emojob.pipeline.running.ray.nodes import PATIENCE, Nodes, SharedObject, error_kind, node_failure
from emojob.pipeline.running.ray.shards import Shard, make_shards, undivided_inputs
from emojob.pipeline.running.ray.worker import JobContext, MemoSnapshot, ShardResult, WorkerSetup
from emojob.pipeline.storage.paths import AnyPath
from emojob.pipeline.storage.permissions import umask
from emojob.pipeline.system.prefetch import Stages, StageTimer, StopRequested
from emojob.schemas.errors import EmojobError, WorkerError
from emojob.schemas.manifest import PartMarker

_TICK = 0.5  # seconds between two progress requests to a worker
_GROWTH_INTERVAL = 10.0  # seconds between two checks whether the cluster has room for more workers
_LONGEST_WAIT = 1800.0  # the job fails if no worker is ready for this many seconds
_MAX_DEATHS = 4  # the job fails if this many workers die on one shard


class WorkerHandle:
    """The state of a worker, in the dispatcher.

    Attributes:
        actor: The Ray actor, a `Worker`.
        is_ready: Whether the worker has loaded the model.
        shard: The shard that the worker labels; None if the worker has no shard.
        rows: Number of rows of `shard` that are already labelled.
        next_poll: Time of the next progress request, in seconds of `time.monotonic`.
        calls: {Ray reference: method name} of the calls that the worker has not answered.
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
    """Starts workers, assigns shards to the workers, and receives the results."""

    def __init__(
        self,
        nodes: Nodes,
        setup: WorkerSetup,
        spare: list[Any],
        note: Callable[[str], None],
        job: Job,
        folder: AnyPath,
    ) -> None:
        """Put the shared data of all workers into Ray's object store. The method `parts` starts the workers.

        Args:
            nodes: The cluster's nodes.
            setup: The data that each worker needs to load the model.
            spare: Ray actors that are started, but have no shard yet. These actors become the first workers.
            note: callback(message), called with each message for the user.
            job: The job.
            folder: OUT, the output folder.
        """
        self.nodes, self.setup, self.spare, self.note = nodes, setup, spare, note
        self.job, self.folder = job, folder
        self.device = job.model.choice.device
        dataset, rate = job.dataset, job.model.choice.tokens_per_second
        without_sources = replace(dataset, sources=[])
        self.context = ray.put(
            JobContext(without_sources, folder, job.schema, job.privacy, rate, umask(), job.run_id, job.attempt)
        )
        memo = job.model.memo
        self.memo_snapshot = SharedObject(MemoSnapshot(memo.multipliers, memo.contents()))
        self.workers: list[WorkerHandle] = []
        self.shards: deque[Shard] = deque()  # shards that are not assigned yet
        self.deaths: dict[tuple[int, int], int] = {}  # {Shard.start: number of workers that died}
        self.rows_in_parts = 0
        self.rows_reported = 0
        self.max_workers = 1
        self.next_growth = 0.0
        self.last_ready = time.monotonic()  # time at which a worker was last ready
        self.has_noted_wait = False

    def parts(self, stages: Stages, timer: StageTimer, on_rows: Callable[[int], None]) -> Iterator[PartMarker]:
        """Yield the completion marker of each complete part file, in any order. See `Executor.parts`."""
        self.timer, self.on_rows = timer, on_rows
        self._make_shards()
        stages.mark_started()
        try:
            while self.shards or any(worker.shard for worker in self.workers):
                self._grow()
                self._call_workers()
                yield from self._receive()
                if stages.stopping:
                    yield from self._stop()
                    raise StopRequested
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
        self.max_workers = rows // SPLIT_ROWS + len(job.dataset.sources)  # additional workers would have no shard

    def _grow(self) -> None:
        """Start more workers if the cluster has room, for example because a node joined the cluster."""
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
        """Tell the user that no worker is ready, if `seconds` is more than PATIENCE.

        `seconds` is the time since a worker was last ready. Raises WorkerError after _LONGEST_WAIT seconds.
        """
        if seconds > _LONGEST_WAIT:
            raise WorkerError(
                f"no worker was ready for {_LONGEST_WAIT:,.0f} seconds: run `ray status` to see whether cores or GPUs "
                f"are free, and look for errors in Ray's logs; then run the same command to continue"
            )
        if seconds > PATIENCE and not self.has_noted_wait:
            self.has_noted_wait = True
            self.note(
                "waiting, because no worker is ready yet: the cluster has no room, or workers die during their start"
            )

    def _call_workers(self) -> None:
        """Assign shards to idle workers, and request the progress of busy workers."""
        now = time.monotonic()
        for worker in self.workers:
            if not worker.is_ready:
                continue
            if worker.shard and now >= worker.next_poll and "rows" not in worker.calls.values():
                worker.call("rows")
                worker.next_poll = now + _TICK
            if not worker.shard and self.shards:
                worker.shard = self.shards.popleft()
                attempt = self.job.attempt + self.deaths.get(worker.shard.start, 0)
                worker.call("label", self.context, worker.shard, attempt)

    def _receive(self) -> Iterator[PartMarker]:
        """Wait up to _TICK seconds for an answer. Yield completion markers, and call `on_rows(number of new rows)`.

        Raises:
            EmojobError: A worker reported an error.
        """
        callers = {call: worker for worker in self.workers for call in worker.calls}
        answered, _ = ray.wait(list(callers), num_returns=1, timeout=_TICK)
        for call in answered:
            yield from self._take(callers[call], call)
        rows = self.rows_in_parts + sum(worker.rows for worker in self.workers)
        self.on_rows(rows - self.rows_reported)
        self.rows_reported = rows

    def _take(self, worker: WorkerHandle, call: Any) -> list[PartMarker]:
        """Process the answer to a call, and return the completion markers in the answer."""
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
            start, rows = answer  # the answer may be about the worker's previous shard
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
        """Put the shard of a dead worker back into the queue. Ray restarts the worker, which then loads the model."""
        if method == "ready":  # Ray cannot start the worker
            raise node_failure(error) from error
        if worker.shard:
            shard, worker.shard = worker.shard, None
            self.deaths[shard.start] = self.deaths.get(shard.start, 0) + 1
            if self.deaths[shard.start] == _MAX_DEATHS:
                raise WorkerError(
                    f"{_MAX_DEATHS} workers died while they labelled {shard.source.file.name}, starting at row "
                    f"{shard.span.first_row:,} ({error_kind(error)}): give the nodes more memory, then run the same "
                    f"command to continue"
                ) from error
            self.shards.appendleft(shard)
        worker.is_ready, worker.rows = False, 0
        worker.calls.clear()
        worker.call("ready", self.setup, self.memo_snapshot)

    def _stop(self) -> Iterator[PartMarker]:
        """Stop the workers, and yield the completion markers of the shards that were being labelled."""
        for worker in self.workers:
            if worker.shard:
                worker.call("stop")
        deadline = time.monotonic() + PATIENCE
        while any(worker.shard for worker in self.workers) and time.monotonic() < deadline:
            yield from self._receive()

    def _collect_memos(self) -> None:
        """If --memo is given, collect the memos (cached probabilities) of the workers.

        Skip workers that do not answer within PATIENCE seconds.
        """
        if self.job.memo is None:
            return
        calls = [worker.actor.memo.remote() for worker in self.workers if worker.is_ready]
        answered, _ = ray.wait(calls, num_returns=len(calls), timeout=PATIENCE) if calls else ([], [])
        for call in answered:
            with contextlib.suppress(RayError):
                self.job.model.memo.merge(ray.get(call))
