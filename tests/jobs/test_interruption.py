"""Ctrl-C and SIGTERM: the first one stops a run that has started, each other one ends the command at once."""

import signal
from dataclasses import dataclass

import pytest

from emojob.jobs.interruption import stop_on_signals
from emojob.schemas.errors import Interrupted


@dataclass
class Run:
    started: bool = True
    stopping: bool = False

    def stop(self) -> None:
        self.stopping = True


SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


@SIGNALS
def test_the_first_signal_stops_a_run_and_the_second_one_ends_the_command(number):
    run, before = Run(), signal.getsignal(number)
    with pytest.raises(Interrupted, match="saved"), stop_on_signals(run, message="saved"):  # noqa: PT012 - two signals
        signal.raise_signal(number)
        assert run.stopping
        signal.raise_signal(number)
    assert signal.getsignal(number) == before


@SIGNALS
def test_a_signal_before_the_start_ends_the_command(number):
    run = Run(started=False)
    with pytest.raises(Interrupted, match="run the same command again"), stop_on_signals(run):
        signal.raise_signal(number)
    assert not run.stopping
