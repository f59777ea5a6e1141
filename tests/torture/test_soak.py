"""From one nightly run to the next nothing grows: no memory, open files, threads or disk space."""

import statistics
from pathlib import Path

import pytest

from tests.torture.conftest import WHOLE
from tests.torture.soak import KEPT, nights

pytestmark = pytest.mark.slow

COUNT = 400 if WHOLE else 24


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_nothing_grows_from_one_nightly_run_to_the_next(tmp_path, tiny_model):
    used = list(nights(tmp_path, tiny_model, COUNT))
    settled = used[KEPT + 8 :]
    early, late = settled[: len(settled) // 3], settled[-len(settled) // 3 :]
    assert max(one.files for one in late) <= max(one.files for one in early)
    assert max(one.threads for one in late) <= max(one.threads for one in early)
    disk = [statistics.median(one.disk for one in some) for some in (early, late)]
    assert disk[1] <= 1.05 * disk[0], disk
    memory = [statistics.median(one.memory for one in some) for some in (early, late)]
    assert memory[1] <= memory[0] + (20 if WHOLE else 40), memory
    assert len((tmp_path / "nights.jsonl").read_text().splitlines()) == COUNT
