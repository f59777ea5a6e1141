"""Runs pipeline stages that overlap: each stage runs in its own thread, a few items ahead of its consumer."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import TypeVar

T = TypeVar("T")

_TICK = 0.1  # seconds between checks of the stop flag


class StopRequested(Exception):
    """Raised in a stage and in its consumer after `Stages.stop` was called."""


class Stages:
    """The threads of one run, which stop and join together.

    An exception in a stage is raised unchanged in the consumer of the stage. So it reaches the main thread.
    """

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._stop_requested = False  # set by `stop` only; after `join`, new stages may start
        self._threads: list[threading.Thread] = []
        self._is_marked = False

    @property
    def started(self) -> bool:
        """Whether a stage has started."""
        return self._is_marked or bool(self._threads)

    def mark_started(self) -> None:
        """Mark the run as started although its work runs outside these threads; that work must check `stopping`."""
        self._is_marked = True

    @property
    def stopping(self) -> bool:
        """Whether the stages must stop. A long step checks it regularly."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Stop all running stages and all stages that start later. Safe to call from a signal handler."""
        self._stop_requested = True
        self._stop.set()

    def join(self) -> None:
        """End the running stages and wait for their threads."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        if not self._stop_requested:
            self._stop.clear()

    def prefetch(self, items: Iterator[T], depth: int = 2, tick: Callable[[], None] | None = None) -> Iterator[T]:
        """Iterate over `items` in a new thread and yield them in order.

        Args:
            items: The items to yield; a generator is closed at the end.
            depth: Maximum number of items that the thread produces ahead of the consumer.
            tick: Called about ten times a second while waiting for an item.

        Raises:
            StopRequested: `stop` was called.
        """
        ready: queue.Queue[tuple[bool, T | BaseException | None]] = queue.Queue(depth)
        thread = threading.Thread(target=self._produce, args=(items, ready), name="emojob-stage", daemon=True)
        self._threads.append(thread)
        thread.start()
        while True:
            try:
                is_item, item = ready.get(timeout=_TICK)
            except queue.Empty:
                if self.stopping:
                    raise StopRequested from None
                if tick:
                    tick()
                continue
            if isinstance(item, BaseException):
                raise item
            if not is_item:
                return
            yield item  # type: ignore[misc]

    def _produce(self, items: Iterator[T], ready: queue.Queue[tuple[bool, T | BaseException | None]]) -> None:
        """Put (True, item) for each item, then (False, None), or (False, exception) if an item fails."""
        try:
            for item in items:
                if not self._put(ready, (True, item)):
                    return
            self._put(ready, (False, None))
        except BaseException as error:
            self._put(ready, (False, error))
        finally:
            if isinstance(items, Generator):
                items.close()  # closes files that the generator opened

    def _put(
        self, ready: queue.Queue[tuple[bool, T | BaseException | None]], entry: tuple[bool, T | BaseException | None]
    ) -> bool:
        """Put an entry into a queue that may be full; return False if the stages stop first."""
        while not self.stopping:
            try:
                ready.put(entry, timeout=_TICK)
                return True
            except queue.Full:
                continue
        return False


class StageTimer:
    """Measures how many seconds each stage of a run is busy."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def busy(self, stage: str) -> Iterator[None]:
        """Add the time spent in the context to the busy time of a stage."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.add(stage, time.perf_counter() - started)

    def add(self, stage: str, seconds: float) -> None:
        """Add seconds to the busy time of a stage."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds

    def timed(self, stage: str, items: Iterator[T]) -> Iterator[T]:
        """Yield `items`, and add the time to produce each item to the busy time of a stage."""
        while True:
            with self.busy(stage):
                item = next(items, None)
            if item is None:
                return
            yield item
