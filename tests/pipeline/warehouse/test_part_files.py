"""The file system with which DuckDB reads part files: read-only, exact in several threads, few open files."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from emojob.pipeline.output.labelled_archive import PartFile, open_labelled
from emojob.pipeline.warehouse.database import open_database
from emojob.pipeline.warehouse.part_files import _MOST_OPEN, PartFiles, name_of
from emojob.schemas.errors import DataError, Interrupted
from emojob.schemas.labels import DEFAULT_LABELS
from tests.archives import table_of, utterance, write_archive, write_part, write_run


@pytest.fixture
def files(tmp_path):
    (tmp_path / "a").write_bytes(bytes(range(256)) * 4096)
    (tmp_path / "b").write_bytes(b"other")
    opened = PartFiles([PartFile(tmp_path / name, None, (tmp_path / name).stat().st_size) for name in ("a", "b")])
    yield opened
    opened.close()


def test_several_threads_read_one_open_file_each_at_its_own_position(files):
    opened = files.open(name_of(0))

    def read(start: int) -> bool:
        opened.seek(start)
        return opened.read(16) == bytes((start + i) % 256 for i in range(16))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(0, 500_000, 7)))
    opened.seek(-3, os.SEEK_END)
    assert opened.read() == bytes([253, 254, 255])


@pytest.mark.parametrize("mode", ["wb", "ab", "r+b", "w", "x"])
def test_a_file_cannot_be_opened_for_writing(files, mode):
    with pytest.raises(PermissionError):
        files.open(name_of(0), mode)


@pytest.mark.parametrize(
    "name", ["emojob://*", "emojob://00002.parquet", "emojob://../a", "/etc/passwd", "00000.parquet/x"]
)
def test_an_unknown_name_is_not_found(files, name):
    assert not files.exists(name)
    assert files.glob(name) == []
    for use in (files.info, files.open):
        with pytest.raises(FileNotFoundError):
            use(name)


def test_a_file_that_is_replaced_while_it_is_read_is_an_error(files, tmp_path):
    opened = files.open(name_of(1))
    (tmp_path / "new").write_bytes(b"newer")
    (tmp_path / "new").rename(tmp_path / "b")
    with pytest.raises(OSError, match="cannot read emojob"):
        opened.read()
    assert files.failed[0] == tmp_path / "b"
    assert "was replaced" in files.failed[1].strerror


@pytest.mark.parametrize(("cause", "expected"), [(KeyboardInterrupt(), Interrupted), (OSError(5, "I/O"), DataError)])
def test_an_error_while_duckdb_reads_a_file_is_not_lost(tmp_path, monkeypatch, cause, expected):
    def read(*_: object) -> bytes:
        raise cause

    def ask() -> None:
        with open_database(open_labelled(write_archive(tmp_path / "out", [utterance("기쁨")]))) as db:
            monkeypatch.setattr("emojob.pipeline.warehouse.part_files._Opened.read", read)
            db.execute("SELECT text FROM labelled").fetchall()

    with pytest.raises(expected):
        ask()


def test_few_files_stay_open(tmp_path):
    table = table_of([utterance("기쁨")], labels=DEFAULT_LABELS)
    for number in range(_MOST_OPEN + 40):
        write_part(tmp_path / "out", table, number)
    write_run(tmp_path / "out")
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    with open_database(open_labelled(tmp_path / "out")) as db:
        assert db.execute("SELECT count(DISTINCT part), min(text) FROM utterances").fetchall()[0][0] == _MOST_OPEN + 40
        assert len(os.listdir("/proc/self/fd")) <= before + _MOST_OPEN + 20  # noqa: PTH208
    assert len(os.listdir("/proc/self/fd")) <= before + 2  # noqa: PTH208
