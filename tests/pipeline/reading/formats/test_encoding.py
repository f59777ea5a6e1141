"""The encoding of a text file is detected or verified over the whole file."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pyarrow as pa
import pytest

from emojob.pipeline.reading.files.input_file import InputFile
from emojob.pipeline.reading.formats import blocks
from emojob.pipeline.reading.formats.encoding import inspect
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


def test_a_file_in_no_known_encoding_is_refused_with_the_byte_and_its_offset(tmp_path: Path) -> None:
    data = b"text\n" + b"caf\xff\xe9\xff\n" * 100
    with pytest.raises(DataError, match=r"neither utf-8 \(byte 0xff at offset 8 .* nor cp949 .*offset 8"):
        inspect(stored(tmp_path, data))


def test_a_given_encoding_is_verified(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"not in utf-8 \(byte 0x.. at offset 5 is invalid\); try --encoding cp949"):
        inspect(stored(tmp_path, LINES.encode("cp949")), "utf-8")
    with pytest.raises(DataError, match=r"not in cp949 \(.*try --encoding utf-8"):
        inspect(stored(tmp_path, LINES.encode()), "cp949")
    with pytest.raises(DataError, match="byte order mark"):
        inspect(stored(tmp_path, LINES.encode("utf-8-sig")), "cp949")
    assert inspect(stored(tmp_path, LINES.encode("cp949")), "euc-kr").encoding == "cp949"
    assert inspect(stored(tmp_path, LINES.encode("utf-8-sig")), "utf-8").encoding == "utf-8-sig"


@pytest.mark.parametrize("encoding", ["utf-8", "cp949", "utf-8-sig"])
@pytest.mark.parametrize("wanted", ["auto", ""])
def test_a_file_that_ends_in_the_middle_of_a_character_is_read(tmp_path: Path, encoding: str, wanted: str) -> None:
    info = inspect(stored(tmp_path, "id,text\n1,안녕".encode(encoding)[:-1]), wanted or encoding.removesuffix("-sig"))
    assert (info.encoding, info.is_cut) == (encoding, True)
    assert "copy it again" in info.notes[0]
    assert not inspect(stored(tmp_path, LINES.encode(encoding))).notes


def test_a_file_whose_only_foreign_byte_is_the_last_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="neither utf-8"):
        inspect(stored(tmp_path, b"caf\xe9"))


@pytest.mark.parametrize("name", ["UTF-32LE", "UTF-32BE"])
def test_other_unicode_encodings_are_named(tmp_path: Path, name: str) -> None:
    data = ("\ufeff" + LINES).encode(name)
    for wanted in ("auto", "utf-8"):
        with pytest.raises(DataError, match=f"byte order mark of {name}, .*iconv -f {name} -t UTF-8"):
            inspect(stored(tmp_path, data), wanted)


@pytest.mark.parametrize("name", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("mark", ["\ufeff", ""])
@pytest.mark.parametrize("wanted", ["auto", "utf-16"])
def test_utf_16_is_found_with_and_without_a_mark(tmp_path: Path, name: str, mark: str, wanted: str) -> None:
    file = stored(tmp_path, (mark + LINES).encode(name))
    info = inspect(file, wanted)
    assert (info.encoding, info.lines) == (name, 301)
    assert b"".join(blocks.text_blocks(file, name)).decode() == LINES


def test_characters_that_utf_16_cannot_hold_are_invalid_in_their_lines_only(tmp_path: Path) -> None:
    data = LINES.encode("utf-16-le") + b"\x00\xd8x\x00\n\x00" + "네\n".encode("utf-16-le") + b"\x01"
    file = stored(tmp_path, data)
    assert inspect(file).encoding == "utf-16-le"
    *lines, lone, good, last = b"".join(blocks.text_blocks(file, "utf-16-le")).split(b"\n")
    assert b"\n".join(lines) + b"\n" == LINES.encode()
    assert good.decode() == "네"
    for line in (lone, last):
        with pytest.raises(UnicodeDecodeError):
            line.decode()


def test_an_encoding_that_contradicts_the_file_is_refused(tmp_path: Path) -> None:
    for wanted in ("utf-8", "cp949"):
        with pytest.raises(DataError, match=f"is not in {wanted}, because .* UTF-16; use --encoding auto"):
            inspect(stored(tmp_path, LINES.encode("utf-16")), wanted)
    for data in (LINES.encode(), LINES.encode("cp949"), LINES.encode("utf-8-sig")):
        with pytest.raises(DataError, match="is not in utf-16; use --encoding auto"):
            inspect(stored(tmp_path, data), "utf-16")


def test_zero_bytes_in_utf_8_are_no_utf_16(tmp_path: Path) -> None:
    for text in ("id,text\n1,a\x00b\n", "\x00", "text\n\x00\x00\x00\x00\n"):
        assert inspect(stored(tmp_path, text.encode())).encoding == "utf-8"


def test_an_unknown_encoding_is_an_error_of_the_option(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="--encoding latin-1 is not supported; give auto, utf-8, utf-16 or cp949"):
        inspect(stored(tmp_path, b"text\n"), "latin-1")


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.csv.zst"])
def test_an_empty_file_is_refused(tmp_path: Path, name: str) -> None:
    data = {"a.csv": b"", "a.csv.gz": gzip.compress(b""), "a.csv.zst": pa.compress(b"", "zstd", asbytes=True)}[name]
    with pytest.raises(DataError, match=r"is empty \(0 bytes\)"):
        inspect(stored(tmp_path, data, name))


def compressed(name: str, data: bytes) -> bytes:
    return gzip.compress(data) if name.endswith("gz") else pa.compress(data, "zstd", asbytes=True)


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.csv.zst"])
def test_size_and_hash_are_those_of_the_stored_bytes(tmp_path: Path, name: str) -> None:
    data = LINES.encode() if name == "a.csv" else compressed(name, LINES.encode())
    info = inspect(stored(tmp_path, data, name))
    assert (info.size, info.sha256) == (len(data), hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize("name", ["a.csv.gz", "a.csv.zst"])
@pytest.mark.parametrize("damage", ["cut off", "not compressed"])
def test_damaged_compression_is_reported_before_anything_is_read(tmp_path: Path, name: str, damage: str) -> None:
    data = compressed(name, LINES.encode())[:-9] if damage == "cut off" else LINES.encode()
    with pytest.raises(DataError, match=r"not a complete (gzip|zstd) file") as caught:
        inspect(stored(tmp_path, data, name))
    assert "\n" not in str(caught.value)


def test_a_removed_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.csv cannot be read: No such file"):
        inspect(InputFile(tmp_path / "gone.csv", "csv", None))
