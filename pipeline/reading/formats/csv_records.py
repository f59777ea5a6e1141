"""Finds where the records of CSV and TSV files begin and end, before decoding.

The rules follow RFC 4180:
- If a field begins with a quote, it ends with a quote. Inside the field, a quote is written twice, and line ends belong
  to the value.
- In other fields, a quote is an ordinary character.
- A record ends with CRLF, LF or CR.

In cp949 and UTF-8, the bytes of quotes, delimiters and line ends never occur inside other characters. So searching
undecoded bytes is safe.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from emojob.pipeline.reading.formats import blocks

UNCLOSED = "quote never closed"
AFTER_QUOTE = "text after a closing quote"
TOO_LONG = "row too long"

_LINE = re.compile(rb"[^\r\n]*+(?:\r\n|\n|\r)")
_LINE_END = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True)
class Syntax:
    """Delimiter and quoting of a CSV or TSV file, as patterns for bytes.

    Attributes:
        delimiter: Byte that separates fields.
        quoted: Whether fields may be in quotes. If False, a quote is an ordinary character.
    """

    delimiter: bytes
    quoted: bool = True

    @cached_property
    def field(self) -> re.Pattern[bytes]:
        """Pattern that matches a field. If the closing quote is missing, the pattern matches the empty string."""
        return re.compile(self._field)

    @cached_property
    def fields(self) -> re.Pattern[bytes]:
        """Pattern that matches the well-formed fields at the beginning of a record, but not the line end."""
        return re.compile(self._fields)

    @cached_property
    def record(self) -> re.Pattern[bytes]:
        """Pattern that matches a record, including its line end."""
        return re.compile(self._record)

    @cached_property
    def run(self) -> re.Pattern[bytes]:
        """Pattern that matches up to 4,096 records.

        - The limit is needed, because the memory of a match grows with the number of records.
        - The repetition is not possessive, because possessive groups may match wrongly in Python up to 3.11.4.
        """
        return re.compile(rb"(?:" + self._record + rb"){0,4096}")

    @property
    def _field(self) -> bytes:
        if not self.quoted:
            return rb"[^" + self.delimiter + rb"\r\n]*+"
        return rb'(?:"(?:[^"]++|"")*+"|[^"' + self.delimiter + rb"\r\n][^" + self.delimiter + rb"\r\n]*+|)"

    @property
    def _fields(self) -> bytes:
        return self._field + rb"(?:" + self.delimiter + self._field + rb")*+"

    @property
    def _record(self) -> bytes:
        return self._fields + rb"(?:\r\n|\n|\r)"


def split_records(data: Iterable[bytes], syntax: Syntax) -> Iterator[tuple[bytes, str | None]]:
    """Cut a file into pieces. Each piece is either some whole records or one malformed line.

    If a record is malformed, only the first line of the record is rejected. Reading continues at the next line. The end
    of a record does not depend on earlier records, so reading may begin at any record.

    Args:
        data: Bytes of the file, in blocks. The line end after the last record may be missing.
        syntax: Delimiter and quoting of the file.

    Yields:
        (some whole records, None) or (a malformed line, reason).
    """
    data = iter(data)
    buffer, ended = b"", False
    while not ended:
        buffer, ended = _read_more(buffer, data)
        at = 0
        while at < len(buffer):
            # a CR at the end of the buffer may be the first half of a CRLF
            limit = len(buffer) - (not ended and buffer.endswith(b"\r"))
            within = _longest_end(buffer, at, limit)
            end = _end_of_run(buffer, at, within, syntax)
            if end > at:
                yield buffer[at:end], None
                at = end
                continue
            trouble = _trouble(buffer, at, within, ended, syntax)
            line = _LINE.match(buffer, at, limit)
            if trouble is None or (line is None and len(buffer) - at <= blocks.LONGEST_ROW):
                break
            if line:
                yield line[0], trouble
                at = line.end()
                continue
            yield buffer[at:], TOO_LONG
            buffer, ended = _skip_line(data)
            at = 0
        buffer = buffer[at:]


def _read_more(buffer: bytes, data: Iterator[bytes]) -> tuple[bytes, bool]:
    """Read more blocks. Return (bytes, ended): `buffer` plus the new blocks, and whether the file has ended.

    Each call at least doubles the buffer. This keeps the total time linear, although the search for a closing quote
    begins again after each call.
    """
    pieces, size = [buffer], 0
    for block in data:
        pieces.append(block)
        size += len(block)
        if size >= len(buffer):
            return b"".join(pieces), False
    whole = b"".join(pieces)
    return (whole if whole.endswith((b"\n", b"\r")) or not whole else whole + b"\n"), True


def _longest_end(buffer: bytes, at: int, limit: int) -> int:
    """Return the maximum end offset of a record that begins at `at`. The offset is never between CR and LF."""
    end = at + blocks.LONGEST_ROW
    if end >= limit:
        return limit
    return end - (buffer[end - 1 : end + 1] == b"\r\n")


def _end_of_run(buffer: bytes, at: int, limit: int, syntax: Syntax) -> int:
    """Return the end offset of consecutive well-formed records. The first record begins at `at`.

    If the first record is malformed or incomplete, return `at`.
    """
    if not syntax.quoted or buffer.find(b'"', at, limit) < 0:
        return max(at, buffer.rfind(b"\n", at, limit) + 1, buffer.rfind(b"\r", at, limit) + 1)
    match = syntax.run.match(buffer, at, limit)
    while match and match.end() > at:
        at = match.end()
        match = syntax.run.match(buffer, at, limit)
    return at


def _trouble(buffer: bytes, at: int, limit: int, ended: bool, syntax: Syntax) -> str | None:
    """Return why the record at `at` is malformed. Return None if the record is only incomplete so far."""
    match = syntax.fields.match(buffer, at, limit)
    end = match.end() if match else at
    is_open = end < limit and buffer[end : end + 1] == b'"'
    if end < limit and not is_open:
        # Text follows a closing quote. If the fields contain a line end, an opening quote was probably never closed.
        return UNCLOSED if _LINE_END.search(buffer, at, end) else AFTER_QUOTE
    if ended or len(buffer) - at > blocks.LONGEST_ROW:
        return UNCLOSED if is_open else TOO_LONG
    return None


def _skip_line(data: Iterator[bytes]) -> tuple[bytes, bool]:
    """Skip to the end of the line. Return (bytes after the line end, whether the file has ended)."""
    for block in data:
        end = _LINE_END.search(block)
        if end:
            return block[end.end() :], False
    return b"", True
