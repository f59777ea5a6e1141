"""Rounds run in turns, and warnings are shown if speeds vary, overlap, or if other programs use the machine."""

import itertools

import pytest

from emojob.pipeline.benchmark import rounds
from emojob.pipeline.benchmark.rounds import Spread, busy_warning, in_turns, warnings_about


def test_rounds_run_in_turns():
    order, numbers = [], itertools.count(1)

    def measured(name):
        order.append(name)
        return float(next(numbers))

    found = in_turns({name: lambda name=name: measured(name) for name in "abc"}, 3)
    assert order == list("abcabcabc")
    assert found["b"] == Spread((2.0, 5.0, 8.0))
    assert (found["b"].median, found["b"].low, found["b"].high) == (5.0, 2.0, 8.0)


def test_a_spread_keeps_all_rounds_in_json():
    found = Spread((3.0, 1.0, 2.0)).as_json("rows_per_second")
    assert found == {"rows_per_second": 2.0, "lowest": 1.0, "highest": 3.0, "rounds": [3.0, 1.0, 2.0]}


def test_speeds_that_vary_or_overlap_have_warnings():
    steady, slower, close = Spread((100.0, 101.0, 99.0)), Spread((50.0, 51.0)), Spread((98.0, 99.5))
    assert warnings_about({"emojob": steady, "slow": slower}) == []
    [line] = warnings_about({"emojob": steady, "close": close})
    assert line == "emojob and close cannot be told apart: their speeds overlap"
    [line] = warnings_about({"emojob": steady, "slow": Spread((40.0, 50.0, 60.0))})
    assert line.startswith("between the rounds, these speeds varied by up to 40%: slow; stop other programs")
    assert warnings_about({"emojob": steady}) == []


@pytest.mark.parametrize(
    ("ours", "busy", "warned"), [(2, 0.1, False), (2, 1.0, True), (2, 2.0, True), (1, 0.9, False), (1, 1.9, True)]
)
def test_other_programs_on_the_same_cores_have_a_warning(monkeypatch, ours, busy, warned):
    """The machine has 2 cores; other programs use `busy` of them; this process may use `ours`."""
    times = iter([(0.0, 0.0), (200.0, 200.0 - 100.0 * busy)])
    monkeypatch.setattr(rounds, "_processor_times", lambda: next(times))
    monkeypatch.setattr(rounds, "_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(rounds.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(rounds.hardware, "cores", lambda: ours)
    warning = busy_warning()
    assert (warning is not None) == warned
    if warning:
        assert f"other programs use about {busy:.1f} of 2 cores" in warning


def test_an_unknown_load_has_no_warning(monkeypatch):
    monkeypatch.setattr(rounds, "_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(rounds, "_processor_times", lambda: None)
    assert busy_warning() is None
