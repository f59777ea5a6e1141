"""The lines that `emojob chat` reads: their encoding, and how many of them are read together."""

import io
import os
import sys
from types import SimpleNamespace

import pytest

from emojob.jobs.terminal.replies.chat_lines import MOST_LINES, batches


def read(monkeypatch, content: bytes) -> list[str]:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    return [line for lines in batches() for line in lines]


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"a\r\n\r\nb", ["a", "", "b"]),
        ("가\u2028나\u0085다\x0b라\x00마\n바".encode(), ["가\u2028나\u0085다\x0b라\x00마", "바"]),
        ("\ufeff가\n\ufeff나\n".encode(), ["가", "나"]),
        ("배송이 안 와요\n왜요".encode("cp949"), ["배송이 안 와요", "왜요"]),
        ("배송이 안 와요\r\n왜요\n".encode("utf-16"), ["배송이 안 와요", "왜요"]),
        ("배송이".encode() + b"\xff" + " 안 와요".encode(), ["배송이\ufffd 안 와요"]),
        ("배송이 안 와요".encode()[:-1], ["배송이 안 와\ufffd"]),
        (b"\xff\xfea\x00", ["a"]),
    ],
)
def test_each_line_is_decoded(monkeypatch, content, lines):
    assert read(monkeypatch, content) == lines


def test_a_long_line_is_read_whole(monkeypatch):
    assert read(monkeypatch, "가나다".encode() * 400_000 + b"\nend") == ["가나다" * 400_000, "end"]


def test_lines_that_are_there_are_read_together(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a\n" * (2 * MOST_LINES + 1))))
    assert [len(lines) for lines in batches()] == [MOST_LINES, MOST_LINES, 1]


def test_a_line_is_read_before_the_next_one_is_written(monkeypatch):
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as stream:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stream))
        lines = batches()
        for number in range(3):
            os.write(writer, f"{number}\nbegun".encode() if number < 2 else b"\n")
            assert next(lines) == [["0"], ["begun1"], ["begun"]][number]
        os.close(writer)
        assert list(lines) == []


def test_a_closed_standard_input_has_no_lines(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    assert list(batches()) == []
