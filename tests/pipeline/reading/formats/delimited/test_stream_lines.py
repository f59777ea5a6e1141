"""Lines of a stream are decoded in the encoding of their content."""

from __future__ import annotations

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
