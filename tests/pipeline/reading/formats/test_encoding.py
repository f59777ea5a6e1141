"""The bytes of text files: compression, byte order marks, and which encoding a file is in."""

from __future__ import annotations

import gzip
import hashlib
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emojob.pipeline.reading.formats import blocks
from emojob.pipeline.reading.formats.blocks import read_blocks, text_blocks, whole_lines
from emojob.pipeline.reading.formats.encoding import inspect
from emojob.pipeline.reading.inputs import InputFile
from emojob.schemas.errors import DataError, OptionError

LINES = "text\n" + "오늘은 기분이 참 좋아요\n" * 300


def stored(tmp_path: Path, data: bytes, name: str = "a.csv") -> InputFile:
    path = tmp_path / name
    path.write_bytes(data)
    return InputFile(path, "csv", {".gz": "gzip", ".zst": "zstd"}.get(path.suffix))


@pytest.fixture(autouse=True, params=[7, 1 << 20])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK", request.param)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (LINES.encode(), "utf-8"),
        (LINES.encode("utf-8-sig"), "utf-8-sig"),
        (LINES.encode("cp949"), "cp949"),
        (("a\n" * 5000 + "뷁똠방각하\n").encode("cp949"), "cp949"),  # beyond the first block, and not in euc-kr
        (b"only,ascii\n", "utf-8"),
    ],
)
def test_auto_finds_the_encoding_of_the_whole_file(tmp_path: Path, data: bytes, found: str) -> None:
    assert inspect(stored(tmp_path, data)).encoding == found


def test_a_few_undecodable_lines_do_not_change_the_encoding(tmp_path: Path) -> None:
    utf8 = LINES.encode() + b"\xff\xfe broken\n"
    assert inspect(stored(tmp_path, utf8)).encoding == "utf-8"
    cp949 = LINES.encode("cp949") + b"\xff broken\n"
    assert inspect(stored(tmp_path, cp949)).encoding == "cp949"
    assert inspect(stored(tmp_path, utf8), "utf-8").encoding == "utf-8"


def test_a_file_in_no_known_encoding_is_refused_with_the_byte_and_its_place(tmp_path: Path) -> None:
    data = b"text\n" + b"caf\xff\xe9\xff\n" * 100
    with pytest.raises(DataError, match=r"neither utf-8 \(byte 0xff at offset 8 .* nor cp949 .*offset 8"):
        inspect(stored(tmp_path, data))


def test_a_given_encoding_is_verified(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"not in utf-8 \(byte 0x.. at offset 5 is not\); try --encoding cp949"):
        inspect(stored(tmp_path, LINES.encode("cp949")), "utf-8")
    with pytest.raises(DataError, match=r"not in cp949 \(.*try --encoding utf-8"):
        inspect(stored(tmp_path, LINES.encode()), "cp949")
    with pytest.raises(DataError, match="byte order mark"):
        inspect(stored(tmp_path, LINES.encode("utf-8-sig")), "cp949")
    assert inspect(stored(tmp_path, LINES.encode("cp949")), "euc-kr").encoding == "cp949"
    assert inspect(stored(tmp_path, LINES.encode("utf-8-sig")), "utf-8").encoding == "utf-8-sig"


def test_a_character_cut_off_at_the_end_counts_as_undecodable(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="neither utf-8"):
        inspect(stored(tmp_path, "안녕".encode()[:-1]))


@pytest.mark.parametrize("name", ["UTF-16LE", "UTF-16BE", "UTF-32LE", "UTF-32BE"])
def test_other_unicode_encodings_are_named(tmp_path: Path, name: str) -> None:
    data = ("\ufeff" + LINES).encode(name)
    for wanted in ("auto", "utf-8"):
        with pytest.raises(DataError, match=f"is in {name} .*iconv -f {name} -t UTF-8"):
            inspect(stored(tmp_path, data), wanted)


def test_an_unknown_encoding_is_an_error_of_the_option(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="--encoding latin-1 is not known; give auto, utf-8 or cp949"):
        inspect(stored(tmp_path, b"text\n"), "latin-1")


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.csv.zst"])
def test_an_empty_file_is_refused(tmp_path: Path, name: str) -> None:
    data = {"a.csv": b"", "a.csv.gz": gzip.compress(b""), "a.csv.zst": pa.compress(b"", "zstd", asbytes=True)}[name]
    with pytest.raises(DataError, match=r"is empty \(0 bytes\)"):
        inspect(stored(tmp_path, data, name))


def compressed(name: str, data: bytes) -> bytes:
    return gzip.compress(data) if name.endswith("gz") else pa.compress(data, "zstd", asbytes=True)


@pytest.mark.parametrize("name", ["a.csv.gz", "a.csv.zst"])
def test_compressed_files_of_several_members_are_read_whole(tmp_path: Path, name: str) -> None:
    data = compressed(name, LINES.encode()) + compressed(name, b"and more\n")
    file = stored(tmp_path, data, name)
    assert b"".join(read_blocks(file)) == LINES.encode() + b"and more\n"


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.csv.zst"])
def test_size_and_hash_are_those_of_the_stored_bytes(tmp_path: Path, name: str) -> None:
    data = LINES.encode() if name == "a.csv" else compressed(name, LINES.encode())
    info = inspect(stored(tmp_path, data, name))
    assert (info.size, info.sha256) == (len(data), hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize("name", ["a.csv.gz", "a.csv.zst"])
@pytest.mark.parametrize("damage", ["cut off", "not compressed"])
def test_damaged_compression_is_told_before_anything_is_read(tmp_path: Path, name: str, damage: str) -> None:
    data = compressed(name, LINES.encode())[:-9] if damage == "cut off" else LINES.encode()
    with pytest.raises(DataError, match=r"not a whole (gzip|zstd) file") as told:
        inspect(stored(tmp_path, data, name))
    assert "\n" not in str(told.value)


def test_a_file_that_went_away_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.csv cannot be read: No such file"):
        inspect(InputFile(tmp_path / "gone.csv", "csv", None))


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
            with pytest.raises(DataError, match="not a whole gzip file"):
                list(read_blocks(file))
        assert tracemalloc.get_traced_memory()[0] < 4 << 20
    finally:
        tracemalloc.stop()
