"""Lines of a stream are decoded in the encoding of their content."""

from __future__ import annotations

import gzip
import io

import pytest

from emojob.pipeline.reading.formats.delimited.stream_lines import decoded_lines
from emojob.schemas.errors import DataError

TEXTS = ["ok", "", "정말 화가 나요", " 뷁 ", "고마워요"]


def lines(data: bytes) -> list[str]:
    return list(decoded_lines(io.BytesIO(data).read, "standard input"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False])
def test_the_encoding_and_the_line_ends_do_not_change_the_texts(encoding: str, line_end: str, last: bool) -> None:
    text = line_end.join(TEXTS) + line_end * last
    assert lines(text.encode(encoding)) == TEXTS


@pytest.mark.parametrize("text", ["네\n", "네", "ㅋ\n", "뷁\n좋아\n", "a\n네\n"])
def test_a_short_text_in_cp949_is_detected(text: str) -> None:
    assert lines(text.encode("cp949")) == lines(text.encode()) == text.split()


def test_a_character_may_lie_across_the_end_of_the_first_block() -> None:
    for encoding in ("utf-8", "cp949"):
        for before in range(4):
            text = "a" * ((64 << 10) - before - 2) + "네네네네"
            assert lines(text.encode(encoding)) == [text]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (gzip.compress("네\n".encode(), mtime=0), "is compressed (gzip), .*gzip -dc FILE | emojob predict"),
        (b"PAR1" + bytes(99), "is a Parquet file, not lines of text; label the file with `emojob score FILE`"),
        (b"PK\x03\x04" + bytes(99), "is a ZIP file or a workbook"),
        (b"%PDF-1.4", "is a PDF file"),
        (b"\x00\x01\x02\xff\xff\xff" + bytes(99), "is no text"),
    ],
)
def test_a_stream_that_is_no_text_is_named(data: bytes, what: str) -> None:
    with pytest.raises(DataError) as caught:
        lines(data)
    assert what.split(".*")[0] in str(caught.value)
    assert what.split(".*")[-1] in str(caught.value)


def test_the_first_text_in_korean_may_come_late() -> None:
    many = ["plain"] * 20_000
    assert lines("\n".join([*many, "고마워요"]).encode("cp949")) == [*many, "고마워요"]


def test_a_line_that_cannot_be_decoded_is_named_after_the_lines_before_it() -> None:
    found = decoded_lines(io.BytesIO("고마워요\n네\n".encode() + b"\xff\n" + "네\n".encode()).read, "standard input")
    assert [next(found), next(found)] == ["고마워요", "네"]
    with pytest.raises(DataError, match="line 3 of standard input is not valid utf-8; correct the line"):
        next(found)


def test_an_empty_stream_has_no_lines() -> None:
    assert lines(b"") == lines(b"\xef\xbb\xbf") == []
    assert lines(b"\n") == [""]
    with pytest.raises(DataError, match="standard input is in UTF-32LE, which emojob does not read"):
        lines("네".encode("utf-32"))
