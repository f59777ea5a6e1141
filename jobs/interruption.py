"""Turns Ctrl-C and SIGTERM into a controlled stop of a run."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Protocol

from emojob.schemas.errors import Interrupted


class Stoppable(Protocol):
    """Interface of a run that can be stopped: `Stages` for scoring, `Stop` for training."""

    @property
    def started(self) -> bool:
        """Whether the run has started. Before the start, there are no results to keep."""

    @property
    def stopping(self) -> bool:
        """Whether a stop was requested."""

    def stop(self) -> None:
        """Request a stop."""


#: Ctrl-C, and the signal that schedulers send to end a process.
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_RESUME = "interrupted: to resume, run the same command again"


@contextlib.contextmanager
def call_on_signals(stop: Callable[[], None], numbers: tuple[int, ...] = _SIGNALS) -> Iterator[None]:
    """Call `stop` for each signal while the `with` block runs. `numbers` are the numbers of the signals."""

    def handle(number: int, frame: object) -> None:
        stop()

    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stop_on_signals(
    run: Stoppable, numbers: tuple[int, ...] = _SIGNALS, message: str = _RESUME
) -> contextlib.AbstractContextManager[None]:
    """Handle signals while the `with` block runs.

    - The first signal stops the run after the current batch.
    - A second signal, or a signal before the run starts, raises Interrupted immediately.

    Args:
        run: The run.
        numbers: Numbers of the signals.
        message: Message of the error.
    """

    def stop() -> None:
        if run.stopping or not run.started:
            raise Interrupted(message)
        run.stop()

    return call_on_signals(stop, numbers)


def stop_on_ctrl_c(run: Stoppable) -> contextlib.AbstractContextManager[None]:
    """Stop the run on Ctrl-C. Do nothing outside the main thread, or if the program has its own SIGINT handler.

    Args:
        run: The run.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        return stop_on_signals(run, (signal.SIGINT,))
    return contextlib.nullcontext()
