"""A file operation that fails is told in one line, costs nothing that was complete, and the same command goes on."""

import random

import pytest

from tests.torture.conftest import SEED, WHOLE
from tests.torture.faults import FULL, IO_ERROR, NAMES, NO_ACCESS, NO_SPACE, SHORT
from tests.torture.scenes import SCENES, look, rows, visible_rows

_EACH = 3  # operations of a scene and a fault in the short form
_KINDS = (NO_SPACE, IO_ERROR, NO_ACCESS, SHORT, FULL)


def trials() -> list[tuple[str, int]]:
    """(scene, fault): all of them, or for the short form one fault for each scene and all for the main one."""
    if WHOLE:
        return [(name, kind) for name in SCENES for kind in _KINDS]
    return [("score", kind) for kind in _KINDS] + [("forget", NO_SPACE)]


@pytest.mark.parametrize(("name", "kind"), trials())
def test_a_file_operation_that_fails_is_told_and_loses_nothing(stage, name, kind):
    scene = SCENES[name]
    wanted, operations = stage.undisturbed(scene)
    every = range(1, operations + 1)
    for at in every if WHOLE else sorted(random.Random(SEED + kind).sample(every, _EACH)):
        where = f"{name}: {NAMES[kind]} at file operation {at} of {operations}"
        stage.set(scene)
        done = stage.play(scene, at, kind)
        assert done.code in (0, 1, 2), (where, done)
        said = done.err.splitlines()
        assert all(line.startswith("emojob: ") for line in said if name != "sql"), (where, done)
        assert "a fault of emojob's own" not in done.err, (where, done)
        if done.code:
            assert said, where
        for out in scene.outs:
            seen = visible_rows(stage.work / out)
            there = [rows(one) for one in (stage.before(scene) / out,) if one.exists()]
            right = {row_id(row): row for some in (*there, wanted[f"{out}: rows"]) for row in some}
            assert all(right.get(row_id(row)) == row for row in seen), where
            assert len({row_id(row) for row in seen}) == len(seen), where
        again = stage.play(scene)
        assert again.code == 0, (where, done, again)
        assert look(stage.work, scene) == wanted, where


def row_id(row: dict) -> tuple:
    return row["conversation_id"], row["id"]
