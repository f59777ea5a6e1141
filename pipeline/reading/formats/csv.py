"""Reads CSV and TSV files. All columns are strings. Malformed rows are rejected individually."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import pyarrow as pa

from emojob.pipeline.reading.dialect import Dialect
from emojob.pipeline.reading.files.input_file import InputFile, UnknownContent
from emojob.pipeline.reading.formats import encoding as text_encoding
from emojob.pipeline.reading.formats.blocks import LONGEST_ROW, has_offsets, text_blocks
from emojob.pipeline.reading.formats.delimited.dialects import Candidate, Sample, find_dialect
from emojob.pipeline.reading.formats.delimited.header import columns_of
from emojob.pipeline.reading.formats.delimited.notes import delimiter_name, dialect_notes
from emojob.pipeline.reading.formats.delimited.parser import Parser, fields_of
from emojob.pipeline.reading.formats.delimited.records import Syntax, split_records
from emojob.pipeline.reading.formats.encoding import TextInfo, codec
from emojob.pipeline.reading.row_batches import BEGINNING, SPLIT_ROWS, RowBatch, SplitPoint, last_split_point
from emojob.pipeline.reading.source import FileInfo, Source
from emojob.schemas.arrow_text import strings
from emojob.schemas.errors import DataError
from emojob.schemas.options import ReadOptions

LINES, TEXT = "lines", "text"  # the format of a file with one utterance on each line, and its column
_DELIMITERS = {"csv": ",", "tsv": "\t"}
_JSON = re.compile(r'\[\s*(?:[\[{]|"(?:[^"\\]|\\.)*"\s*[,\]])|\{\s*"(?:[^"\\]|\\.)*"\s*:')  # the beginning of JSON
_FORMATS = {"\t": "tsv", "": LINES}


def inspect(file: InputFile, options: ReadOptions, count_rows: bool = False) -> FileInfo:
    """Return the hash, encoding, dialect and columns of a text file with a table. All columns are strings.

    Args:
        file: The file. Its format is csv or tsv, or another name if only the content shows whether it is a table.
        options: Options for reading. `format` may be `lines`: each line is an utterance.
        count_rows: Whether to find the number of rows and the split points.

    Raises:
        DataError: The file is damaged, the header is missing or cannot be read, or the content is not a table.
    """
    info = text_encoding.inspect(file, options.encoding)
    is_lines = LINES in (options.format, file.format)
    if is_lines:
        dialect, notes = (
            Dialect("", "", "", options.skip_rows or 0, has_header=False, is_usual=False),
            tuple[str, ...](),
        )
    else:
        dialect, notes = _find_dialect(file, info, options)
    names = [TEXT] if is_lines else _columns(file, info.encoding, dialect)
    schema = pa.schema([pa.field(name, pa.string()) for name in names])
    kind = file.format if file.format in _DELIMITERS else _FORMATS.get(dialect.delimiter, "csv")
    source = Source(
        replace(file, format=kind), info.size, info.sha256, schema, info.encoding, lines=info.lines, dialect=dialect,
        notes=(*notes, *info.notes), unpacked=info.unpacked,
    )  # fmt: skip
    if not count_rows:
        return FileInfo(source)
    rows, points = survey(source)
    return FileInfo(replace(source, rows=rows, split_points=tuple(points)))


def first_rows(source: Source, most: int = 20) -> tuple[list[str], list[list[str]]]:
    """Return (cells of the header, cells of the first rows).

    Args:
        source: CSV or TSV file.
        most: Maximum number of rows.
    """
    names: list[str] = []
    rows: list[list[str]] = []
    for _, block in _blocks(source, BEGINNING):
        names = names or block.batch.schema.names
        cells = [strings(column).to_pylist() for column in block.batch.slice(0, most - len(rows)).columns]
        rows += map(list, zip(*cells, strict=True))
        if len(rows) >= most:
            break
    return names, rows


def read(
    source: Source, start_row: int = 0, rows: int | None = None, columns: Sequence[str] | None = None
) -> Iterator[RowBatch]:
    """Yield the rows of a file, beginning at the last split point before `start_row`.

    All columns are read, in blocks of any size.
    """
    for _, block in _blocks(source, last_split_point(source.split_points, start_row)):
        yield block


def survey(source: Source) -> tuple[int, list[SplitPoint]]:
    """Read a whole file and return (number of rows, split points).

    Split points are at least SPLIT_ROWS rows apart. For a compressed file and for UTF-16, the list is empty.
    """
    found: list[SplitPoint] = []
    rows, can_split = 0, has_offsets(source.file, source.encoding)
    for offset, block in _blocks(source, BEGINNING):
        rows += block.rows_read
        if can_split and block.first_row - (found[-1].row if found else 0) >= SPLIT_ROWS:
            found.append(SplitPoint(block.first_row, offset))
    return rows, found


def _find_dialect(file: InputFile, info: TextInfo, options: ReadOptions) -> tuple[Dialect, tuple[str, ...]]:
    """Return (dialect, messages for the user). Raises DataError if the content is not a table."""
    default = _DELIMITERS.get(options.format) or _DELIMITERS.get(file.format)
    sample = Sample(info.sample, info.is_whole, codec(info.encoding))
    best, tried = find_dialect(sample, default or "\t", options)
    if not best.is_named:
        _check_json(file, sample)
    if default is None and options.delimiter is None and not (best.is_named and best.has_rows):
        raise UnknownContent(
            f"{file.name} is not a table: no line at its beginning has the usual name of a column, such as text, "
            "between tabs, commas, semicolons, | or ^. To read each line as an utterance, give --format lines; to read "
            "a table with other names, give --format csv or --format tsv, and --text-column NAME"
        )
    if options.delimiter is not None and len(best.columns.names) < 2:
        _check_delimiter(file, sample, best, default, options)
    usual = _is_usual(best, tried, _DELIMITERS.get(file.format, ""), sample)
    dialect = replace(best.dialect, is_usual=usual)
    return dialect, dialect_notes(best, default or "\t", sample)


def _check_json(file: InputFile, sample: Sample) -> None:
    """Raise an error with the right --format if the content is JSON."""
    text = sample.pieces[0].decode(sample.codec, "replace").strip()
    kind, what = ("json", "JSON") if _JSON.match(text) else ("", "")
    with contextlib.suppress(ValueError, RecursionError):
        if text and isinstance(json.loads(text.splitlines()[0]), dict):
            kind, what = "jsonl", "JSON lines"
    if kind:
        error = (DataError if file.format in _DELIMITERS else UnknownContent)(
            f"{file.name} is not a table, but {what}; give --format {kind}, or change the end of its name to .{kind}"
        )
        if isinstance(error, UnknownContent):
            error.format = kind
        raise error


def _check_delimiter(
    file: InputFile, sample: Sample, best: Candidate, default: str | None, options: ReadOptions
) -> None:
    """Raise DataError if a file has only one column with --delimiter, but several columns with another delimiter."""
    other, _ = find_dialect(sample, default or "\t", replace(options, delimiter=None))
    if len(other.columns.names) > 1 and other.is_named >= best.is_named:
        raise DataError(
            f"--delimiter {options.delimiter!r} does not separate the fields of {file.name}: they are separated by "
            f"{delimiter_name(other.dialect.delimiter)}; omit --delimiter, or correct it"
        )


def _is_usual(best: Candidate, tried: Sequence[Candidate], default: str, sample: Sample) -> bool:
    """Return whether earlier versions of emojob read the file with the same dialect.

    They did not search for a dialect. Only in a TSV file, quotes were ordinary characters if each line had as many
    fields as the header, and quotes did not fit.
    """
    found = best.dialect
    has_other_lines = found.doubled_cr and len(best.columns.names) == 1
    is_other = found.skips_spaces or found.skip_rows or found.width
    if not default or found.delimiter != default or is_other or has_other_lines:
        return False
    if default == ",":
        return (found.quote, found.escape) == ('"', '"')
    same = [one for one in tried if one.dialect.delimiter == default and not one.dialect.skips_spaces]
    by_quote = {one.dialect.quote: one for one in same}
    quoted, plain = by_quote.get('"'), by_quote.get("")
    was_quoted = True
    if quoted and plain and b'"' in sample.all:
        has_several = quoted.continued + quoted.joined > 0 and len(quoted.columns.names) > 1
        fits = quoted.malformed == quoted.joined and not has_several
        was_quoted = plain.malformed > 0 or fits
    return (found.quote, found.escape) == (('"', '"') if was_quoted else ("", ""))


def _blocks(source: Source, split_point: SplitPoint) -> Iterator[tuple[int, RowBatch]]:
    """Yield (byte offset of the first row, rows)."""
    file, encoding, dialect = source.file, source.encoding or "utf-8", source.dialect or Dialect()
    syntax = Syntax.of(dialect, codec(encoding))
    header, pieces, rest, offset = _header(file, encoding, dialect)
    if split_point.row:
        offset = split_point.offset
        pieces = split_records(text_blocks(file, encoding, offset), syntax)
    elif rest:
        pieces = itertools.chain([(rest, None)], pieces)
    folders = {name for name, _ in file.partitions}
    names = [name for name in source.schema.names if name not in folders]
    parser, row = Parser(header, names, dialect, encoding, file.name), split_point.row
    for piece, trouble in pieces:
        block = parser.parse(piece, row) if trouble is None else parser.reject(piece, row, trouble)
        yield offset, block
        row += block.rows_read
        offset += len(piece)


def _columns(file: InputFile, encoding: str, dialect: Dialect) -> list[str]:
    """Return the names of the columns."""
    header, *_ = _header(file, encoding, dialect)
    width = dialect.width or len(header)
    empty = [""] * width
    kept = ["x" if number not in dialect.ignored else "" for number in range(width)]
    return columns_of((header + empty)[:width], {width: 1}, lambda: [kept]).names


def _header(
    file: InputFile, encoding: str, dialect: Dialect
) -> tuple[list[str], Iterator[tuple[bytes, str | None]], bytes, int]:
    """Read the header. Return (cells, pieces after the header, rest, byte offset of the first row).

    A piece is a result of `split_records`. `rest` is the part after the header of the piece that contains the header.
    """
    syntax = Syntax.of(dialect, codec(encoding))
    skipped, blocks = _skip_lines(text_blocks(file, encoding), dialect.skip_rows, syntax)
    pieces = split_records(blocks, syntax)
    if not dialect.has_header:
        return [], pieces, b"", skipped
    offset, line = skipped, dialect.skip_rows
    for piece, trouble in pieces:
        offset += len(piece)
        run = piece.lstrip(b"\r\n")
        match = syntax.record.match(run)
        if not run:
            continue
        if trouble or not match:
            raise DataError(f"the header of {file.name} cannot be read ({trouble}); correct the first line")
        try:
            cells = [cell.decode(codec(encoding)) for cell in fields_of(match[0], syntax)]
        except UnicodeDecodeError as error:
            raise DataError(
                f"the header of {file.name} is not valid {codec(encoding)}; correct the header, or change --encoding"
            ) from error
        rest = run[match.end() :]
        return cells, pieces, rest, offset - len(rest)
    if line:
        raise DataError(f"{file.name} has no header after {line:,} lines; give a smaller number with --skip-rows")
    raise DataError(f"{file.name} is empty: there is no header; remove the file from the inputs, or add a header")


def _skip_lines(blocks: Iterable[bytes], count: int, syntax: Syntax) -> tuple[int, Iterator[bytes]]:
    """Skip the first `count` lines. Return (number of skipped bytes, the other bytes)."""
    blocks = iter(blocks)
    buffer, skipped = b"", 0
    while count:
        block = next(blocks, None)
        buffer += block or b""
        at = 0
        while count and (end := syntax.line_end.search(buffer, at)) and (end.end() < len(buffer) or block is None):
            at, count = end.end(), count - 1
        if count and block is None:
            at, count = len(buffer), 0
        if at == 0 and len(buffer) > LONGEST_ROW:  # a line end may begin at the end
            at = len(buffer) - 2
        skipped, buffer = skipped + at, buffer[at:]
    return skipped, itertools.chain([buffer] if buffer else [], blocks)
