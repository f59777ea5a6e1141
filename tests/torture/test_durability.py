"""What is called complete is on the disk: data, name, folder, and only then the marker, as the system's calls tell."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.torture.conftest import WHOLE
from tests.torture.scenes import SCENES

pytestmark = pytest.mark.slow

_CALL = re.compile(r"^\d+ +(\w+)\((.*)\) += (-?\d+)")
_FILE = re.compile(r"<([^>]*)>")
_NAME = re.compile(r'"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Call:
    """One call that succeeded. file: what was written, synced or renamed; to: what it was renamed to."""

    name: str
    file: str
    to: str = ""


def traced(command: list[str], work, log) -> list[Call]:
    """The writes, syncs, renames and removals of a command, in order."""
    what = "trace=write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat"
    environment = {**os.environ, "EMOJOB_ENGINE": "torch"}
    done = subprocess.run(
        ["strace", "-f", "-y", "-s", "0", "-o", log, "-e", what, sys.executable, "-m", "emojob", *command],
        cwd=work, env={**environment, "PYTHONPATH": str(Path.cwd())}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    calls = []
    for line in log.read_text(errors="replace").splitlines():
        found = _CALL.match(line)
        if not found or int(found[3]) < 0:
            continue
        name, given = found[1], found[2]
        if name.startswith(("rename", "unlink")):
            paths = [str(work / path) for path in _NAME.findall(given)]
            calls.append(Call(name[:6], *paths[:2]))
        elif path := _FILE.search(given):
            calls.append(Call("write" if "write" in name else "fsync", path[1]))
    return calls


def where(calls: list[Call], name: str, file: str, to: str = "") -> list[int]:
    """At which places of the trace a call stands."""
    return [i for i, call in enumerate(calls) if (call.name, call.file, call.to) == (name, file, to)]


def check_committed(calls: list[Call], beside: str, place: str) -> int:
    """That a file was written, synced, renamed and its folder synced, in that order; where the last of these is."""
    behind = 0
    for renamed in where(calls, "rename", beside, place):  # run.json is written several times
        synced, writes = ([i for i in where(calls, one, beside) if behind < i < renamed] for one in ("fsync", "write"))
        assert writes, place
        assert synced, place
        assert max(writes) < max(synced), place
        behind = min(i for i in where(calls, "fsync", str(Path(place).parent)) if i > renamed)
    return behind


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.parametrize("name", ["score", "forget", *(["one file", "nightly"] if WHOLE else [])])
def test_a_marker_comes_after_what_it_vouches_for(stage, tmp_path, name):
    scene = SCENES[name]
    stage.set(scene)
    args = [str(stage.model) if one == "MODEL" else one for one in scene.args]
    calls = traced(args, stage.work, tmp_path / "trace")
    renames = {call.to: call.file for call in calls if call.name == "rename"}
    drafts = {place: beside for place, beside in renames.items() if beside.endswith(".tmp")}
    committed = {place: check_committed(calls, beside, place) for place, beside in drafts.items()}
    markers = [place for place in renames if re.search(r"/_emojob/parts/part-[\d-]+\.json$", place)]
    parts = [place for place in renames if re.search(r"/part-[\d-]+\.parquet$", place)]
    if name == "one file":
        return
    assert len(markers) == len(parts) > 0
    for marker in markers:
        part = marker.replace("/_emojob/parts", "").replace(".json", ".parquet")
        (named,) = where(calls, "rename", renames[marker], marker)
        assert committed[part] < named
        rejects = marker.replace(".json", ".rejects.parquet")
        assert committed.get(rejects, -1) < named
    if name == "forget":
        (journal,) = [place for place in renames if place.endswith("exchange.json")]
        (named,) = where(calls, "rename", renames[journal], journal)
        assert all(committed[part] < named for part in parts)
        removed = [i for i, call in enumerate(calls) if call.name == "unlink" and call.file.endswith(".parquet")]
        assert removed
        assert min(removed) > committed[journal]
