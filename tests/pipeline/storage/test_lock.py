"""Only one process holds the lock of a local folder, even if the lock file is removed meanwhile."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from emojob.pipeline.output.archive_folder import open_output
from emojob.pipeline.storage import lock as locks
from emojob.pipeline.storage.lock import lock
from emojob.schemas.errors import BusyError, StorageError


def test_a_lock_on_a_removed_lock_file_does_not_count(tmp_path, monkeypatch):
    """The first process removes its lock file while the second process opens the file."""
    file = tmp_path / "lock"
    flock, steps = locks.fcntl.flock, []

    def remove_first(descriptor: int, how: int) -> None:
        if not steps:
            steps.append("removed")
            file.unlink()
            steps.append(os.open(file, os.O_RDWR | os.O_CREAT))  # a third process creates and locks a new lock file
            flock(steps[1], how)
        flock(descriptor, how)

    monkeypatch.setattr(locks.fcntl, "flock", remove_first)
    with pytest.raises(BusyError), lock(file, tmp_path):
        pass
    os.close(steps[1])
    with lock(file, tmp_path):
        assert file.exists()


def test_a_holder_whose_lock_file_was_removed_stops(tmp_path):
    file = tmp_path / "lock"
    with lock(file, tmp_path) as ensure_held:
        ensure_held()
        file.unlink()
        with lock(file, tmp_path) as other_ensures_held:
            other_ensures_held()
            with pytest.raises(StorageError, match="lost its lock"):
                ensure_held()


def test_two_processes_never_hold_an_output_that_one_of_them_removes(tmp_path, monkeypatch):
    """A run that writes nothing removes its lock file and OUT, while another run starts."""
    out = tmp_path / "out"
    opened, nested = os.open, []

    def open_between(path, *more):
        descriptor = opened(path, *more)
        if str(path).endswith("_emojob/lock") and not nested:
            nested.append(True)
            with open_output(out):  # locks, writes nothing, and removes OUT
                pass
        return descriptor

    monkeypatch.setattr(locks.os, "open", open_between)
    with open_output(out) as output:
        assert nested
        output.ensure_lock_held()
        assert (out / "_emojob/parts").is_dir()
        with pytest.raises(BusyError), open_output(out):
            pass
    assert not out.exists()


@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe", "folder"])
def test_a_lock_file_of_another_kind_is_refused(tmp_path, kind):
    file, own = tmp_path / "lock", tmp_path / "own"
    own.write_bytes(b"mine")
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    else:
        file.symlink_to(own if kind == "link" else tmp_path / "nowhere")
    with pytest.raises(OSError), lock(file, tmp_path):  # noqa: PT011
        pass
    assert own.read_bytes() == b"mine"
    assert not Path(tmp_path / "nowhere").exists()
