"""Finds the dialect of a CSV or TSV file by trying every possible dialect on a sample.

A dialect is better if its header has usual names of columns, and then if fewer lines are malformed. A line counts as
malformed, too, if a quote joins it with other lines although each of the lines is a row by itself.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from emojob.pipeline.reading.dialect import Dialect
from emojob.pipeline.reading.formats.delimited.header import Columns, columns_of, find_header, has_known_name
from emojob.pipeline.reading.formats.delimited.line_shapes import shape_of_lines
from emojob.pipeline.reading.formats.delimited.parser import fields_of
from emojob.pipeline.reading.formats.delimited.records import ESCAPED_END, TOO_LONG, UNCLOSED, Syntax, split_records
from emojob.schemas.options import ReadOptions, delimiter_of, escape_of, quote_of

DELIMITERS = ",\t;|^\x01"
# A record that is open at the end of a piece is not an error if it begins in the last _DOUBTFUL bytes.
_DOUBTFUL = 4 << 10
_HEAD = 50  # number of records that may contain the header
_OFTEN = 0.2  # share of the lines that contain the delimiter
# So many lines more must be malformed in a CSV file with quotes than without, before quotes are ordinary characters.
_PRIOR, _PRIOR_SHARE = 2, 0.01
_TIE = 0.5  # instead of _PRIOR, if no field of the file is in quotes
_SHAPED = 1000  # maximum number of rows from which the shape of a line is taken
_REAL = 3  # number of records of several lines that are not a coincidence if no quote is wrong
_SEP = re.compile(rb"(?i)\"?sep=(.)\"?[,;\t]*(?:\r\n|\n|\r)")
_MORE = 3  # so many times more quotes must be behind a backslash than not
_NEARLY_ALL = 0.9  # share of the lines that have a field in single quotes
_SPACED = 0.02  # share of the lines that have a field with a space before its quotes


@dataclass(frozen=True)
class Sample:
    """Parts of a file, for finding its dialect.

    Attributes:
        pieces: The beginning of the file, then whole lines from other places.
        is_whole: Whether `pieces` is the whole file.
        codec: Name of the Python codec that decodes the pieces.
    """

    pieces: tuple[bytes, ...]
    is_whole: bool
    codec: str

    @cached_property
    def all(self) -> bytes:
        """All pieces, one after the other."""
        return b"".join(self.pieces)


@dataclass(frozen=True)
class Record:
    """A record of the sample.

    Attributes:
        raw: The bytes, including the line end.
        first_line: Number of the first line, from 0.
        lines: Number of lines.
        width: Number of fields; -1: the record is malformed; 0: the line is blank.
    """

    raw: bytes
    first_line: int
    lines: int
    width: int


@dataclass(frozen=True)
class Candidate:
    """A dialect that was tried on a sample.

    Attributes:
        dialect: The dialect.
        columns: Columns of the file in this dialect.
        malformed: Number of lines that are malformed.
        joined: How many of these lines are joined with other lines by a quote.
        wrapped: Number of fields whose quotes this dialect keeps or removes, probably by mistake.
        continued: Number of lines that continue a well-formed record.
        lines: Number of lines after the header.
        is_named: Whether the header has the usual name of a column.
        is_rare: Whether few files have such quotes: none, or single quotes of which nothing shows that they are quotes.
        is_torn: Whether the header has a quote that does not belong to it.
        is_unquoted: Whether quotes are ordinary characters, and no field of the whole file is in quotes on one line,
            and no quote is escaped by a backslash.
        has_rows: Whether the sample has a well-formed row.
    """

    dialect: Dialect
    columns: Columns
    malformed: int
    joined: int
    wrapped: int
    continued: int
    lines: int
    is_named: bool
    is_rare: bool
    is_torn: bool
    is_unquoted: bool
    has_rows: bool


def find_dialect(sample: Sample, default: str, options: ReadOptions) -> tuple[Candidate, list[Candidate]]:
    """Return (the best dialect, all dialects that were tried).

    Args:
        sample: Parts of the file.
        default: The usual delimiter of files with this name.
        options: Delimiter, quoting and header, as far as the user has given them.
    """
    tried = [_tried(sample, dialect, default, options) for dialect in _dialects(sample, default, options)]
    return min(tried, key=_rank), tried


def _rank(candidate: Candidate) -> tuple[bool, bool, bool, float]:
    """Return the sort key of a dialect.

    In a file with tabs, quotes around line ends are rare, so each one counts. In other files, quotes that are ordinary
    characters are rare.
    """
    has_tabs, is_wide = candidate.dialect.delimiter == "\t", len(candidate.columns.names) > 1
    penalty = float(candidate.wrapped)
    if candidate.dialect.quote and has_tabs and is_wide:
        penalty += candidate.continued
    if candidate.is_rare and candidate.dialect.delimiter and not has_tabs:
        prior = max(_PRIOR, _PRIOR_SHARE * candidate.lines) / (1 if candidate.continued == 0 else 2 * _PRIOR)
        penalty += _TIE if candidate.is_unquoted else prior
    return candidate.is_torn, not candidate.is_named, candidate.columns.width < 2, candidate.malformed + penalty


def records_of(piece: bytes, syntax: Syntax, is_cut: bool) -> Iterator[Record]:
    """Yield the records of a part of a file. If `is_cut`, the last record may be incomplete; it is left out."""
    at = line = 0
    for run, trouble in split_records([piece] if piece else [], syntax):
        is_open = trouble in (UNCLOSED, TOO_LONG, ESCAPED_END)
        if is_open and is_cut and len(piece) - at < _DOUBTFUL:
            return
        at += len(run)
        for raw in [run] if trouble else (match[0] for match in syntax.record.finditer(run)):
            lines = max(1, len(syntax.line_end.findall(raw)) if b"\r" in raw else raw.count(b"\n"))
            yield Record(raw, line, lines, -1 if trouble else _width(raw, syntax))
            line += lines


def _width(raw: bytes, syntax: Syntax) -> int:
    if not raw.strip(b"\r\n"):
        return 0
    if syntax.has_special(raw, 0, len(raw)):
        return sum(1 for _ in fields_of(raw, syntax))
    return raw.count(syntax.delimiter) + 1 if syntax.delimiter else 1


# -- the dialects that are possible ----------------------------------------------------------------------------------


def _dialects(sample: Sample, default: str, options: ReadOptions) -> Iterator[Dialect]:
    """Yield the possible dialects. The usual ones come first, because the first of equally good dialects is chosen."""
    head = sample.pieces[0]
    skip_rows = options.skip_rows or 0
    separator = _SEP.match(head)
    if options.skip_rows is None and separator:
        skip_rows = 1
    doubled_cr = head.find(b"\r\r\n") >= 0 and head.find(b"\r\r\n") == head.find(b"\r")
    for delimiter in _delimiters(sample, default, options, separator):
        for quote, escape, outside in _quoting(sample.all, delimiter, options):
            found = Dialect(delimiter, quote, escape, skip_rows, outside, doubled_cr, is_usual=False)
            yield found
            if quote == '"' and _count_spaced(sample.all, delimiter):
                yield replace(found, skips_spaces=True)


def _delimiters(sample: Sample, default: str, options: ReadOptions, separator: re.Match[bytes] | None) -> list[str]:
    if options.delimiter is not None:
        return [delimiter_of(options.delimiter)]
    if separator and separator[1].isascii():
        return [separator[1].decode()]
    lines = [line for line in re.split(rb"[\r\n]+", sample.pieces[0]) if line]
    often = max(1, _OFTEN * len(lines))
    others = [one for one in DELIMITERS if sum(one.encode() in line for line in lines) >= often and one != default]
    header = lines[min(options.skip_rows or 0, len(lines) - 1)] if lines else b""
    is_one_field = not any(one.encode() in header for one in DELIMITERS)
    return [default, *others, *([""] if is_one_field else [])]


def _quoting(data: bytes, delimiter: str, options: ReadOptions) -> Iterator[tuple[str, str, bool]]:
    """Yield the possible (quote, escape, whether the escape has an effect outside quotes)."""
    quotes = _quotes(data, delimiter) if options.quote is None else [quote_of(options.quote)]
    has_escapes = re.search(rb"\\[\"'\r\n" + re.escape(delimiter.encode()) + rb"]", data)
    for quote in quotes:
        if options.escape is not None:
            escapes = [escape_of(options.escape, quote)]
        elif not has_escapes:
            escapes = [quote]
        else:
            escapes = ["\\", quote] if _is_escaped(data, quote, delimiter) else [quote, "\\"]
        for escape in escapes:
            yield quote, escape, escape == "\\" and _escapes_outside(data, quote, delimiter)


def _quotes(data: bytes, delimiter: str) -> list[str]:
    """Return the possible quotes. The first of equally good quotes is chosen."""
    start, _ = _edges(delimiter)
    singles = ["'"] if re.search(rb"'" + start, data) else []
    doubles = ['"', ""] if singles or b'"' in data else ['"']
    return [*singles, *doubles] if singles and _has_single_quotes(data, delimiter) else [*doubles, *singles]


def _has_single_quotes(data: bytes, delimiter: str) -> bool:
    """Return whether nearly each line has a field in single quotes.

    A field in single quotes that contains a delimiter or doubled single quotes is enough, too.
    """
    fields = _wrapped(delimiter, "'").findall(data)
    signs = [b"''", *([delimiter.encode()] if delimiter else [])]
    if any(sign in field[1:-1] for field in fields for sign in signs):
        return True
    return len(fields) >= max(1, _NEARLY_ALL * max(data.count(b"\n"), data.count(b"\r")))


def _count_spaced(data: bytes, delimiter: str) -> int:
    """Return the number of fields with a space before their quotes; 0 if most quoted fields have no such space.

    The first field of a line does not count: there is no delimiter before it.
    """
    if not delimiter or delimiter == " " or b' "' not in data:
        return 0
    mark = re.escape(delimiter.encode())
    lines = max(data.count(b"\n"), data.count(b"\r"))
    for line_end in (rb"\r\n", b""):  # fields on one line, because a stray quote cannot join these; then all fields
        escaped = rb"\\[^\r\n]" if line_end else rb"\\(?s:.)"
        inner = rb'"(?:[^"\\' + line_end + rb"]|" + escaped + rb'|"")*+"'
        # Fields are matched as a whole, so that a quote inside another field does not count.
        pattern = rb"(?:\A|([" + mark + rb"])|[\r\n])( *+)" + inner + rb"(?![^" + mark + rb"\r\n])"
        fields = re.findall(pattern, data)
        spaced = sum(bool(before and space) for before, space in fields)
        plain = sum(bool(before and not space) for before, space in fields)
        if spaced > plain and spaced >= _SPACED * lines:
            return spaced
    return 0


def _edges(delimiter: str) -> tuple[bytes, bytes]:
    """Return (pattern behind a quote at the beginning of a field, pattern behind a quote at the end of a field)."""
    edge = re.escape(delimiter.encode()) + rb"\r\n"
    return rb"(?<![^" + edge + rb"].)", rb"(?![^" + edge + rb"])"


def _is_escaped(data: bytes, quote: str, delimiter: str) -> bool:
    """Return whether nearly each quote is behind a backslash. Quotes around fields do not count."""
    mark = quote.encode() or b'"'
    start, end = _edges(delimiter)
    rest, escaped = re.subn(rb"\\" + mark, b"", data.replace(rb"\\", b""))
    bare = re.sub(mark + start + rb"|" + mark + end, b"", rest) if quote else rest
    return escaped > _MORE * bare.count(mark)


def _escapes_outside(data: bytes, quote: str, delimiter: str) -> bool:
    r"""Return whether a backslash also escapes characters outside quotes.

    MySQL and Python write fields so. Spark does not: then a field outside quotes may contain a single backslash, such
    as C:\new. `\N` is the null of MySQL.
    """
    if not quote:
        return True
    mark = re.escape(quote.encode())
    start, _ = _edges(delimiter)
    plain = re.sub(mark + start + rb"(?:[^" + mark + rb"\\]++|\\(?s:.)|" + mark + mark + rb")*+" + mark, b"", data)
    special = rb"\\[" + mark + rb"\"\r\n" + re.escape(delimiter.encode()) + rb"]"
    if re.search(special, plain):
        return True
    single = re.sub(rb"\\\\|\\N", b"", plain)
    return b"\\" not in single


# -- trying a dialect ------------------------------------------------------------------------------------------------


def _tried(sample: Sample, dialect: Dialect, default: str, options: ReadOptions) -> Candidate:
    syntax = Syntax.of(dialect, sample.codec)
    first, *others = [list(records_of(piece, syntax, not sample.is_whole)) for piece in sample.pieces]
    given = [name for name in (options.text_column,) if name]
    first = [record for record in first if record.first_line >= dialect.skip_rows]
    head = [_cells(record, syntax, sample.codec) for record in first[:_HEAD]]
    if options.skip_rows is None and not dialect.skip_rows:
        header = find_header(head, given)
    else:
        header = next((number for number, cells in enumerate(head) if cells), 0)
    if first and header < len(first) and options.skip_rows is None:
        before = [record for record in first[:header] if record.width]
        dialect = replace(dialect, skip_rows=first[header].first_line if before else dialect.skip_rows)
    rows = [record for record in [*first[header + 1 :], *_from_first_row(others, first[header + 1 :])] if record.width]
    return _judged(sample, dialect, syntax, head[header] if head else [], rows, has_known_name(head, header, given))


def _judged(
    sample: Sample, dialect: Dialect, syntax: Syntax, header: list[str], rows: list[Record], is_named: bool
) -> Candidate:
    """Count the malformed lines of a dialect. `rows` are the records after the header, without blank lines."""
    counts = Counter(max(record.width, 1) for record in rows)
    columns = columns_of(header, counts, lambda: [_cells(record, syntax, sample.codec) for record in rows])
    widths = {columns.width, columns.named}
    shape = ""
    if dialect.quote and dialect.quote.encode() in sample.all:
        single = [record for record in rows if record.width == columns.width and record.lines == 1][:_SHAPED]
        shape = shape_of_lines([_cells(record, syntax, sample.codec) for record in single], dialect.delimiter)
        if shape and _is_always_quoted(single, dialect):
            shape = f"(?={dialect.quote}|[^\\r\\n]*?{re.escape(dialect.delimiter)}{dialect.quote}){shape}"
    shaped = replace(syntax, whole_line=shape.encode(sample.codec, "replace"))
    several = [record for record in rows if record.width in widths and record.lines > 1]
    joined = [record for record in several if shape and shaped.is_joined(record.raw)]
    if len(joined) >= _REAL and not any(record.width < 0 for record in rows):
        shape, joined = "", []
    malformed = sum(record.lines for record in (*joined, *(one for one in rows if one.width not in widths)))
    found = replace(
        dialect,
        width=columns.width if columns.width != len(header) else 0,
        named=columns.named if columns.named != columns.width else 0,
        ignored=columns.ignored,
        whole_line=shape,
    )
    wrapped = _count_wrapped(sample.all, dialect)
    return Candidate(
        found,
        columns,
        malformed,
        joined=sum(one.lines for one in joined),
        wrapped=wrapped,
        continued=sum(record.lines - 1 for record in several) - sum(record.lines - 1 for record in joined),
        lines=sum(record.lines for record in rows),
        is_named=is_named,
        is_rare=not dialect.quote or (dialect.quote == "'" and not _has_single_quotes(sample.all, dialect.delimiter)),
        is_torn=not dialect.quote and any(cell.count('"') % 2 for cell in header),
        is_unquoted=not dialect.quote and not wrapped and sample.is_whole and b'\\"' not in sample.all,
        has_rows=any(record.width in widths for record in rows),
    )


def _is_always_quoted(rows: Sequence[Record], dialect: Dialect) -> bool:
    """Return whether each row has a field in quotes, also where the field needs none."""
    (start, end), mark = _edges(dialect.delimiter), re.escape(dialect.quote.encode())
    quoted = re.compile(mark + start)
    plain = mark + start + rb"[^" + mark + re.escape(dialect.delimiter.encode()) + rb"\r\n]*+" + mark + end
    return all(quoted.search(row.raw) for row in rows) and any(re.search(plain, row.raw) for row in rows)


def _count_wrapped(data: bytes, dialect: Dialect) -> int:
    """Return the number of fields whose quotes would be values, or would be removed, by mistake."""
    doubles = 0 if dialect.quote else len(_wrapped(dialect.delimiter, '"').findall(data))
    doubles += 0 if dialect.skips_spaces else _count_spaced(data, dialect.delimiter)
    singles = len(_wrapped(dialect.delimiter, "'").findall(data))
    is_usual = _has_single_quotes(data, dialect.delimiter)
    if dialect.quote == "'":  # if single quotes are ordinary characters, this dialect would remove them
        return 0 if is_usual else 2 * singles
    return doubles + (singles if is_usual else 0)


def _wrapped(delimiter: str, quote: str) -> re.Pattern[bytes]:
    """Return a pattern that matches a field in quotes, on one line."""
    mark = quote.encode()
    start, end = _edges(delimiter)
    inner = rb"(?:[^" + mark + rb"\\\r\n]|\\[^\r\n]|" + mark + mark + rb")*+"
    return re.compile(mark + start + inner + mark + end)


def _cells(record: Record, syntax: Syntax, codec: str) -> list[str]:
    """Return the cells of a record; of a malformed record, the whole line; of a blank line, no cells."""
    if record.width <= 0:
        return [record.raw.decode(codec, "replace").rstrip("\r\n")] if record.width else []
    return [cell.decode(codec, "replace") for cell in fields_of(record.raw, syntax)]


def _from_first_row(pieces: Sequence[Sequence[Record]], rows: Sequence[Record]) -> Iterator[Record]:
    """Yield the records of the other pieces. A piece may begin inside a record, so its first lines may be malformed."""
    widths = {record.width for record in rows if record.width > 0}
    for piece in pieces:
        start = next((number for number, record in enumerate(piece) if record.width in widths), 0)
        yield from piece[start:]
