"""Stages run ahead by their depth at most, pass on errors unchanged, and end when stopped."""

import threading

import pytest

from emojob.pipeline.system.prefetch import Stages, StopRequested


@pytest.fixture
def stage_threads():
    """A function that returns the threads of stages that were started in this test, and not in an earlier one."""
    before = set(threading.enumerate())
    return lambda: [one.name for one in threading.enumerate() if one.name == "emojob-stage" and one not in before]


def test_items_come_in_order_through_several_stages(stage_threads):
    stages = Stages()
    doubled = (2 * i for i in stages.prefetch(iter(range(100))))
    assert list(stages.prefetch(doubled)) == [2 * i for i in range(100)]
    stages.join()
    assert not stage_threads()


def test_a_stage_runs_ahead_by_its_depth_at_most():
    made, taken = [], threading.Event()

    def count():
        for i in range(100):
            made.append(i)
            if len(made) >= 4:
                taken.set()
            yield i

    stages = Stages()
    items = stages.prefetch(count(), depth=2)
    next(items)
    assert taken.wait(5)  # one item was consumed, two wait in the queue, one is in the thread
    assert len(made) == 4
    stages.join()


def test_an_error_reaches_the_consumer_unchanged(stage_threads):
    def fail():
        yield 1
        raise ValueError("the real message")

    stages = Stages()
    with pytest.raises(ValueError, match="the real message"):
        list(stages.prefetch(stages.prefetch(fail())))
    stages.join()
    assert not stage_threads()


def test_stop_ends_waiting_and_working_stages(stage_threads):
    def forever():
        i = 0
        while True:
            yield (i := i + 1)

    stages = Stages()
    items = stages.prefetch(stages.prefetch(forever()))
    next(items)
    stages.stop()
    with pytest.raises(StopRequested):
        for _ in items:
            pass
    stages.join()
    assert not stage_threads()
