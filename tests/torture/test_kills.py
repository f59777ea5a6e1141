"""A command that is killed at any moment and run again gives the result of an undisturbed run."""

import random

import pytest

from tests.torture.conftest import SEED, WHOLE
from tests.torture.faults import INT, KILL, NAMES, TERM
from tests.torture.scenes import SCENES, inspect

pytestmark = pytest.mark.slow

_WEIGHTS = {"score": 5, "one file": 4, "nightly": 4, "forget": 4, "train": 3}
_QUICK = ("score", "one file", "forget", "sql", "sample")
MOMENTS = 100 if WHOLE else 6


def moments() -> list[tuple[str, int, float, float | None]]:
    """Return (scene, signal, share of the operations before it, share before a second signal or None)."""
    chosen = random.Random(SEED)
    names = list(SCENES) if WHOLE else list(_QUICK)
    found = []
    for i in range(MOMENTS):
        scene = names[i] if i < len(names) else None
        scene = scene or chosen.choices(names, [_WEIGHTS.get(name, 1) for name in names])[0]
        kind = chosen.choice((KILL, KILL, TERM, INT))
        found.append((scene, kind, chosen.random(), chosen.random() if chosen.random() < 0.5 else None))
    return found


@pytest.mark.parametrize(("name", "kind", "first", "second"), moments())
def test_a_command_killed_anywhere_and_run_again_gives_the_same_result(stage, name, kind, first, second):
    scene = SCENES[name]
    wanted, operations = stage.undisturbed(scene)
    stage.set(scene)
    for share in (first, second):
        if share is not None:
            at = 1 + int(share * operations)
            done = stage.play(scene, at, kind)
            where = f"{NAMES[kind]} at file operation {at} of {operations}"
            assert done.code in ((-9, 0) if kind == KILL else (130, 0, -15, -2)), (where, done)
            assert "Traceback" not in done.err, (where, done)
    done = stage.play(scene)
    assert done.code == 0, (where, done)
    assert inspect(stage.work, scene) == wanted, where
