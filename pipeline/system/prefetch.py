"""Stages that overlap: each runs in a thread of its own, some items ahead of the one that takes from it."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import TypeVar

T = TypeVar("T")

_TICK = 0.1  # seconds between looks at whether to stop


class StopRequested(Exception):
    """The run was told to stop."""


class Stages:
    """The threads of one run, stopped and joined together.

    An exception in a stage is raised, as it is, in the one that takes from it, and so reaches the main thread.
    """

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._is_told = False  # to stop; join alone ends what runs, and other stages may follow
        self._threads: list[threading.Thread] = []
        self._is_begun = False

    @property
    def started(self) -> bool:
        """Whether a stage has begun to work."""
        return self._is_begun or bool(self._threads)

    def begin(self) -> None:
        """Say that work has begun which has no thread of its own here, and looks at `stopping`."""
        self._is_begun = True

    @property
    def stopping(self) -> bool:
        """Whether the stages were told to stop; a long step looks at it in between."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Tell every stage to stop, and those that follow; may be called from a signal handler."""
        self._is_told = True
        self._stop.set()

    def join(self) -> None:
        """End the stages, and wait until every thread has ended."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        if not self._is_told:
            self._stop.clear()

    def prefetch(self, items: Iterator[T], depth: int = 2, tick: Callable[[], None] | None = None) -> Iterator[T]:
        """Iterate over `items` in a thread, at most `depth` items ahead.

        tick: called about ten times a second while waiting. Raises Stopped after `stop`.
        """
        ready: queue.Queue[tuple[bool, T | BaseException | None]] = queue.Queue(depth)

        def put(entry: tuple[bool, T | BaseException | None]) -> bool:
            while not self.stopping:
                try:
                    ready.put(entry, timeout=_TICK)
                    return True
                except queue.Full:
                    continue
            return False

        def work() -> None:
            try:
                for item in items:
                    if not put((True, item)):
                        return
                put((False, None))
            except BaseException as error:
                put((False, error))
            finally:
                if isinstance(items, Generator):
                    items.close()  # what it holds open is to end with the run

        thread = threading.Thread(target=work, name="emojob-stage", daemon=True)
        self._threads.append(thread)
        thread.start()
        while True:
            try:
                good, item = ready.get(timeout=_TICK)
            except queue.Empty:
                if self.stopping:
                    raise StopRequested from None
                if tick:
                    tick()
                continue
            if isinstance(item, BaseException):
                raise item
            if not good:
                return
            yield item  # type: ignore[misc]


class StageTimer:
    """Seconds that a stage was busy, added up over a run."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def busy(self, stage: str) -> Iterator[None]:
        """Count the time within as the stage's."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.add(stage, time.perf_counter() - begun)

    def add(self, stage: str, seconds: float) -> None:
        """Count seconds as the stage's."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds

    def timed(self, stage: str, items: Iterator[T]) -> Iterator[T]:
        """Iterate over `items`, and count the time that each took to come as the stage's."""
        while True:
            with self.busy(stage):
                item = next(items, None)
            if item is None:
                return
            yield item
