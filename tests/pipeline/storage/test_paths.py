"""Files of an archive that are no regular files are refused at once."""

import os
import signal
import socket
from pathlib import Path

import pytest

from emojob.pipeline.storage import atomic
from emojob.pipeline.storage.paths import list_files, read_all, seekable
from emojob.schemas.errors import DataError
from tests.archives import utterance, write_archive


@pytest.fixture(autouse=True)
def alarm():
    """End a test that blocks."""
    before = signal.signal(signal.SIGALRM, lambda *_: pytest.fail("the test blocks"))
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("name", ["a.json", "a.parquet"])
@pytest.mark.parametrize(
    "read", [atomic.read_json, seekable, lambda file: list(read_all([file])), lambda file: list_files(file.parent, ())]
)
def test_a_pipe_a_device_and_a_socket_are_refused(tmp_path, monkeypatch, read, name):
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    made = Path(name)
    os.mkfifo(made)
    with pytest.raises(DataError, match="not a regular file"):
        read(tmp_path / name)
    made.unlink()
    made.symlink_to("/dev/zero")
    with pytest.raises(DataError, match="not a regular file"):
        read(tmp_path / name)
    made.unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(name)
        with pytest.raises(DataError, match="not a regular file"):
            read(tmp_path / name)


def test_a_broken_link_is_a_missing_file(tmp_path):
    (tmp_path / "a.json").symlink_to(tmp_path / "missing")
    assert atomic.read_json(tmp_path / "a.json") == {}
    assert list_files(tmp_path, ()) == {}


FILES = [
    "run.json", "archive.json", "exchange.json", "nightly.json", "rejects.parquet", "parts/*.json", "../part-*.parquet",
    "derived/record.json",
]  # fmt: skip


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("arguments", [["report"], ["sql", "SELECT 1"], ["forget", "--yes", "--where", "true"]])
def test_a_command_refuses_an_archive_with_a_pipe_at_once(emojob, tmp_path, name, arguments):
    out = write_archive(tmp_path / "out", [utterance("기쁨", 0.9, "좋아요")])
    folder = out / "_emojob"
    if name.startswith("derived"):
        (folder / "derived").mkdir()
    file = next(iter(folder.glob(name)), folder / name)
    file.unlink(missing_ok=True)
    os.mkfifo(file)
    command, *more = arguments
    code, printed, err = emojob(command, out, *more)
    if name.startswith("derived") and command != "forget":  # only `forget` reads the records
        assert (code, err) == (0, "")
    else:
        assert (code, printed, err.count("\n")) == (2, "", 1)
        assert "not a regular file" in err
