"""What the torture shares. In `make test` each test is short; EMOJOB_TORTURE=1 (`make torture`) makes it whole, and
EMOJOB_TORTURE_SEED=N chooses other moments."""

import os
from collections.abc import Iterator

import pytest

from tests.torture.faults import why_not
from tests.torture.scenes import Stage

WHOLE = bool(os.environ.get("EMOJOB_TORTURE"))
SEED = int(os.environ.get("EMOJOB_TORTURE_SEED", "7"))


@pytest.fixture(scope="session")
def stage(make_model, tmp_path_factory) -> Iterator[Stage]:
    """Where scenes are played, with a fault in the middle of them."""
    if why_not():
        pytest.skip(why_not())
    made = Stage(tmp_path_factory.mktemp("stage"), make_model(initializer_range=0.4))
    yield made
    made.end()
