"""A command that is killed at any moment and run again gives the result of an undisturbed run."""

import json
import random

import pytest

from tests.torture.conftest import SEED, WHOLE
from tests.torture.faults import INT, KILL, NAMES, TERM
from tests.torture.scenes import NEXT_NIGHT, SCENES, WITHOUT_DATES, inspect

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
    assert done.code in scene.codes_again, (where, done)
    assert inspect(stage.work, scene) == wanted, where


@pytest.mark.parametrize("share", [i / 20 + 0.02 for i in range(20)] if WHOLE else [0.5, 0.8])
def test_the_files_of_a_killed_night_keep_their_day(stage, share):
    """Without {date}, a file belongs to the night that found it, also if the next night labels the rest of it."""
    _, operations = stage.undisturbed(WITHOUT_DATES)
    stage.set(WITHOUT_DATES)
    stage.play(WITHOUT_DATES, 1 + int(share * operations), KILL)
    state = stage.work / "out" / "_emojob"
    labelled = {json.loads(file.read_text())["input"] for file in (state / "parts").glob("*.json")}
    assert stage.play(NEXT_NIGHT).code == 0
    seen = json.loads((state / "nightly.json").read_text())["seen"]
    assert {seen[name] for name in labelled} <= {"2026-11-03"}
    assert share < 0.8 or labelled
