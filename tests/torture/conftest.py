"""Fixtures and settings of the torture tests.

`make test-slow` runs a short form of each test. EMOJOB_TORTURE=1 (`make torture`) runs the full form.
EMOJOB_TORTURE_SEED=N selects other moments and other damage.
"""

import os
from collections.abc import Iterator

import pytest

from tests.torture.faults import missing_tool
from tests.torture.scenes import Stage

WHOLE = bool(os.environ.get("EMOJOB_TORTURE"))
SEED = int(os.environ.get("EMOJOB_TORTURE_SEED", "7"))


@pytest.fixture(scope="session")
def stage(make_model, tmp_path_factory) -> Iterator[Stage]:
    """The folder in which commands run, with or without a fault."""
    if missing_tool():
        pytest.skip(missing_tool())
    started = Stage(tmp_path_factory.mktemp("stage"), make_model(initializer_range=0.4))
    yield started
    started.end()
