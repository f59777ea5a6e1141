"""Makes texts safe to print on a terminal: replaces or escapes control characters."""

from __future__ import annotations

import codecs
import io
import json
import re
import unicodedata
from typing import Any, BinaryIO

# Unicode categories of invisible characters that can control a terminal.
_CONTROL = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
_CONTROL_IN_JSON = re.compile("[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
_JOINER = "\u200d"  # zero-width joiner: combines emoji


def plain(text: str, length: int | None = None) -> str:
    """Return `text` as one line that is safe to print. Control characters become "�".

    Args:
        text: Any text.
        length: Maximum number of characters. A longer text is cut and ends with "…".
    """
    if length is not None and len(text) > length:
        text = text[: length - 1] + "…"
    return "".join(_printable(c) for c in text)


def cut_to_width(text: str, width: int) -> str:
    """Return `text`, shortened to `width` columns of a terminal. A shortened text ends with "…".

    A Hangul syllable takes two columns. It is never cut in half: "최대한" is "최대…", not "최대 …".
    """
    from rich.cells import cell_len, get_character_cell_size

    if cell_len(text) <= width:
        return text
    kept, used = "", 1  # the "…" takes one column
    for character in text:
        used += get_character_cell_size(character)
        if used > width:
            break
        kept += character
    return f"{kept.rstrip()}…" if width > 0 else ""


def _printable(character: str) -> str:
    if character in "\n\r\t":
        return " "
    if character == _JOINER or unicodedata.category(character) not in _CONTROL:
        return character
    return "" if character == "\ufeff" else "�"


class PlainStream(io.RawIOBase):
    """A binary stream that replaces control characters in UTF-8 text with `plain`, and writes the text to `stream`."""

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
    """Return a value as one line of JSON. Control characters are escaped. Korean is not escaped."""
    text = json.dumps(value, ensure_ascii=False)
    return _CONTROL_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def duration(seconds: float) -> str:
    """Return a duration as text, for example 4.2 s, 3 min 5 s or 2 h 10 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
