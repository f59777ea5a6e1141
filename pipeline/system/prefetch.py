"""Runs the stages of a pipeline concurrently. Each stage has a thread, which prepares a few items for its consumer."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import TypeVar

T = TypeVar("T")

_TICK = 0.1  # seconds between two checks of the stop flag, while a thread waits for a queue


class StopRequested(Exception):
    """Raised in a stage and in its consumer after `Stages.stop` was called."""


class Stages:
    """The threads of one run. `stop` stops all threads. `join` stops them, too, and waits until they have ended.

    An exception in a stage is raised again in the consumer of the stage, so it reaches the main thread.
    """

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._stop_requested = False  # `stop` sets it and `join` does not, so new stages can start after `join`
        self._threads: list[threading.Thread] = []
        self._is_marked = False

    @property
    def started(self) -> bool:
        """Whether a stage was started, or `mark_started` was called."""
        return self._is_marked or bool(self._threads)

    def mark_started(self) -> None:
        """Mark the run as started. A run that starts no stages here must call this and check `stopping`."""
        self._is_marked = True

    @property
    def stopping(self) -> bool:
        """Whether the stages must stop. Code that runs for a long time must check this regularly."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Stop all running stages and all stages that start later. Safe to call from a signal handler."""
        self._stop_requested = True
        self._stop.set()

    def join(self) -> None:
        """Stop the running stages and wait until their threads have ended."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        if not self._stop_requested:
            self._stop.clear()

    def prefetch(self, items: Iterator[T], depth: int = 2, tick: Callable[[], None] | None = None) -> Iterator[T]:
        """Iterate over `items` in a new thread, and yield them in order.

        Args:
            items: The items to yield. If `items` is a generator, it is closed at the end.
            depth: Maximum number of items that wait for the consumer.
            tick: Function that is called about ten times a second while no item is ready.

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
        """Put (True, item) into the queue for each item. At the end, put (False, None) or (False, exception)."""
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
        """Put an entry into a queue, and wait while the queue is full. Return False if the stages were stopped."""
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
        """Measure how long the `with` block runs, and add these seconds to the busy time of `stage`."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.add(stage, time.perf_counter() - started)

    def add(self, stage: str, seconds: float) -> None:
        """Add seconds to the busy time of a stage."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds

    def timed(self, stage: str, items: Iterator[T]) -> Iterator[T]:
        """Yield `items`. Measure how long each item takes, and add these seconds to the busy time of `stage`."""
        while True:
            with self.busy(stage):
                item = next(items, None)
            if item is None:
                return
            yield item
