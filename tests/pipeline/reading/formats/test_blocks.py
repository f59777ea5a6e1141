"""The bytes of files: decompressed as a whole, without byte order marks, cut into whole lines."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emojob.pipeline.reading.files.input_file import InputFile
from emojob.pipeline.reading.formats import blocks
from emojob.pipeline.reading.formats.blocks import read_blocks, text_blocks, whole_lines
from emojob.schemas.errors import DataError

LINES = "text\n" + "오늘은 기분이 참 좋아요\n" * 300


def stored(tmp_path: Path, data: bytes, name: str = "a.csv") -> InputFile:
    path = tmp_path / name
    path.write_bytes(data)
    return InputFile(path, "csv", {".gz": "gzip", ".zst": "zstd"}.get(path.suffix))


@pytest.fixture(autouse=True, params=[7, 1 << 20])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK", request.param)


def compressed(name: str, data: bytes) -> bytes:
    return gzip.compress(data) if name.endswith("gz") else pa.compress(data, "zstd", asbytes=True)


@pytest.mark.parametrize("name", ["a.csv.gz", "a.csv.zst"])
def test_compressed_files_of_several_members_are_read_whole(tmp_path: Path, name: str) -> None:
    data = compressed(name, LINES.encode()) + compressed(name, b"and more\n")
    file = stored(tmp_path, data, name)
    assert b"".join(read_blocks(file)) == LINES.encode() + b"and more\n"


def test_the_byte_order_mark_is_not_part_of_the_text(tmp_path: Path) -> None:
    file = stored(tmp_path, "\ufeff제목\n".encode())
    assert b"".join(text_blocks(file, "utf-8-sig")).decode() == "제목\n"


@given(st.lists(st.binary(max_size=6).map(lambda b: b.replace(b"x", b"\n"))))
def test_whole_lines_end_in_line_feeds_and_lose_nothing(blocks: list[bytes]) -> None:
    pieces = list(whole_lines(blocks))
    assert b"".join(piece for piece, _ in pieces) == b"".join(blocks)
    assert all(whole for _, whole in pieces)
    assert all(piece.endswith(b"\n") for piece, _ in pieces[:-1])


def test_an_overlong_line_is_cut_and_the_next_one_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "LONGEST_ROW", 10)
    given = [b"one\n", b"x" * 8, b"y" * 8, b"z" * 8, b"zz\ntwo\nthr", b"ee"]
    assert list(whole_lines(given)) == [
        (b"one\n", True),
        (b"x" * 8 + b"y" * 8, False),
        (b"two\n", True),
        (b"three", True),
    ]


def test_damaged_files_leave_no_memory_behind(tmp_path):
    file = stored(tmp_path, gzip.compress(LINES.encode())[:-4], "a.csv.gz")
    tracemalloc.start()
    try:
        for _ in range(30):
            with pytest.raises(DataError, match="not a complete gzip file"):
                list(read_blocks(file))
        assert tracemalloc.get_traced_memory()[0] < 4 << 20
    finally:
        tracemalloc.stop()
