"""Reads the lines of `emojob chat` from standard input, as many at a time as are there."""

from __future__ import annotations

import codecs
import contextlib
import signal
import sys
from collections.abc import Iterable, Iterator
from typing import Any

#: Maximum number of lines that are answered together.
MOST_LINES = 256

_CHUNK = 1 << 16  # maximum number of bytes of a read
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def batches() -> Iterator[list[str]]:
    """Yield the lines of standard input without their ends, in batches of at most MOST_LINES.

    A batch contains the lines that are there already. It never waits for more, because another program may wait for the
    reply to a line before it sends the next one.
    """
    if sys.stdin is None:  # standard input is closed
        return
    pending = bytearray()
    for chunk in _chunks(sys.stdin.buffer):
        if b"\n" not in chunk:
            pending += chunk
            continue
        *lines, rest = (bytes(pending) + chunk).split(b"\n")
        pending = bytearray(rest)
        for first in range(0, len(lines), MOST_LINES):
            yield [_decoded(line) for line in lines[first : first + MOST_LINES]]
    if pending:
        yield [_decoded(bytes(pending))]


def _chunks(stream: Any) -> Iterable[bytes]:
    """Yield the bytes of a stream as they come. UTF-16 is converted to UTF-8."""
    decoder: Any = None
    is_first = True
    while chunk := _read(stream):
        if is_first and chunk.startswith(_UTF16):
            decoder = codecs.getincrementaldecoder("utf-16")("replace")
        is_first = False
        yield decoder.decode(chunk).encode("utf-8", "replace") if decoder else chunk


def _read(stream: Any) -> bytes:
    """Return the bytes that are there, or wait for some; b"" at the end. Ctrl-C ends the wait.

    Without `siginterrupt`, the wait would go on after Ctrl-C, because polars installs a handler that restarts it.
    """
    signal.siginterrupt(signal.SIGINT, True)
    chunk: bytes = stream.read1(_CHUNK)
    return chunk


def _decoded(line: bytes) -> str:
    """Decode a line in UTF-8 or CP949. Bytes that fit neither become "\ufffd"."""
    line = line.removeprefix(codecs.BOM_UTF8).removesuffix(b"\r")
    with contextlib.suppress(UnicodeDecodeError):
        return line.decode()
    text = line.decode("utf-8", "replace")
    damaged = text.count("\ufffd")
    if sum(not character.isascii() for character in text) <= 2 * damaged:  # else it is UTF-8 with a few wrong bytes
        with contextlib.suppress(UnicodeDecodeError):
            return line.decode("cp949")
    return text
