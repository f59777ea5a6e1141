"""Temporary files: writers do not mix, links are not followed, and only leftovers of emojob are removed."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from emojob.pipeline.storage import atomic, temporary
from emojob.pipeline.storage.temporary import MARKER, create_file, is_temporary_name, sweep, temporary_folder

_KILLED = """
import os, sys
from pathlib import Path
from emojob.pipeline.storage import atomic, temporary
folder = Path(sys.argv[1])
draft = atomic.Draft(folder / "page.html")
draft.sink.write(b"half")
draft.sink.flush()
with temporary.temporary_folder(folder, "spill") as made:
    (made / "duckdb_temp_storage-0.tmp").write_bytes(b"rows")
    (made / "sub").mkdir()
    os.kill(os.getpid(), 9)
"""


@pytest.fixture(autouse=True)
def _nothing_swept_yet(monkeypatch) -> None:
    monkeypatch.setattr(temporary, "_swept", set())


def killed_in(folder: Path) -> list[Path]:
    """Let a process be killed while it writes into a folder. Return what the process left."""
    before = set(folder.iterdir())
    subprocess.run(
        [sys.executable, "-c", _KILLED, folder], check=False, env={**os.environ, "PYTHONPATH": str(Path.cwd())}
    )
    return sorted(set(folder.iterdir()) - before)


def test_two_writers_of_one_file_do_not_mix(tmp_path):
    file = tmp_path / "page.html"
    pieces, rounds, seen = 50, 20, set()

    def write(letter: bytes) -> None:
        for _ in range(rounds):
            with atomic.draft(file) as draft:
                for _ in range(pieces):
                    draft.sink.write(letter * 1_000)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in (b"a", b"b", b"c")]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if file.exists():
            seen.add(file.read_bytes())
    assert seen <= {letter * 1_000 * pieces for letter in (b"a", b"b", b"c")}
    assert seen
    assert [one.name for one in tmp_path.iterdir()] == ["page.html"]


def test_the_last_commit_decides_the_content(tmp_path):
    first, second = (atomic.Draft(tmp_path / "x.json") for _ in range(2))
    second.sink.write(b"second")
    first.sink.write(b"first")
    second.commit()
    assert first.commit() == 5
    assert (tmp_path / "x.json").read_bytes() == b"first"
    first.discard()
    assert (tmp_path / "x.json").read_bytes() == b"first"


@pytest.mark.parametrize("kind", ["link", "dangling link", "file", "folder"])
def test_a_name_that_is_taken_is_neither_followed_nor_overwritten(tmp_path, monkeypatch, kind):
    own = tmp_path / "own"
    own.write_bytes(b"mine")
    taken = temporary.temporary_name("x.json")
    free = temporary.temporary_name("x.json")
    if kind == "folder":
        (tmp_path / taken).mkdir()
    elif kind == "file":
        (tmp_path / taken).write_bytes(b"mine")
    else:
        (tmp_path / taken).symlink_to(own if kind == "link" else tmp_path / "nowhere")
    names = iter([taken, free])
    monkeypatch.setattr(temporary, "sweep_once", lambda folder: None)
    monkeypatch.setattr(temporary, "temporary_name", lambda name: next(names))
    with pytest.raises(FileExistsError), atomic.draft(tmp_path / "x.json"):
        pass
    assert own.read_bytes() == b"mine"
    assert not (tmp_path / "nowhere").exists()
    assert not (tmp_path / "x.json").exists()


def test_the_permissions_follow_the_umask_and_the_mode(tmp_path):
    before = os.umask(0o027)
    try:
        for mode, expected in ((0o666, 0o640), (0o600, 0o600)):
            with atomic.draft(tmp_path / "x", mode):
                pass
            assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == expected
    finally:
        os.umask(before)


@pytest.mark.slow
def test_the_leftovers_of_a_killed_process_are_removed_by_the_next_writer(tmp_path):
    left = killed_in(tmp_path)
    assert [one.is_dir() for one in left].count(True) == 1
    assert len(left) == 2
    atomic.write_bytes(tmp_path / "other.json", b"{}")
    assert [one.name for one in tmp_path.iterdir()] == ["other.json"]


def test_the_files_of_a_running_process_stay(tmp_path):
    with atomic.draft(tmp_path / "x.json") as draft, temporary_folder(tmp_path, "spill") as folder:
        (folder / "rows").write_bytes(b"rows")
        sweep(tmp_path)
        assert (folder / "rows").exists()
        draft.sink.write(b"whole")
    assert (tmp_path / "x.json").read_bytes() == b"whole"
    assert [one.name for one in tmp_path.iterdir()] == ["x.json"]


#: Names that look like temporary names, but are names of a user's files.
_STRANGE = (
    ".page.html.tmp", ".page.html.0123456789abcdef.tmp", f".page.html.{'0' * 32}.tmp", ".spill-my-photos",
    ".spill-abcdefgh", ".part-notes.tmp", "part-00000.tmp", ".out.parquet.emojob.done", ".tmp", "..tmp",
    f".{'f' * 32}.tmp", ".emojob-temporary",
)  # fmt: skip


@pytest.mark.parametrize("name", _STRANGE)
@pytest.mark.parametrize("is_folder", [False, True])
def test_a_file_or_folder_of_the_user_is_never_removed(tmp_path, name, is_folder):
    path = tmp_path / name
    if is_folder:
        path.mkdir()
        (path / "photo.jpg").write_bytes(b"mine")
        (path / "duckdb_temp_storage-0.tmp").write_bytes(b"mine")
    else:
        path.write_bytes(b"mine")
    assert not is_temporary_name(name)
    sweep(tmp_path)
    assert path.exists()
    assert not is_folder or len(list(path.iterdir())) == 2


@pytest.mark.slow
def test_a_renamed_or_copied_leftover_belongs_to_the_user(tmp_path):
    _, folder = sorted(killed_in(tmp_path), key=lambda one: one.is_dir())
    (tmp_path / "photos").mkdir()
    copied, renamed = tmp_path / "photos" / "copied", tmp_path / temporary.temporary_name("spill")
    shutil.copytree(folder, copied)
    folder.rename(renamed)  # the marker file names another folder
    sweep(tmp_path)
    sweep(tmp_path / "photos")
    assert (copied / MARKER).exists()
    assert (renamed / "duckdb_temp_storage-0.tmp").exists()


def test_a_folder_with_the_name_but_without_the_marker_stays(tmp_path):
    folder = tmp_path / temporary.temporary_name("spill")
    folder.mkdir()
    (folder / "photo.jpg").write_bytes(b"mine")
    sweep(tmp_path)
    assert (folder / "photo.jpg").exists()
    (folder / MARKER).write_bytes(b"")
    sweep(tmp_path)
    assert (folder / "photo.jpg").exists()
    (folder / "photo.jpg").unlink()  # a process was killed while it wrote the marker file
    sweep(tmp_path)
    assert not folder.exists()


def test_links_with_a_temporary_name_are_not_followed(tmp_path):
    target = tmp_path / "photos"
    target.mkdir()
    (target / "photo.jpg").write_bytes(b"mine")
    link = tmp_path / temporary.temporary_name("x.json")
    link.symlink_to(target)
    sweep(tmp_path)
    assert (target / "photo.jpg").exists()


def test_the_longest_file_names_can_be_written(tmp_path):
    for name in ("가" * 85, "a" * 255, "a" * 251 + ".csv"):
        atomic.write_bytes(tmp_path / name, b"x")
        assert (tmp_path / name).read_bytes() == b"x"
    with pytest.raises(OSError, match="too long"):
        atomic.write_bytes(tmp_path / ("a" * 256), b"x")
    assert len(list(tmp_path.iterdir())) == 3
    assert not any(is_temporary_name(one.name) for one in tmp_path.iterdir())


def test_a_temporary_file_that_another_process_sweeps_at_once_is_created_again(tmp_path, monkeypatch):
    lock_new, swept = temporary._lock_new, []

    def sweep_first(descriptor: int) -> bool:
        if not swept:
            swept.append(True)
            next(tmp_path.iterdir()).unlink()
        return lock_new(descriptor)

    monkeypatch.setattr(temporary, "_lock_new", sweep_first)
    path, descriptor = create_file(tmp_path / "x.json")
    os.close(descriptor)
    assert path.exists()
    assert swept
