"""A job on a Ray cluster: shares of rows, labelled by actors on its nodes, one a GPU or one some cores.

Ray starts the actors, places them, and starts them anew elsewhere where a process or a node dies. This process looks
(in tasks on the nodes), plans, hands out shares, takes completion markers; no row passes through it. The share of an
actor that dies is handed to another, which goes on behind the parts that were complete.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import re
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import ray
from numpy.typing import NDArray
from ray.exceptions import RayError, RayTaskError

from pipeline import model
from pipeline.archive import Archive, Look, look_at
from pipeline.batching import Layout, Packed
from pipeline.encoded import Encoded
from pipeline.engine import Choice
from pipeline.inputs import InputFile
from pipeline.job import Job
from pipeline.labeller import Labeller, Remembered, Shipment, Work, add_tally, ship, told
from pipeline.scorer import Scorer, settled
from pipeline.shares import Share, shares, undivided
from pipeline.stages import Clock, Stages, Stopped
from pipeline.windows import BORDER_ROWS
from schemas.errors import EmojobError, OptionError, WorkerError
from schemas.manifest import PartMarker
from schemas.options import ModelOptions

T = TypeVar("T")

_CORES = 4  # of a labeller without a GPU, where nodes have so many
_TICK = 0.5  # seconds between looks at how far the labellers are
_GROWTH = 10.0  # seconds between looks at whether the cluster has room for more of them
_PATIENCE = 60.0  # seconds that labellers have to write what they did when they are told to stop
_LONGEST_WAIT = 1800.0  # seconds in which no labeller is ready before the job is given up
_DEATHS = 4  # labellers that one share may cost before the job is given up
_LOOKS = 4  # files looked at at the same time, for each core of the cluster


@contextlib.contextmanager
def connected(address: str | None, cores: int | None) -> Iterator[Cluster]:
    """A cluster: that at an address, or at RAY_ADDRESS, or else one of this machine alone, which ends with it.

    cores: of each labeller on nodes without a GPU. Raises OptionError where no cluster answers.
    """
    with contextlib.nullcontext() if ray.is_initialized() else _joined(address):  # somebody else's, as in a notebook
        cluster = Cluster(cores)
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
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
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

    def __init__(self, choice: Choice) -> None:
        self.choice = choice

    def run(self, batches: Iterable[Packed]) -> Iterator[NDArray[np.float32]]:
        raise NotImplementedError("it runs on the cluster")


class Cluster:
    """The nodes of the cluster that this process is connected to."""

    name: str | None = "ray"

    def __init__(self, cores: int | None) -> None:
        self._wanted_cores = cores
        self.shipment: Shipment | None = None
        self.actors: list[Any] = []  # that are there, but have nothing to do yet
        self.note: Callable[[str], None] = lambda text: None

    def load(self, options: ModelOptions, is_large: bool, note: Callable[[str], None]) -> Scorer:
        """As `Workplace` says. The engine is chosen on a node, once, so that all labellers have the same."""
        loaded = model.load(options.model)
        options = settled(self._with_device(options), loaded)
        files, digest = ship(loaded.folder)
        shipment = Shipment(_Stored(files), digest, options, self._threads(options.device), version("emojob"))
        if not self._room(options.device):
            raise OptionError(
                f"no node of the cluster has {self._cores()} cores free for a labeller: give fewer as --ray-cores"
            )
        self.note = note
        note("asking the cluster which engine suits the model")
        self.actors = [self.labeller(options.device) for _ in range(self._room(options.device) if is_large else 1)]
        choice, batch_tokens = self._chosen(shipment, is_large)
        same = replace(options, device=choice.device, engine=choice.engine, precision=choice.precision)
        self.shipment = replace(shipment, options=same)
        return Scorer(loaded, _Elsewhere(choice), replace(options, batch_tokens=batch_tokens))

    def _chosen(self, shipment: Shipment, is_large: bool) -> tuple[Choice, int]:
        """What one of the labellers says of the engine; another is asked where one does not answer for long."""
        answers: list[Any] = []
        there: list[Any] = []
        while not there:
            if len(answers) < len(self.actors):
                choose = self.actors[len(answers)].choose.options(max_task_retries=-1)
                answers.append(choose.remote(shipment, is_large))
            there, _ = ray.wait(answers, num_returns=1, timeout=2 * _PATIENCE)
        try:
            chosen: tuple[Choice, int] | EmojobError = ray.get(there[0])
        except RayError as error:
            raise _unfit(error) from error
        if isinstance(chosen, EmojobError):
            raise chosen
        return chosen

    def look(self, files: Sequence[InputFile], encoding: str) -> Iterator[Look]:
        """As `Workplace` says; in tasks on the nodes, the results in the files' order."""
        task = ray.remote(_look).options(num_cpus=0, scheduling_strategy="SPREAD")
        most = max(1, int(_LOOKS * sum(node.get("CPU", 0) for node in self._nodes())))
        waiting: deque[Any] = deque()
        for file in [*files, None]:
            while waiting and (file is None or len(waiting) >= most):
                found = ray.get(waiting.popleft())
                if isinstance(found, EmojobError):
                    raise found
                yield found
            if file is not None:
                waiting.append(task.remote(file, encoding))

    def processes(self, choice: Choice, is_large: bool) -> int:
        """As `Workplace` says: what the cluster has room for now."""
        return max(1, self._room(choice.device))

    def rate(self, scorer: Scorer, encoded: Encoded, seconds: float) -> float:
        """As `Workplace` says: what was measured on a node as the engine was chosen."""
        return scorer.choice.tokens_per_second or 0.0

    def parts(
        self, job: Job, folder: Path, stages: Stages, clock: Clock, added: Callable[[int], None]
    ) -> Iterator[PartMarker]:
        """As `Workplace` says. Raises WorkerError where a share ends labeller after labeller."""
        return _Labelling(self, job, folder, stages, clock, added).parts()

    def labeller(self, device: str) -> Any:
        """A new actor; it is there at once, and at work when Ray finds room for it."""
        settings: dict[str, Any] = {"max_restarts": -1, "concurrency_groups": {"aside": 2}, **self._resources(device)}
        kind: Any = ray.remote(**settings)(Labeller)
        return kind.remote()

    def leave(self) -> None:
        """End labellers that were started and had nothing to do."""
        for actor in self.actors:
            ray.kill(actor)

    def room(self, device: str) -> int:
        """For how many labellers the cluster has nodes, whoever else is on them."""
        return self._room(device)

    # -- what the cluster has ----------------------------------------------------------------------------------

    def _with_device(self, options: ModelOptions) -> ModelOptions:
        """The options with the device settled: GPUs where there are any. Raises OptionError where there are none."""
        has_gpus = self._room("cuda") > 0
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
        shares = [node.get("CPU", 0) // node["GPU"] for node in self._nodes() if node.get("GPU", 0) >= 1]
        return {"num_cpus": max(0, min([_CORES, *shares])), "num_gpus": 1}

    def _room(self, device: str) -> int:
        kind, each = ("GPU", 1) if device == "cuda" else ("CPU", self._cores())
        return sum(int(node.get(kind, 0) // each) for node in self._nodes())


class _Stored(Generic[T]):
    """Something in the cluster's store, as long as this is kept here; called on a node it comes there."""

    def __init__(self, value: T) -> None:
        self._reference = ray.put(value)

    def __call__(self) -> T:
        value: T = ray.get(self._reference)
        return value


def _look(file: InputFile, encoding: str) -> Look | EmojobError:
    return told(lambda: look_at(file, encoding, apart=True))


class _Hand:
    """A labeller as this process sees it. share: that it has; rows: of it that it has labelled."""

    def __init__(self, actor: Any) -> None:
        self.actor = actor
        self.is_ready = False
        self.share: Share | None = None
        self.rows = 0
        self.next_look = 0.0
        self.awaited: dict[Any, str] = {}  # what was asked of it, and not answered yet

    def ask(self, what: str, *given: Any) -> None:
        """Call a method; the answer comes with `ray.wait`."""
        options = {"ready": {"max_task_retries": -1}, "label": {}}.get(what, {"concurrency_group": "aside"})
        self.awaited[getattr(self.actor, what).options(**options).remote(*given)] = what


class _Labelling:
    """A job under way."""

    def __init__(
        self, cluster: Cluster, job: Job, folder: Path, stages: Stages, clock: Clock, added: Callable[[int], None]
    ) -> None:
        self.cluster, self.job, self.folder = cluster, job, folder
        self.stages, self.clock, self.added = stages, clock, added
        self.device = job.scorer.choice.device
        archive, rate = job.archive, job.scorer.choice.tokens_per_second
        bare = Archive([], archive.schema, archive.text_column, archive.conversation_column)
        self.work = ray.put(Work(bare, folder, job.schema, rate))
        memo = job.scorer.memo
        self.remembered = _Stored(Remembered(memo.multipliers, memo.contents()))
        self.hands: list[_Hand] = []
        self.waiting: deque[Share] = deque()  # shares that one could not finish, or that comes next
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
        labellers = max(1, self.cluster.room(self.device))
        self.most = rows // BORDER_ROWS + len(job.archive.sources)  # labellers that there is work for
        for line in undivided(job.archive):
            self.cluster.note(line)
        todo = shares(job.archive, job.standings, job.options.limit, rows, labellers)
        self.stages.begin()
        written: dict[str, int] = {}
        try:
            while True:
                self._grow()
                self._hand_out(todo)
                if not self._has_more(todo) and not any(hand.share for hand in self.hands):
                    break
                for marker in self._heard():
                    written[marker.part] = marker.part_bytes
                    yield marker
                if self.stages.stopping:
                    yield from self._stopped()
                    raise Stopped
            self._check(written)
            self._collect_memos()
        finally:
            for hand in self.hands:
                ray.kill(hand.actor)

    def _grow(self) -> None:
        """Start as many labellers as there is room and work for; a cluster may have grown."""
        if time.monotonic() < self.next_growth:
            return
        self.next_growth = time.monotonic() + _GROWTH
        if any(hand.is_ready for hand in self.hands):
            self.idle_since = None
        elif self.idle_since is None:
            self.idle_since = time.monotonic()
        self._wait_for(time.monotonic() - self.idle_since if self.idle_since else 0.0)
        while len(self.hands) < min(max(1, self.cluster.room(self.device)), self.most):
            spare = self.cluster.actors
            hand = _Hand(spare.pop(0) if spare else self.cluster.labeller(self.device))
            hand.ask("ready", self.cluster.shipment, self.remembered)
            self.hands.append(hand)

    def _wait_for(self, seconds: float) -> None:
        """Say once that no labeller is ready, which may be right on a busy cluster, and give up at last."""
        if seconds > _LONGEST_WAIT:
            raise WorkerError(
                f"no labeller was ready for {_LONGEST_WAIT:,.0f} seconds: see `ray status` for room, and Ray's logs "
                "for labellers that die as they start; the same command then goes on"
            )
        if seconds > _PATIENCE and not self.has_waited:
            self.has_waited = True
            self.cluster.note("no labeller is ready yet: the cluster has no room, or they die as they start; waiting")

    def _hand_out(self, todo: Iterator[Share]) -> None:
        """Give a share to each labeller that has none, as soon as it is ready."""
        now = time.monotonic()
        for hand in [hand for hand in self.hands if hand.is_ready]:
            if hand.share and now >= hand.next_look and "rows" not in hand.awaited.values():
                hand.ask("rows")
                hand.next_look = now + _TICK
            if not hand.share and self._has_more(todo):
                hand.share = self.waiting.popleft()
                hand.ask("label", self.work, hand.share)

    def _has_more(self, todo: Iterator[Share]) -> bool:
        """Whether a share waits for a labeller."""
        if not self.waiting:
            self.waiting.extend(itertools.islice(todo, 1))
        return bool(self.waiting)

    def _heard(self) -> Iterator[PartMarker]:
        """What labellers say within a moment. Raises their errors."""
        by_answer = {answer: hand for hand in self.hands for answer in hand.awaited}
        answers, _ = ray.wait(list(by_answer), num_returns=1, timeout=_TICK)
        for answer in answers:
            hand = by_answer[answer]
            what = hand.awaited.pop(answer, None)  # None: asked of one that has died since
            if what is not None:
                yield from self._take(hand, what, answer)
        rows = self.in_parts + sum(hand.rows for hand in self.hands)
        self.added(rows - self.shown)
        self.shown = rows

    def _take(self, hand: _Hand, what: str, answer: Any) -> list[PartMarker]:
        try:
            said = ray.get(answer)
        except RayTaskError as error:
            raise _unfit(error) from error
        except RayError as error:
            self._died(hand, what, error)
            return []
        if isinstance(said, EmojobError):
            raise said
        if what == "ready":
            hand.is_ready = True
        elif what == "rows":
            of, rows = said  # it may have been asked about the share before
            hand.rows = rows if hand.share and of == hand.share.place else 0
        elif what == "label":
            hand.share, hand.rows = None, 0
            self.in_parts += sum(marker.counts.read for marker in said.markers)
            add_tally(self.job.scorer.tally, said.tally)
            for stage, seconds in said.seconds.items():
                self.clock.add(stage, seconds / len(self.hands))
            return list(said.markers)
        return []

    def _died(self, hand: _Hand, what: str, error: RayError) -> None:
        """Take a dead labeller's share from it. Ray starts it anew, here or elsewhere; till then it gets none."""
        if what == "ready":  # it cannot be started at all
            raise _unfit(error) from error
        if hand.share:
            share, hand.share = hand.share, None
            self.deaths[share.place] = self.deaths.get(share.place, 0) + 1
            if self.deaths[share.place] == _DEATHS:
                raise WorkerError(
                    f"{_DEATHS} labellers ended, one after the other, at the rows of {share.source.file.name} from "
                    f"{share.span.first_row:,} on ({_kind(error)}): see to the nodes' memory; the same command "
                    f"then goes on"
                ) from error
            self.waiting.append(share)
        hand.is_ready, hand.rows = False, 0
        hand.awaited.clear()
        hand.ask("ready", self.cluster.shipment, self.remembered)

    def _stopped(self) -> Iterator[PartMarker]:
        """Tell the labellers to stop, and wait till what they did is in parts."""
        for hand in self.hands:
            if hand.share:
                hand.ask("stop")
        deadline = time.monotonic() + _PATIENCE
        while any(hand.share for hand in self.hands) and time.monotonic() < deadline:
            yield from self._heard()

    def _check(self, written: dict[str, int]) -> None:
        """Raise WorkerError where a part is not as its labeller left it.

        A node that is cut off is thought dead, but its labellers may write on, and put a part of other rows in the
        place of one that was complete.
        """
        found = {file.name: file.stat().st_size for file in self.folder.glob("part-*.parquet")}
        changed = [name for name, size in written.items() if found.get(name) != size]
        if changed:
            raise WorkerError(
                f"{changed[0]}{f' and {len(changed) - 1:,} more parts' * (len(changed) > 1)} were written again by a "
                f"node that had been cut off: the same command labels their rows anew"
            )

    def _collect_memos(self) -> None:
        """Take what the labellers remember where it is kept; one that does not answer soon is left out."""
        if self.job.memo is None:
            return
        answers = [hand.actor.memo.remote() for hand in self.hands if hand.is_ready]
        there, _ = ray.wait(answers, num_returns=len(answers), timeout=_PATIENCE) if answers else ([], [])
        for answer in there:
            with contextlib.suppress(RayError):
                self.job.scorer.memo.merge(ray.get(answer))


def _unfit(error: RayError) -> WorkerError:
    """The error for a node that cannot run what it is given."""
    told = WorkerError(
        f"a node of the cluster cannot run emojob ({_kind(error)}): install emojob {version('emojob')} with its "
        f"extra `ray` on every node"
    )
    told.add_note(str(error))
    return told


def _kind(error: RayError) -> str:
    """The kind of an error; of one in a task, that of its cause. Its message may hold dialogue."""
    cause = error.cause if isinstance(error, RayTaskError) else error
    return type(cause).__name__
