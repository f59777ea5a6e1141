"""Hands out the shards of a job to the workers of a Ray cluster: which worker has which shard, and its progress.

The shard of a worker that dies is given to another one: the node that Ray would wait for may never come back.
"""

from __future__ import annotations

import contextlib
import itertools
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
from emojob.pipeline.running.ray.worker import JobContext, MemoSnapshot, WorkerSetup
from emojob.pipeline.storage.paths import AnyPath, list_files
from emojob.pipeline.storage.permissions import umask
from emojob.pipeline.system.prefetch import Stages, StageTimer, StopRequested
from emojob.schemas.errors import EmojobError, WorkerError
from emojob.schemas.manifest import PartMarker
from emojob.schemas.messages import first_of

_TICK = 0.5  # seconds between two polls of the workers
_GROWTH = 10.0  # seconds between two looks at whether the cluster has room for more workers
_LONGEST_WAIT = 1800.0  # seconds without a ready worker after which the job fails
_DEATHS = 4  # workers that one shard may end before the job fails


class WorkerHandle:
    """A worker as this process sees it.

    Attributes:
        shard: The shard that it has, if any.
        rows: Rows of the shard that it has labelled.
        awaited: Calls that it has not answered yet, by their references.
    """

    def __init__(self, actor: Any) -> None:
        self.actor = actor
        self.is_ready = False
        self.shard: Shard | None = None
        self.rows = 0
        self.next_poll = 0.0
        self.awaited: dict[Any, str] = {}

    def ask(self, what: str, *given: Any) -> None:
        """Call a method of the worker; `ray.wait` finds the answer."""
        options = {"ready": {"max_task_retries": -1}, "label": {}}.get(what, {"concurrency_group": "aside"})
        self.awaited[getattr(self.actor, what).options(**options).remote(*given)] = what


class Dispatcher:
    """The workers of one job, from the first shard to the last."""

    def __init__(
        self,
        nodes: Nodes,
        setup: WorkerSetup,
        spare: list[Any],
        note: Callable[[str], None],
        job: Job,
        folder: AnyPath,
    ) -> None:
        """Share what all workers need.

        Args:
            nodes: The cluster's nodes.
            setup: What a worker loads first.
            spare: Workers that were started and have no shard yet; taken from first.
            note: callback(line), called with a line that the user should see.
            job: The job.
            folder: OUT.
        """
        self.nodes, self.setup, self.spare, self.note = nodes, setup, spare, note
        self.job, self.folder = job, folder
        self.device = job.model.choice.device
        dataset, rate = job.dataset, job.model.choice.tokens_per_second
        bare = Dataset([], dataset.schema, dataset.text_column, dataset.conversation_column)
        self.work = ray.put(JobContext(bare, folder, job.schema, job.privacy, rate, umask()))
        memo = job.model.memo
        self.memo_snapshot = SharedObject(MemoSnapshot(memo.multipliers, memo.contents()))
        self.handles: list[WorkerHandle] = []
        self.waiting: deque[Shard] = deque()  # shards of dead workers, and the next one
        self.deaths: dict[tuple[int, int], int] = {}
        self.reported = 0  # rows
        self.in_parts = 0
        self.most = 1
        self.next_growth = 0.0
        self.idle_since: float | None = None  # since when no worker is ready
        self.has_waited = False

    def parts(self, stages: Stages, timer: StageTimer, on_rows: Callable[[int], None]) -> Iterator[PartMarker]:
        """Yield the markers of complete parts, in no order. See `Executor.parts`."""
        job, self.stages, self.timer, self.on_rows = self.job, stages, timer, on_rows
        rows = max(0, job.rows - job.counts_before.read)
        workers = max(1, self.nodes.capacity(self.device))
        self.most = rows // SPLIT_ROWS + len(job.dataset.sources)  # workers that can have a shard
        for line in undivided_inputs(job.dataset):
            self.note(line)
        todo = make_shards(job.dataset, job.inputs_progress, job.options.limit, rows, workers)
        self.stages.mark_started()
        written: dict[str, int] = {}
        try:
            while True:
                self._grow()
                self._hand_out(todo)
                if not self._has_more(todo) and not any(handle.shard for handle in self.handles):
                    break
                for marker in self._heard():
                    written[marker.part] = marker.part_bytes
                    yield marker
                if self.stages.stopping:
                    yield from self._stopped()
                    raise StopRequested
            self._check(written)
            self._collect_memos()
        finally:
            for handle in self.handles:
                ray.kill(handle.actor)

    def _grow(self) -> None:
        """Start as many workers as there are room and shards for; a cluster may have grown."""
        if time.monotonic() < self.next_growth:
            return
        self.next_growth = time.monotonic() + _GROWTH
        if any(handle.is_ready for handle in self.handles):
            self.idle_since = None
        elif self.idle_since is None:
            self.idle_since = time.monotonic()
        self._wait_for(time.monotonic() - self.idle_since if self.idle_since else 0.0)
        while len(self.handles) < min(max(1, self.nodes.capacity(self.device)), self.most):
            handle = WorkerHandle(self.spare.pop(0) if self.spare else self.nodes.start_worker(self.device))
            handle.ask("ready", self.setup, self.memo_snapshot)
            self.handles.append(handle)

    def _wait_for(self, seconds: float) -> None:
        """Say once that no worker is ready, which is normal on a busy cluster; fail in the end."""
        if seconds > _LONGEST_WAIT:
            raise WorkerError(
                f"no worker was ready for {_LONGEST_WAIT:,.0f} seconds: see `ray status` for room, and Ray's logs "
                "for workers that die as they start; the same command then goes on"
            )
        if seconds > PATIENCE and not self.has_waited:
            self.has_waited = True
            self.note("no worker is ready yet: the cluster has no room, or they die as they start; waiting")

    def _hand_out(self, todo: Iterator[Shard]) -> None:
        """Give a shard to each ready worker that has none."""
        now = time.monotonic()
        for handle in [handle for handle in self.handles if handle.is_ready]:
            if handle.shard and now >= handle.next_poll and "rows" not in handle.awaited.values():
                handle.ask("rows")
                handle.next_poll = now + _TICK
            if not handle.shard and self._has_more(todo):
                handle.shard = self.waiting.popleft()
                handle.ask("label", self.work, handle.shard)

    def _has_more(self, todo: Iterator[Shard]) -> bool:
        """Return whether a shard waits for a worker."""
        if not self.waiting:
            self.waiting.extend(itertools.islice(todo, 1))
        return bool(self.waiting)

    def _heard(self) -> Iterator[PartMarker]:
        """Wait for answers for a moment; yield the markers among them. Raises the workers' errors."""
        by_answer = {answer: handle for handle in self.handles for answer in handle.awaited}
        answers, _ = ray.wait(list(by_answer), num_returns=1, timeout=_TICK)
        for answer in answers:
            handle = by_answer[answer]
            what = handle.awaited.pop(answer, None)  # None: the worker died after the call
            if what is not None:
                yield from self._take(handle, what, answer)
        rows = self.in_parts + sum(handle.rows for handle in self.handles)
        self.on_rows(rows - self.reported)
        self.reported = rows

    def _take(self, handle: WorkerHandle, what: str, answer: Any) -> list[PartMarker]:
        try:
            said = ray.get(answer)
        except RayTaskError as error:
            raise node_failure(error) from error
        except RayError as error:
            self._died(handle, what, error)
            return []
        if isinstance(said, EmojobError):
            raise said
        if what == "ready":
            handle.is_ready = True
        elif what == "rows":
            of, rows = said  # the answer may be about the shard before
            handle.rows = rows if handle.shard and of == handle.shard.place else 0
        elif what == "label":
            handle.shard, handle.rows = None, 0
            self.in_parts += sum(marker.counts.read for marker in said.markers)
            self.job.model.tally.add(said.tally)
            for stage, seconds in said.seconds.items():
                self.timer.add(stage, seconds / len(self.handles))
            return list(said.markers)
        return []

    def _died(self, handle: WorkerHandle, what: str, error: RayError) -> None:
        """Reassign the shard of a dead worker. Ray restarts the worker; until it is ready it gets no shard."""
        if what == "ready":  # it cannot be started at all
            raise node_failure(error) from error
        if handle.shard:
            shard, handle.shard = handle.shard, None
            self.deaths[shard.place] = self.deaths.get(shard.place, 0) + 1
            if self.deaths[shard.place] == _DEATHS:
                raise WorkerError(
                    f"{_DEATHS} workers ended, one after the other, at the rows of {shard.source.file.name} from "
                    f"{shard.span.first_row:,} on ({error_kind(error)}): give the nodes more memory; the same "
                    f"command then goes on"
                ) from error
            self.waiting.append(shard)
        handle.is_ready, handle.rows = False, 0
        handle.awaited.clear()
        handle.ask("ready", self.setup, self.memo_snapshot)

    def _stopped(self) -> Iterator[PartMarker]:
        """Stop the workers, and wait until the rows that they have labelled are in parts."""
        for handle in self.handles:
            if handle.shard:
                handle.ask("stop")
        deadline = time.monotonic() + PATIENCE
        while any(handle.shard for handle in self.handles) and time.monotonic() < deadline:
            yield from self._heard()

    def _check(self, written: dict[str, int]) -> None:
        """Raise WorkerError if a part is not as its worker left it.

        A node that is cut off counts as dead, but its workers may go on writing and replace a complete part by one of
        other rows.
        """
        found = list_files(self.folder, ())
        changed = [name for name, size in written.items() if found.get(name) != size]
        if changed:
            raise WorkerError(
                f"{first_of(changed, 'more parts')} were written again by a "
                f"node that had been cut off: the same command labels their rows anew"
            )

    def _collect_memos(self) -> None:
        """Merge the workers' memos if the memo is kept; a worker that does not answer soon is left out."""
        if self.job.memo is None:
            return
        answers = [handle.actor.memo.remote() for handle in self.handles if handle.is_ready]
        there, _ = ray.wait(answers, num_returns=len(answers), timeout=PATIENCE) if answers else ([], [])
        for answer in there:
            with contextlib.suppress(RayError):
                self.job.model.memo.merge(ray.get(answer))
