"""Where the records of CSV and TSV begin and end, found on raw bytes and before anything else is done with them.

The rules are RFC 4180's: a field that begins with a quote ends with one, quotes inside it are doubled, line ends
inside it belong to it; a quote further on in a field is an ordinary character. A record ends in CRLF, LF or CR. In
cp949 and utf-8 no part of a longer character looks like one of these bytes, so decoding can wait.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from emojob.pipeline.reading.formats import blocks

UNCLOSED = "quote never closed"
BEHIND_QUOTE = "text behind a closing quote"
TOO_LONG = "row too long"

_LINE = re.compile(rb"[^\r\n]*+(?:\r\n|\n|\r)")
_LINE_END = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True)
class Dialect:
    """The byte between fields, and whether quotes hold fields together or are ordinary characters."""

    delimiter: bytes
    quoted: bool = True

    @cached_property
    def field(self) -> re.Pattern[bytes]:
        """One field; it matches the empty field where a quoted one does not end."""
        return re.compile(self._field)

    @cached_property
    def fields(self) -> re.Pattern[bytes]:
        """A record as far as it is well-formed, without its line end."""
        return re.compile(self._fields)

    @cached_property
    def record(self) -> re.Pattern[bytes]:
        """One record with its line end."""
        return re.compile(self._record)

    @cached_property
    def run(self) -> re.Pattern[bytes]:
        """Some thousand records. Neither unbounded, which takes memory for each record, nor possessive: up to
        Python 3.11.4 a possessive group that fails half-way ends in the wrong place.
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


def split_records(data: Iterable[bytes], dialect: Dialect) -> Iterator[tuple[bytes, str | None]]:
    """Cut a file into runs of whole records, (bytes, None), and lines that are none, (bytes, why).

    Where a record does not end as it should, only its first line is given up, and reading goes on behind it. The
    last record may lack its line end. What is a record depends on nothing but the blocks.LONGEST_ROW bytes from its
    beginning on, so that reading may begin at any. Time is bound by a few passes over the bytes.
    """
    data = iter(data)
    buffer, ended = b"", False
    while not ended:
        buffer, ended = _more(buffer, data)
        at = 0
        while at < len(buffer):
            # A CR at the end may be half of a CRLF.
            limit = len(buffer) - (not ended and buffer.endswith(b"\r"))
            within = _within(buffer, at, limit)
            end = _end_of_run(buffer, at, within, dialect)
            if end > at:
                yield buffer[at:end], None
                at = end
                continue
            trouble = _trouble(buffer, at, within, ended, dialect)
            line = _LINE.match(buffer, at, limit)
            if trouble is None or (line is None and len(buffer) - at <= blocks.LONGEST_ROW):
                break
            if line:
                yield line[0], trouble
                at = line.end()
                continue
            yield buffer[at:], TOO_LONG
            buffer, ended = _behind_line(data)
            at = 0
        buffer = buffer[at:]


def _more(buffer: bytes, data: Iterator[bytes]) -> tuple[bytes, bool]:
    """(a buffer of at least twice the size, whether the file ends with it).

    Doubling keeps the time that an open quote takes, looked at again each time, in proportion to its length.
    """
    pieces, size = [buffer], 0
    for block in data:
        pieces.append(block)
        size += len(block)
        if size >= len(buffer):
            return b"".join(pieces), False
    whole = b"".join(pieces)
    return (whole if whole.endswith((b"\n", b"\r")) or not whole else whole + b"\n"), True


def _within(buffer: bytes, at: int, limit: int) -> int:
    """Where the bytes end that a record which begins at `at` may have; never between a CR and its LF."""
    end = at + blocks.LONGEST_ROW
    if end >= limit:
        return limit
    return end - (buffer[end - 1 : end + 1] == b"\r\n")


def _end_of_run(buffer: bytes, at: int, limit: int, dialect: Dialect) -> int:
    """Where the well-formed records that begin at `at` end."""
    if not dialect.quoted or buffer.find(b'"', at, limit) < 0:
        return max(at, buffer.rfind(b"\n", at, limit) + 1, buffer.rfind(b"\r", at, limit) + 1)
    match = dialect.run.match(buffer, at, limit)
    while match and match.end() > at:
        at = match.end()
        match = dialect.run.match(buffer, at, limit)
    return at


def _trouble(buffer: bytes, at: int, limit: int, ended: bool, dialect: Dialect) -> str | None:
    """Why no record begins at `at`; None where more of the file may complete one."""
    match = dialect.fields.match(buffer, at, limit)
    end = match.end() if match else at
    is_open = end < limit and buffer[end : end + 1] == b'"'
    if end < limit and not is_open:  # the next quote closed it; on a later line, that was hardly meant
        return UNCLOSED if _LINE_END.search(buffer, at, end) else BEHIND_QUOTE
    if ended or len(buffer) - at > blocks.LONGEST_ROW:
        return UNCLOSED if is_open else TOO_LONG
    return None


def _behind_line(data: Iterator[bytes]) -> tuple[bytes, bool]:
    """Read past the end of a line: (what was read behind it, whether the file ended)."""
    for block in data:
        end = _LINE_END.search(block)
        if end:
            return block[end.end() :], False
    return b"", True
