"""A complete part file is on the disk: its data, name and folders are synced before its marker is written.

Removals are on the disk before the file that announced them is removed, or the file that reports them is written.

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
from tests.torture.scenes import SCENES, Scene

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")]

_CALL = re.compile(r"^\d+ +(\w+)\((.*)\) += (-?\d+)")
_FILE = re.compile(r"<([^>]*)>")
_NAME = re.compile(r'"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Call:
    """A system call that succeeded.

    Attributes:
        name: write, fsync, rename, unlink or mkdir.
        file: File or folder that was written, synced, renamed, removed or created.
        to: New name of a renamed file.
    """

    name: str
    file: str
    to: str = ""


def traced(command: list[str], work, log) -> list[Call]:
    """Run a command and return its writes, syncs, renames and removals, in order."""
    traced_calls = "trace=write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat"
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
        if name.startswith(("rename", "unlink", "mkdir")):
            paths = [str(work / path) for path in _NAME.findall(given)]
            calls.append(Call(name[:5] if name.startswith("mkdir") else name[:6], *paths[:2]))
        elif path := _FILE.search(given):
            calls.append(Call("write" if "write" in name else "fsync", path[1]))
    return calls


def where(calls: list[Call], name: str, file: str, to: str = "") -> list[int]:
    """Return the positions of a call in the trace."""
    return [i for i, call in enumerate(calls) if (call.name, call.file, call.to) == (name, file, to)]


def synced_after(calls: list[Call], place: int, folder: Path) -> int:
    """Return the position of the first sync of a folder behind a place in the trace. Assert that there is one."""
    found = [i for i in where(calls, "fsync", str(folder)) if i > place]
    assert found, (folder, calls[place])
    return found[0]


def commits(calls: list[Call]) -> dict[str, list[tuple[int, int]]]:
    """Return {file: [(position of the rename, position of the sync of the folder)]} for files with a temporary file.

    Assert that each file was written, synced and renamed, and that then its folder was synced.
    """
    found: dict[str, list[tuple[int, int]]] = {}
    for i, call in enumerate(calls):
        if call.name == "rename" and call.file.endswith(".tmp"):
            writes, syncs = where(calls, "write", call.file), where(calls, "fsync", call.file)
            assert syncs, call.to
            assert max(writes, default=-1) < max(syncs) < i, call.to
            found.setdefault(call.to, []).append((i, synced_after(calls, i, Path(call.to).parent)))
    return found


def removals(calls: list[Call], pattern: str) -> list[tuple[int, int]]:
    """Return (position of the removal, position of the sync of the folder) of each removed file."""
    removed = [i for i, call in enumerate(calls) if call.name == "unlink" and re.search(pattern, call.file)]
    return [(i, synced_after(calls, i, Path(calls[i].file).parent)) for i in removed]


def trace_of(stage, scene: Scene, log, args: tuple[str, ...] | None = None) -> list[Call]:
    stage.set(scene)
    return traced([str(stage.model) if one == "MODEL" else one for one in args or scene.args], stage.work, log)


_PART, _MARKER = r"/part-[\d-]+\.parquet$", r"/_emojob/parts/part-[\d-]+\.json$"


@pytest.mark.parametrize("name", ["score", "forget", *(["one file", "nightly"] if WHOLE else [])])
def test_a_marker_is_written_after_its_part_file_is_synced(stage, tmp_path, name):
    calls = trace_of(stage, SCENES[name], tmp_path / "trace")
    committed = commits(calls)
    markers = [file for file in committed if re.search(_MARKER, file)]
    parts = [file for file in committed if re.search(_PART, file) and "/parts/" not in file]
    if name == "one file":
        return
    assert len(markers) == len(parts) > 0
    for marker in markers:
        part = marker.replace("/_emojob/parts", "").replace(".json", ".parquet")
        named = committed[marker][0][0]
        assert committed[part][-1][1] < named
        rejects = marker.replace(".json", ".rejects.parquet")
        assert committed.get(rejects, [(-1, -1)])[-1][1] < named


def test_the_names_of_new_folders_are_synced_before_the_first_marker(stage, tmp_path):
    args = tuple(f"new/deep/{one}" if one == "out" else one for one in SCENES["score"].args)
    calls = trace_of(stage, SCENES["score"], tmp_path / "trace", args)
    first = min(i for file, found in commits(calls).items() if re.search(_MARKER, file) for i, _ in found)
    made = {call.file: i for i, call in enumerate(calls) if call.name == "mkdir" and str(stage.work) in call.file}
    out = stage.work / "new/deep/out"
    for folder in (out.parent.parent, out.parent, out, out / "_emojob", out / "_emojob/parts"):
        assert synced_after(calls, made[str(folder)], folder.parent) < first


def test_the_name_of_a_folder_that_a_killed_run_made_is_synced(stage, tmp_path):
    """The killed run may have been killed between the creation and the sync."""
    stage.set(SCENES["score"])
    (stage.work / "out/_emojob/parts").mkdir(parents=True)
    args = [str(stage.model) if one == "MODEL" else one for one in SCENES["score"].args]
    calls = traced(args, stage.work, tmp_path / "trace")
    first = min(i for file, found in commits(calls).items() if re.search(_MARKER, file) for i, _ in found)
    for folder in (stage.work, stage.work / "out", stage.work / "out/_emojob"):
        assert synced_after(calls, -1, folder) < first


def test_forget_syncs_the_removals_before_the_journal_is_removed(stage, tmp_path):
    calls = trace_of(stage, SCENES["forget"], tmp_path / "trace")
    committed = commits(calls)
    ((named, journaled),) = [found[-1] for file, found in committed.items() if file.endswith("exchange.json")]
    assert all(found[-1][1] < named for file, found in committed.items() if re.search(_PART, file))
    removed = [*removals(calls, _PART), *removals(calls, _MARKER)]
    assert removed
    assert min(i for i, _ in removed) > journaled
    ((ended, _),) = removals(calls, "exchange.json$")
    assert max(synced for _, synced in removed) < ended
    # The counters in archive.json tell the next `emojob forget` that the derived files must go.
    counted = [synced for file, found in committed.items() if file.endswith("archive.json") for _, synced in found]
    assert min(counted) < named
    assert max(counted) < ended
    memos, records = removals(calls, r"\.memo$"), removals(calls, r"/derived/[0-9a-f]{32}\.json$")
    assert memos
    assert max(synced for _, synced in memos) < min(i for i, _ in records)


def test_keep_days_syncs_the_removals_before_the_night_is_recorded(stage, tmp_path):
    calls = trace_of(stage, KEEP_DAYS, tmp_path / "trace")
    removed = [*removals(calls, _PART), *removals(calls, _MARKER)]
    assert len(removed) >= 4
    recorded = [found[-1][0] for file, found in commits(calls).items() if file.endswith("_emojob/nightly.json")]
    assert recorded
    assert max(synced for _, synced in removed) < max(recorded)


def test_a_removed_single_work_folder_is_removed_after_the_file_is_on_the_disk(stage, tmp_path):
    calls = trace_of(stage, SCENES["one file"], tmp_path / "trace")
    ((_, whole),) = [found[-1] for file, found in commits(calls).items() if file.endswith("/out.parquet")]
    marks = removals(calls, r"/_emojob/done$")
    removed = [*removals(calls, _PART), *removals(calls, _MARKER)]
    assert removed
    assert min(i for i, _ in removed) > whole
    assert max(synced for _, synced in removed) < min(i for i, _ in marks)


def _three_nights(stage, folder: Path) -> None:
    SCENES["nightly"].prepare(stage, folder)
    config = folder / "night.toml"
    text = config.read_text(encoding="utf-8").replace("[output]", "days_back = 0\n[output]\nkeep_days = 2")
    config.write_text(text, encoding="utf-8")
    for day in ("01", "02"):
        done = stage.run(("nightly", "night.toml", "--date", f"2026-11-{day}", "--quiet"))
        assert done.code == 0, done


KEEP_DAYS = Scene("keep days", ("nightly", "night.toml", "--date", "2026-11-04", "--quiet"), _three_nights, ("out",))
