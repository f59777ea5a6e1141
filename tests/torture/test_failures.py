"""A failed file operation is reported in one line, nothing complete is lost, and the same command continues later."""

import itertools
import random

import pytest

from tests.torture.conftest import SEED, WHOLE
from tests.torture.faults import FULL, IO_ERROR, NAMES, NO_ACCESS, NO_SPACE, SHORT
from tests.torture.scenes import SCENES, inspect, rows, visible_rows

pytestmark = pytest.mark.slow

_KINDS = (NO_SPACE, IO_ERROR, NO_ACCESS, SHORT, FULL)
_SHARES = 8  # parts into which a scene's operations are divided; each part is one test
_FEW = 3  # operations of a part in the short form


def trials() -> list[tuple[str, int]]:
    """Return (scene, part of its operations): each operation of each scene, or a few operations of two scenes."""
    if WHOLE:
        return list(itertools.product(SCENES, range(_SHARES)))
    return [*(("score", share) for share in range(5)), ("forget", 0)]


@pytest.mark.parametrize(("name", "share"), trials())
def test_a_failed_file_operation_is_reported_and_loses_nothing(stage, name, share):
    scene = SCENES[name]
    wanted, operations = stage.undisturbed(scene)
    chosen = range(1 + share, operations + 1, _SHARES)
    if not WHOLE:
        chosen = sorted(random.Random(SEED).sample(chosen, _FEW))
    kinds = itertools.islice(itertools.cycle(_KINDS), SEED + share, None)  # another seed gives another fault
    for at, kind in zip(chosen, kinds, strict=False):
        where = f"{name}: {NAMES[kind]} at file operation {at} of {operations}"
        stage.set(scene)
        done = stage.play(scene, at, kind)
        assert done.code in (0, 1, 2), (where, done)
        lines = done.err.splitlines()
        assert all(line.startswith("emojob: ") for line in lines if name != "sql"), (where, done)
        assert "an internal error" not in done.err, (where, done)
        if done.code:
            assert lines, where
        for out in scene.outs:
            seen = visible_rows(stage.work / out)
            before = [rows(one) for one in (stage.before(scene) / out,) if one.exists()]
            expected = {row_id(row): row for some in (*before, wanted[f"{out}: rows"]) for row in some}
            assert all(expected.get(row_id(row)) == row for row in seen), where
            assert len({row_id(row) for row in seen}) == len(seen), where
        again = stage.play(scene)
        assert again.code in scene.codes_again, (where, done, again)
        assert inspect(stage.work, scene) == wanted, where


def row_id(row: dict) -> tuple:
    return row["conversation_id"], row["id"]
