"""The labellers of a job on a Ray cluster, as the process that was started sees them: who has which share, and how far.

The share of one that dies is given to another: the node that Ray would wait for may never come back.
"""

from __future__ import annotations

import contextlib
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import ray
from ray.exceptions import RayError, RayTaskError

from emojob.pipeline.reading.dataset import Dataset
from emojob.pipeline.reading.row_batches import SPLIT_ROWS
from emojob.pipeline.running.job import Job
from emojob.pipeline.running.ray.shards import Shard, make_shards, undivided_inputs
from emojob.pipeline.running.ray.worker import JobContext, MemoSnapshot
from emojob.pipeline.storage.paths import AnyPath, list_files
from emojob.pipeline.storage.permissions import umask
from emojob.pipeline.system.prefetch import Stages, StageTimer, StopRequested
from emojob.schemas.errors import EmojobError, WorkerError
from emojob.schemas.manifest import PartMarker
from emojob.schemas.messages import first_of

if TYPE_CHECKING:
    from emojob.pipeline.running.ray.ray_executor import RayExecutor

T = TypeVar("T")

PATIENCE = 60.0  # seconds that labellers have to write what they did when they are told to stop
_TICK = 0.5  # seconds between looks at how far the labellers are
_GROWTH = 10.0  # seconds between looks at whether the cluster has room for more of them
_LONGEST_WAIT = 1800.0  # seconds in which no labeller is ready before the job is given up
_DEATHS = 4  # labellers that one share may cost before the job is given up


class SharedObject(Generic[T]):
    """Something in the cluster's store, as long as this is kept here; called on a node it comes there."""

    def __init__(self, value: T) -> None:
        self._reference = ray.put(value)

    def __call__(self) -> T:
        value: T = ray.get(self._reference)
        return value


class WorkerHandle:
    """A labeller as this process sees it. share: that it has; rows: of it that it has labelled."""

    def __init__(self, actor: Any) -> None:
        self.actor = actor
        self.is_ready = False
        self.shard: Shard | None = None
        self.rows = 0
        self.next_poll = 0.0
        self.awaited: dict[Any, str] = {}  # what was asked of it, and not answered yet

    def ask(self, what: str, *given: Any) -> None:
        """Call a method; the answer comes with `ray.wait`."""
        options = {"ready": {"max_task_retries": -1}, "label": {}}.get(what, {"concurrency_group": "aside"})
        self.awaited[getattr(self.actor, what).options(**options).remote(*given)] = what


class Dispatcher:
    """The labellers of one job, from the first share to the last."""

    def __init__(
        self,
        cluster: RayExecutor,
        job: Job,
        folder: AnyPath,
        stages: Stages,
        timer: StageTimer,
        added: Callable[[int], None],
    ) -> None:
        self.cluster, self.job, self.folder = cluster, job, folder
        self.stages, self.timer, self.added = stages, timer, added
        self.device = job.scorer.choice.device
        dataset, rate = job.dataset, job.scorer.choice.tokens_per_second
        bare = Dataset([], dataset.schema, dataset.text_column, dataset.conversation_column)
        self.work = ray.put(JobContext(bare, folder, job.schema, job.privacy, rate, umask()))
        memo = job.scorer.memo
        self.memo_snapshot = SharedObject(MemoSnapshot(memo.multipliers, memo.contents()))
        self.handles: list[WorkerHandle] = []
        self.waiting: deque[Shard] = deque()  # shares that one could not finish, or that comes next
        self.deaths: dict[tuple[int, int], int] = {}
        self.shown = 0  # rows that `added` was told of
        self.in_parts = 0
        self.most = 1
        self.next_growth = 0.0
        self.idle_since: float | None = None  # when it was first seen that no labeller is ready
        self.has_waited = False

    def parts(self) -> Iterator[PartMarker]:
        """The markers of parts as they are complete, in no order."""
        job = self.job
        rows = max(0, job.rows - job.counts_before.read)
        workers = max(1, self.cluster.room(self.device))
        self.most = rows // SPLIT_ROWS + len(job.dataset.sources)  # labellers that there is work for
        for line in undivided_inputs(job.dataset):
            self.cluster.note(line)
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
        """Start as many labellers as there is room and work for; a cluster may have grown."""
        if time.monotonic() < self.next_growth:
            return
        self.next_growth = time.monotonic() + _GROWTH
        if any(handle.is_ready for handle in self.handles):
            self.idle_since = None
        elif self.idle_since is None:
            self.idle_since = time.monotonic()
        self._wait_for(time.monotonic() - self.idle_since if self.idle_since else 0.0)
        while len(self.handles) < min(max(1, self.cluster.room(self.device)), self.most):
            spare = self.cluster.actors
            handle = WorkerHandle(spare.pop(0) if spare else self.cluster.worker(self.device))
            handle.ask("ready", self.cluster.setup, self.memo_snapshot)
            self.handles.append(handle)

    def _wait_for(self, seconds: float) -> None:
        """Say once that no labeller is ready, which may be right on a busy cluster, and give up at last."""
        if seconds > _LONGEST_WAIT:
            raise WorkerError(
                f"no labeller was ready for {_LONGEST_WAIT:,.0f} seconds: see `ray status` for room, and Ray's logs "
                "for labellers that die as they start; the same command then goes on"
            )
        if seconds > PATIENCE and not self.has_waited:
            self.has_waited = True
            self.cluster.note("no labeller is ready yet: the cluster has no room, or they die as they start; waiting")

    def _hand_out(self, todo: Iterator[Shard]) -> None:
        """Give a share to each labeller that has none, as soon as it is ready."""
        now = time.monotonic()
        for handle in [handle for handle in self.handles if handle.is_ready]:
            if handle.shard and now >= handle.next_poll and "rows" not in handle.awaited.values():
                handle.ask("rows")
                handle.next_poll = now + _TICK
            if not handle.shard and self._has_more(todo):
                handle.shard = self.waiting.popleft()
                handle.ask("label", self.work, handle.shard)

    def _has_more(self, todo: Iterator[Shard]) -> bool:
        """Whether a share waits for a labeller."""
        if not self.waiting:
            self.waiting.extend(itertools.islice(todo, 1))
        return bool(self.waiting)

    def _heard(self) -> Iterator[PartMarker]:
        """What labellers say within a moment. Raises their errors."""
        by_answer = {answer: handle for handle in self.handles for answer in handle.awaited}
        answers, _ = ray.wait(list(by_answer), num_returns=1, timeout=_TICK)
        for answer in answers:
            handle = by_answer[answer]
            what = handle.awaited.pop(answer, None)  # None: asked of one that has died since
            if what is not None:
                yield from self._take(handle, what, answer)
        rows = self.in_parts + sum(handle.rows for handle in self.handles)
        self.added(rows - self.shown)
        self.shown = rows

    def _take(self, handle: WorkerHandle, what: str, answer: Any) -> list[PartMarker]:
        try:
            said = ray.get(answer)
        except RayTaskError as error:
            raise unfit(error) from error
        except RayError as error:
            self._died(handle, what, error)
            return []
        if isinstance(said, EmojobError):
            raise said
        if what == "ready":
            handle.is_ready = True
        elif what == "rows":
            of, rows = said  # it may have been asked about the share before
            handle.rows = rows if handle.shard and of == handle.shard.place else 0
        elif what == "label":
            handle.shard, handle.rows = None, 0
            self.in_parts += sum(marker.counts.read for marker in said.markers)
            self.job.scorer.tally.add(said.tally)
            for stage, seconds in said.seconds.items():
                self.timer.add(stage, seconds / len(self.handles))
            return list(said.markers)
        return []

    def _died(self, handle: WorkerHandle, what: str, error: RayError) -> None:
        """Take a dead labeller's share from it. Ray starts it anew, here or elsewhere; till then it gets none."""
        if what == "ready":  # it cannot be started at all
            raise unfit(error) from error
        if handle.shard:
            shard, handle.shard = handle.shard, None
            self.deaths[shard.place] = self.deaths.get(shard.place, 0) + 1
            if self.deaths[shard.place] == _DEATHS:
                raise WorkerError(
                    f"{_DEATHS} labellers ended, one after the other, at the rows of {shard.source.file.name} from "
                    f"{shard.span.first_row:,} on ({_kind(error)}): see to the nodes' memory; the same command "
                    f"then goes on"
                ) from error
            self.waiting.append(shard)
        handle.is_ready, handle.rows = False, 0
        handle.awaited.clear()
        handle.ask("ready", self.cluster.setup, self.memo_snapshot)

    def _stopped(self) -> Iterator[PartMarker]:
        """Tell the labellers to stop, and wait till what they did is in parts."""
        for handle in self.handles:
            if handle.shard:
                handle.ask("stop")
        deadline = time.monotonic() + PATIENCE
        while any(handle.shard for handle in self.handles) and time.monotonic() < deadline:
            yield from self._heard()

    def _check(self, written: dict[str, int]) -> None:
        """Raise WorkerError where a part is not as its labeller left it.

        A node that is cut off is thought dead, but its labellers may write on, and put a part of other rows in the
        place of one that was complete.
        """
        found = list_files(self.folder, ())
        changed = [name for name, size in written.items() if found.get(name) != size]
        if changed:
            raise WorkerError(
                f"{first_of(changed, 'more parts')} were written again by a "
                f"node that had been cut off: the same command labels their rows anew"
            )

    def _collect_memos(self) -> None:
        """Take what the labellers remember where it is kept; one that does not answer soon is left out."""
        if self.job.memo is None:
            return
        answers = [handle.actor.memo.remote() for handle in self.handles if handle.is_ready]
        there, _ = ray.wait(answers, num_returns=len(answers), timeout=PATIENCE) if answers else ([], [])
        for answer in there:
            with contextlib.suppress(RayError):
                self.job.scorer.memo.merge(ray.get(answer))


def unfit(error: RayError) -> WorkerError:
    """The error for a node that cannot run what it is given."""
    returning_errors = WorkerError(
        f"a node of the cluster cannot run emojob ({_kind(error)}): install emojob {version('emojob')} with its "
        f"extra `ray` on every node"
    )
    returning_errors.add_note(str(error))
    return returning_errors


def _kind(error: RayError) -> str:
    """The kind of an error; of one in a task, that of its cause. Its message may hold dialogue."""
    cause = error.cause if isinstance(error, RayTaskError) else error
    return type(cause).__name__
