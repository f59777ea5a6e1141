"""Runs the stages of a pipeline in concurrent threads. A stage works at most a few items ahead of the next stage."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import TypeVar

T = TypeVar("T")

_TICK = 0.1  # seconds between two checks of the stop flag while a thread waits


class StopRequested(Exception):
    """Raised after `Stages.stop` was called, to end the run."""


class Stages:
    """The threads of one run. Each thread runs one stage of the run, for example reading.

    If a stage raises an exception, the exception is raised again in the next stage, and finally in the main thread.
    """

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._stop_requested = False  # set by `stop`, not by `join`: after `join`, new stages can start
        self._threads: list[threading.Thread] = []
        self._is_marked = False

    @property
    def started(self) -> bool:
        """Whether the run has started: a stage was started, or `mark_started` was called."""
        return self._is_marked or bool(self._threads)

    def mark_started(self) -> None:
        """Mark a run without stages as started, for example a run on Ray. The run must check `stopping` regularly."""
        self._is_marked = True

    @property
    def stopping(self) -> bool:
        """Whether the stages must stop. Long loops must check this property regularly."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Stop all stages, including stages that start later. Signal handlers can call this method."""
        self._stop_requested = True
        self._stop.set()

    def join(self) -> None:
        """Stop the running stages, and wait until all threads have ended."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        if not self._stop_requested:
            self._stop.clear()

    def prefetch(self, items: Iterator[T], depth: int = 2, tick: Callable[[], None] | None = None) -> Iterator[T]:
        """Iterate over `items` in a new thread, and yield the items in order.

        Args:
            items: The items to yield. If `items` is a generator, it is closed at the end.
            depth: Maximum number of items that are prepared in advance.
            tick: Function to call about ten times a second while no item is ready.

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
        """Put (True, item) into the queue for each item. Then put (False, None), or (False, error) after an error."""
        try:
            for item in items:
                if not self._put(ready, (True, item)):
                    return
            self._put(ready, (False, None))
        except BaseException as error:
            self._put(ready, (False, error))
        finally:
            if isinstance(items, Generator):
                items.close()  # close the files that the generator opened

    def _put(
        self, ready: queue.Queue[tuple[bool, T | BaseException | None]], entry: tuple[bool, T | BaseException | None]
    ) -> bool:
        """Put an entry into a queue. Wait while the queue is full. Return False if the stages were stopped."""
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
        """Add the duration of the `with` block to the busy time of `stage`."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.add(stage, time.perf_counter() - started)

    def add(self, stage: str, seconds: float) -> None:
        """Add seconds to the busy time of a stage."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds

    def timed(self, stage: str, items: Iterator[T]) -> Iterator[T]:
        """Yield `items`. Add the time that `items` needs for each item to the busy time of `stage`."""
        while True:
            with self.busy(stage):
                item = next(items, None)
            if item is None:
                return
            yield item
