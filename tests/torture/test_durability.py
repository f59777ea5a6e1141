"""A complete part file is on the disk: its data, name and folder are synced before its marker is written.

The tests read a trace of the system calls.
"""

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
    """A system call that succeeded.

    Attributes:
        name: write, fsync, rename or unlink.
        file: File that was written, synced, renamed or removed.
        to: New name of a renamed file.
    """

    name: str
    file: str
    to: str = ""


def traced(command: list[str], work, log) -> list[Call]:
    """Run a command and return its writes, syncs, renames and removals, in order."""
    traced_calls = "trace=write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat"
    environment = {**os.environ, "EMOJOB_ENGINE": "torch"}
    done = subprocess.run(
        ["strace", "-f", "-y", "-s", "0", "-o", log, "-e", traced_calls, sys.executable, "-m", "emojob", *command],
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
    """Return the positions of a call in the trace."""
    return [i for i, call in enumerate(calls) if (call.name, call.file, call.to) == (name, file, to)]


def check_committed(calls: list[Call], temporary: str, file: str) -> int:
    """Assert that a file was written, synced, renamed and its folder synced; return the position of the last call."""
    last = 0
    for renamed in where(calls, "rename", temporary, file):  # run.json is written several times
        synced, writes = ([i for i in where(calls, one, temporary) if last < i < renamed] for one in ("fsync", "write"))
        assert writes, file
        assert synced, file
        assert max(writes) < max(synced), file
        last = min(i for i in where(calls, "fsync", str(Path(file).parent)) if i > renamed)
    return last


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.parametrize("name", ["score", "forget", *(["one file", "nightly"] if WHOLE else [])])
def test_a_marker_is_written_after_its_part_file_is_synced(stage, tmp_path, name):
    scene = SCENES[name]
    stage.set(scene)
    args = [str(stage.model) if one == "MODEL" else one for one in scene.args]
    calls = traced(args, stage.work, tmp_path / "trace")
    renames = {call.to: call.file for call in calls if call.name == "rename"}
    temporary = {file: old for file, old in renames.items() if old.endswith(".tmp")}
    committed = {file: check_committed(calls, old, file) for file, old in temporary.items()}
    markers = [file for file in renames if re.search(r"/_emojob/parts/part-[\d-]+\.json$", file)]
    parts = [file for file in renames if re.search(r"/part-[\d-]+\.parquet$", file)]
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
        (journal,) = [file for file in renames if file.endswith("exchange.json")]
        (named,) = where(calls, "rename", renames[journal], journal)
        assert all(committed[part] < named for part in parts)
        removed = [i for i, call in enumerate(calls) if call.name == "unlink" and call.file.endswith(".parquet")]
        assert removed
        assert min(removed) > committed[journal]
