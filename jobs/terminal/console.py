"""Showing text from an archive in a terminal: whatever it holds, it stays text."""

from __future__ import annotations

import codecs
import contextlib
import io
import json
import re
import unicodedata
from typing import Any, BinaryIO

import click

# Characters of these kinds steer a terminal or the order of letters, and show nothing themselves.
_STEERING = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
_STEERING_IN_JSON = re.compile("[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
_JOINER = "\u200d"  # holds emoji together


def plain(text: str, length: int | None = None) -> str:
    """`text` on one line, with control characters, escape sequences and bidi overrides made visible or dropped.

    length: characters at most; more are cut, and an ellipsis says so.
    """
    if length is not None and len(text) > length:
        text = text[: length - 1] + "…"
    return "".join(_shown(c) for c in text)


def _shown(character: str) -> str:
    if character in "\n\r\t":
        return " "
    if character == _JOINER or unicodedata.category(character) not in _STEERING:
        return character
    return "" if character == "\ufeff" else "�"


class Inert(io.RawIOBase):
    """A terminal, or another stream, to which a file's bytes go as `plain` shows its lines."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._decoder = stream, codecs.getincrementaldecoder("utf-8")("replace")

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        written = bytes(data)
        lines = self._decoder.decode(written).split("\n")
        self._stream.write("\n".join(map(plain, lines)).encode())
        return len(written)


def json_line(value: Any) -> str:
    """JSON on one line, Korean readable, but characters that steer a terminal written as escapes."""
    text = json.dumps(value, ensure_ascii=False)
    return _STEERING_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def note(text: str) -> None:
    """Tell the user something that is neither a result nor an error, on standard error."""
    with contextlib.suppress(OSError):  # a job does not end because nobody reads what it says
        click.echo(f"emojob: {plain(text)}", err=True)


def seconds(value: float) -> str:
    """A time as a person says it: 4.2 s, 3 min 5 s, 2 h 10 min."""
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
