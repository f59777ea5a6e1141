"""Finds where the records of CSV and TSV files begin and end, before decoding.

The rules follow RFC 4180, with other characters where the dialect of the file has them:
- If a field begins with a quote, it ends with a quote. Inside the field, a quote is written twice or after an escape
  character, and line ends belong to the value.
- In other fields, a quote is an ordinary character.
- A record ends with CRLF, LF or CR.

In cp949 and UTF-8, the bytes of quotes, delimiters and line ends never occur inside other characters. So searching
undecoded bytes is safe.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from emojob.pipeline.reading.dialect import Dialect
from emojob.pipeline.reading.formats import blocks

UNCLOSED = "quote never closed"
AFTER_QUOTE = "text after a closing quote"
TOO_LONG = "row too long"
ESCAPED_END = "nothing after the escape character"

_ANY = rb"(?:\r\n|(?s:.))"  # the character, or the line end, after an escape character


@dataclass(frozen=True)
class Syntax:
    """Delimiter and quoting of a CSV or TSV file, as patterns for bytes.

    Attributes:
        delimiter: Byte that separates fields; b"" if each line is one field.
        quote: Byte around fields; b"" if a quote is an ordinary character.
        escape: Byte before a quote inside quotes; equal to `quote` if the quote is written twice; b"" if there is none.
        escapes_outside: Whether the escape byte also has an effect outside quotes.
        doubled_cr: Whether CR CR LF is one line end.
        whole_line: See `Dialect.whole_line`.
        skips_spaces: Whether spaces between a delimiter and a quote are left out.
    """

    delimiter: bytes
    quote: bytes = b'"'
    escape: bytes = b'"'
    escapes_outside: bool = False
    doubled_cr: bool = False
    whole_line: bytes = b""
    skips_spaces: bool = False

    @classmethod
    def of(cls, dialect: Dialect, codec: str = "utf-8") -> Syntax:
        """Return the syntax of a dialect. `codec` is the name of the Python codec that decodes the file."""
        return cls(
            dialect.delimiter.encode(),
            dialect.quote.encode(),
            dialect.escape.encode(),
            dialect.escapes_outside,
            dialect.doubled_cr,
            dialect.whole_line.encode(codec, "replace") if dialect.quote else b"",
            dialect.skips_spaces,
        )

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

    @cached_property
    def escaped_in_quotes(self) -> re.Pattern[bytes]:
        """Pattern like `escaped` for fields in quotes. Group 2 is the second one of two quotes."""
        quote = re.escape(self.quote)
        return re.compile(self.escaped.pattern + rb"|" + quote + rb"(" + quote + rb")")

    @cached_property
    def escaped(self) -> re.Pattern[bytes]:
        """Pattern that matches an escape character and, as group 1, a character that it escapes.

        An escape character in front of another character, such as the backslash in C:\\new, belongs to the value.
        """
        special = re.escape(self.escape) + re.escape(self.quote or b'"') + re.escape(self.delimiter)
        return re.compile(re.escape(self.escape) + rb"(\r\n|[" + special + rb"\r\n])")

    @cached_property
    def line(self) -> re.Pattern[bytes]:
        """Pattern that matches a line, including its line end."""
        return re.compile(rb"[^\r\n]*+" + self._line_end)

    @cached_property
    def line_end(self) -> re.Pattern[bytes]:
        """Pattern that matches a line end."""
        return re.compile(self._line_end)

    @cached_property
    def open_quote(self) -> re.Pattern[bytes]:
        """Pattern that matches a quote at the beginning of a field that has no closing quote in the same line."""
        quote, before = re.escape(self.quote), re.escape(self.delimiter) + rb"\r\n" + self._space
        inner, escape = rb"[^" + quote + rb"\r\n]++|" + quote + quote, b""
        if self.escape and self.escape != self.quote:
            escape = re.escape(self.escape)
            inner = rb"[^" + quote + escape + rb"\r\n]++|" + escape + rb"[^\r\n]|" + quote + quote
            escape += b"?"
        start = quote + rb"(?<![^" + before + rb"]" + quote + rb")"  # the quote comes first, because this is faster
        return re.compile(start + rb"(?:" + inner + rb")*+" + escape + rb"[\r\n]")

    @cached_property
    def spaced(self) -> re.Pattern[bytes]:
        """Pattern that matches a quoted field and the character before it. Group 2 is the spaces before the quote."""
        return re.compile(rb"(\A|[" + re.escape(self.delimiter) + rb"\r\n])( *+)(" + self._quoted + rb")")

    @cached_property
    def row(self) -> re.Pattern[bytes]:
        """Pattern that matches a line that is a row by itself (see `whole_line`), including its line end."""
        return re.compile(rb"(?:" + self.whole_line + rb")" + self._line_end)

    @cached_property
    def later_row(self) -> re.Pattern[bytes]:
        """Pattern like `row` for a line that is not the first one."""
        return re.compile(rb"(?<=[\r\n])(?:" + self.whole_line + rb")" + self._line_end)

    def is_joined(self, record: bytes) -> bool:
        """Return whether a record joins lines that are rows by themselves: the first line and another line.

        A line of a text that quotes a row has doubled quotes, so it is not well-formed.
        """
        first = self.row.match(record)
        if not first:
            return False
        for line in self.later_row.finditer(record, first.end()):
            alone = self.record.match(record, line.start())
            if alone and alone.end() == line.end():
                return True
        return False

    @property
    def is_by_line(self) -> bool:
        """Whether each line is a record, whatever it contains."""
        return not self.quote and not self.escapes_outside

    def has_special(self, data: bytes, start: int, end: int) -> bool:
        """Return whether a line end in a part of `data` may belong to a value."""
        if self.quote and data.find(self.quote, start, end) >= 0:
            return True
        return self.escapes_outside and data.find(self.escape, start, end) >= 0

    @property
    def _line_end(self) -> bytes:
        return rb"(?:\r\r\n|\r\n|\n|\r)" if self.doubled_cr else rb"(?:\r\n|\n|\r)"

    @property
    def _field(self) -> bytes:
        end, escape = re.escape(self.delimiter) + rb"\r\n", re.escape(self.escape)
        plain = (
            rb"(?:[^" + escape + end + rb"]++|" + escape + _ANY + rb")*+"
            if self.escapes_outside
            else rb"[^" + end + rb"]*+"
        )
        if not self.quote:
            return plain
        quote = re.escape(self.quote)
        if self.skips_spaces:
            return rb"(?: *+" + self._quoted + rb"|(?! *+" + quote + rb")" + plain + rb"|)"
        unquoted = rb"(?!" + quote + rb")" + plain if self.escapes_outside else rb"[^" + quote + end + rb"]" + plain
        return rb"(?:" + self._quoted + rb"|" + unquoted + rb"|)"

    @property
    def _space(self) -> bytes:
        return b" " if self.skips_spaces else b""

    @property
    def _quoted(self) -> bytes:
        quote, escape = re.escape(self.quote), re.escape(self.escape)
        if self.escape and self.escape != self.quote:
            inner = rb"(?:[^" + quote + escape + rb"]++|" + escape + rb"(?s:.)|" + quote + quote + rb")*+"
        else:
            inner = rb"(?:[^" + quote + rb"]++|" + quote + quote + rb")*+" if self.escape else rb"[^" + quote + rb"]*+"
        return quote + inner + quote

    @property
    def _fields(self) -> bytes:
        if not self.delimiter:
            return self._field
        return self._field + rb"(?:" + re.escape(self.delimiter) + self._field + rb")*+"

    @property
    def _record(self) -> bytes:
        return self._fields + self._line_end


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
            limit = len(buffer) if ended else _before_line_end(buffer, len(buffer), syntax)
            within = _longest_end(buffer, at, limit, syntax)
            end = _end_of_run(buffer, at, within, syntax)
            if end > at:
                at = yield from _separated(buffer, at, end, within, syntax)
                continue
            trouble = _trouble(buffer, at, within, ended, syntax)
            line = syntax.line.match(buffer, at, limit)
            if trouble is None or (line is None and len(buffer) - at <= blocks.LONGEST_ROW):
                break
            if line:
                yield line[0], trouble
                at = line.end()
                continue
            yield buffer[at:], TOO_LONG
            buffer, ended = _skip_line(data, syntax)
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


def _separated(
    buffer: bytes, at: int, end: int, limit: int, syntax: Syntax
) -> Generator[tuple[bytes, str | None], None, int]:
    """Yield the pieces of well-formed records, and return the end offset. See `split_records`.

    A record is malformed after all if it consists of lines that are rows by themselves: then a stray quote has joined
    the lines.

    Args:
        buffer: Bytes of the file.
        at: Offset of the first record.
        end: End offset of the last record.
        limit: Maximum end offset of a record, if lines are no longer joined.
        syntax: Delimiter and quoting of the file.
    """
    if not syntax.whole_line or not _may_be_joined(buffer, at, end, syntax):
        yield buffer[at:end], None
        return end
    start = at
    while at < end:
        match = syntax.record.match(buffer, at, limit)
        if not match:
            break
        line = syntax.line.match(buffer, at, limit)
        if line and line.end() < match.end() and syntax.is_joined(match[0]):
            if start < at:
                yield buffer[start:at], None
            yield line[0], UNCLOSED
            start = at = line.end()
        else:
            at = match.end()
    if start < at:
        yield buffer[start:at], None
    return at


def _may_be_joined(buffer: bytes, at: int, end: int, syntax: Syntax) -> bool:
    """Return whether a quote may join lines that are rows by themselves. `at` and `end` are offsets of records."""
    for quote in syntax.open_quote.finditer(buffer, at, end):
        start = max(buffer.rfind(b"\n", at, quote.start()) + 1, at)
        start = max(buffer.rfind(b"\r", start, quote.start()) + 1, start)
        first = syntax.row.match(buffer, start, end)
        if first:
            close = buffer.find(syntax.quote, first.end(), end)
            line_end = syntax.line_end.search(buffer, close, end) if close >= 0 else None
            if syntax.later_row.search(buffer, first.end(), line_end.end() if line_end else end):
                return True
    return False


def _longest_end(buffer: bytes, at: int, limit: int, syntax: Syntax) -> int:
    """Return the maximum end offset of a record that begins at `at`. The offset is never inside a line end."""
    end = at + blocks.LONGEST_ROW
    return limit if end >= limit else _before_line_end(buffer, end, syntax)


def _before_line_end(buffer: bytes, end: int, syntax: Syntax) -> int:
    """Return `end`, or the offset of the line end that may continue after `end`."""
    for _ in range(2 if syntax.doubled_cr else 1):
        end -= end > 0 and buffer[end - 1 : end] == b"\r"
    return end


def _end_of_run(buffer: bytes, at: int, limit: int, syntax: Syntax) -> int:
    """Return the end offset of consecutive well-formed records. The first record begins at `at`.

    If the first record is malformed or incomplete, return `at`.
    """
    if syntax.is_by_line or not syntax.has_special(buffer, at, limit):
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
    start = end
    while syntax.skips_spaces and buffer[start : start + 1] == b" ":
        start += 1
    is_open = start < limit and buffer[start : start + 1] == syntax.quote
    is_cut = end + 1 == limit and buffer[end:limit] == syntax.escape
    if end < limit and not is_open and not is_cut and not syntax.is_by_line:
        # Text follows a closing quote. If the fields contain a line end, an opening quote was probably never closed.
        return UNCLOSED if syntax.line_end.search(buffer, at, end) else AFTER_QUOTE
    if len(buffer) - at > blocks.LONGEST_ROW:
        return UNCLOSED if is_open else TOO_LONG
    if ended:
        return UNCLOSED if is_open else ESCAPED_END
    return None


def _skip_line(data: Iterator[bytes], syntax: Syntax) -> tuple[bytes, bool]:
    """Skip to the end of the line. Return (bytes after the line end, whether the file has ended)."""
    for block in data:
        end = syntax.line_end.search(block)
        if end:
            return block[end.end() :], False
    return b"", True
