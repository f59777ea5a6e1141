"""Reads CSV and TSV files. All columns are strings. Malformed rows are rejected individually."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc

from emojob.pipeline.reading.dialect import Dialect
from emojob.pipeline.reading.formats import encoding as text_encoding
from emojob.pipeline.reading.formats.blocks import text_blocks
from emojob.pipeline.reading.formats.csv_records import TOO_LONG, UNCLOSED, Syntax, split_records
from emojob.pipeline.reading.formats.encoding import codec, decodes
from emojob.pipeline.reading.inputs import InputFile
from emojob.pipeline.reading.row_batches import (
    BEGINNING,
    SPLIT_ROWS,
    Reject,
    RowBatch,
    SplitPoint,
    last_split_point,
)
from emojob.pipeline.reading.source import FileInfo, Source
from emojob.schemas.arrow_text import strings
from emojob.schemas.columns import READ_CHARACTERS
from emojob.schemas.errors import DataError
from emojob.schemas.messages import counted
from emojob.schemas.options import ReadOptions

SAMPLE = 8 << 20  # number of bytes that `_is_quoted` reads
# An unclosed quote in the last _DOUBTFUL bytes of a sample is not an error, because the closing quote may come after
# the sample.
_DOUBTFUL = 64 << 10

_DELIMITERS = {"csv": b",", "tsv": b"\t"}
_RAW_BYTES = 4 * READ_CHARACTERS


def inspect(file: InputFile, options: ReadOptions, count_rows: bool = False) -> FileInfo:
    """Return the hash, encoding, dialect and columns of a CSV or TSV file. All columns are strings.

    In a CSV file, fields may always be in quotes. For a TSV file, `_is_quoted` decides.

    Args:
        file: CSV or TSV file.
        options: Options for reading.
        count_rows: Whether to find the number of rows and the split points.

    Raises:
        DataError: The file is damaged, or the header is missing or cannot be read.
    """
    info = text_encoding.inspect(file, options.encoding)
    quoted = file.format == "csv" or _is_quoted(file, info.encoding)
    dialect = Dialect(_DELIMITERS[file.format].decode(), '"' if quoted else "")
    pieces = split_records(text_blocks(file, info.encoding), _syntax(dialect))
    names = _header(pieces, file, info.encoding, quoted)[0]
    schema = pa.schema([pa.field(name, pa.string()) for name in names])
    source = Source(file, info.size, info.sha256, schema, info.encoding, lines=info.lines, dialect=dialect)
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

    Split points are at least SPLIT_ROWS rows apart. For a compressed file, the list is empty.
    """
    found: list[SplitPoint] = []
    rows = 0
    for offset, block in _blocks(source, BEGINNING):
        rows += block.rows_read
        if not source.file.compression and block.first_row - (found[-1].row if found else 0) >= SPLIT_ROWS:
            found.append(SplitPoint(block.first_row, offset))
    return rows, found


def _syntax(dialect: Dialect) -> Syntax:
    return Syntax(dialect.delimiter.encode(), bool(dialect.quote))


def _blocks(source: Source, split_point: SplitPoint) -> Iterator[tuple[int, RowBatch]]:
    """Yield (byte offset of the first row, rows)."""
    file, encoding, dialect = source.file, source.encoding or "utf-8", source.dialect or Dialect()
    syntax = _syntax(dialect)
    pieces = split_records(text_blocks(file, encoding), syntax)
    names, rest, offset = _header(pieces, file, encoding, syntax.quoted)
    if split_point.row:
        offset = split_point.offset
        pieces = split_records(text_blocks(file, encoding, offset), syntax)
    elif rest:
        pieces = itertools.chain([(rest, None)], pieces)
    parser, row = Parser(names, syntax, encoding), split_point.row
    for piece, trouble in pieces:
        block = parser.parse(piece, row) if trouble is None else parser.reject(piece, row, trouble)
        yield offset, block
        row += block.rows_read
        offset += len(piece)


class Parser:
    """Parses the bytes of records into rows.

    Attributes:
        columns: Number of columns.
    """

    def __init__(self, names: list[str], syntax: Syntax, encoding: str) -> None:
        """Store the arguments.

        Args:
            names: Names of the columns.
            syntax: Delimiter and quoting of the file.
            encoding: utf-8, utf-8-sig or cp949.
        """
        self._names, self._dialect, self._codec = names, syntax, codec(encoding)
        # The fields are numbered, because pyarrow needs unique names, but `names` may contain duplicates.
        self._schema = pa.schema([pa.field(str(i), pa.string()) for i in range(len(names))])
        self.columns = len(names)
        self._blank_is_a_row = self.columns == 1

    def parse(self, run: bytes, first_row: int) -> RowBatch:
        """Parse whole records. `first_row` is the row number of the first record, from 0."""
        try:
            text = run.decode(self._codec)
        except UnicodeDecodeError:
            return self._parse_around(run, first_row)
        return self._parse_utf8(run if self._codec == "utf-8" else text.encode(), first_row)

    def reject(self, line: bytes, row: int, reason: str) -> RowBatch:
        """Return a row batch with no rows and one rejected line. `row` is the row number of the line, from 0."""
        raw = line[:_RAW_BYTES].decode(self._codec, "replace").rstrip("\r\n")
        return RowBatch(self._empty(), row, 1, [Reject(row + 1, reason, raw[:READ_CHARACTERS])])

    def _parse_utf8(self, run: bytes, first_row: int) -> RowBatch:
        if not self._blank_is_a_row and not run.strip(b"\r\n"):
            return RowBatch(self._empty(), first_row, 0, [])
        rejects: list[Reject] = []

        def reject(row: pc.InvalidRow) -> str:
            reason = f"{counted(row.actual_columns, 'field')} where the header has {row.expected_columns:,}"
            rejects.append(Reject(first_row + row.number, reason, row.text[:READ_CHARACTERS]))
            return "skip"

        table = pc.read_csv(
            pa.BufferReader(run),
            pc.ReadOptions(use_threads=False, block_size=len(run) + 1, column_names=self._schema.names),
            pc.ParseOptions(
                delimiter=self._dialect.delimiter.decode(),
                quote_char='"' if self._dialect.quoted else False,
                newlines_in_values=self._dialect.quoted,
                ignore_empty_lines=not self._blank_is_a_row,
                invalid_row_handler=reject,
            ),
            pc.ConvertOptions(column_types=self._schema, strings_can_be_null=False, check_utf8=False),
        )
        batches = table.combine_chunks().to_batches()
        batch = self._named(batches[0]) if batches else self._empty()
        return RowBatch(batch, first_row, batch.num_rows + len(rejects), rejects)

    def _parse_around(self, run: bytes, first_row: int) -> RowBatch:
        """Parse records, and reject the records that cannot be decoded."""
        records = [match[0] for match in self._dialect.record.finditer(run)]
        if not self._blank_is_a_row:
            records = [record for record in records if record.strip(b"\r\n")]
        good = np.array([decodes(record, self._codec) for record in records])
        reason = f"not valid {self._codec}"
        rejects = [self.reject(records[i], first_row + int(i), reason).rejects[0] for i in np.flatnonzero(~good)]
        decoded = b"".join(record for record, is_good in zip(records, good, strict=True) if is_good)
        parsed = self.parse(decoded, 0) if decoded else RowBatch(self._empty(), 0, 0, [])
        positions = first_row + 1 + np.flatnonzero(good)  # row numbers of the good records, from 1
        rejects += [Reject(int(positions[one.position - 1]), one.reason, one.raw) for one in parsed.rejects]
        return RowBatch(parsed.batch, first_row, len(records), sorted(rejects, key=lambda one: one.position))

    def _named(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        return pa.RecordBatch.from_arrays(batch.columns, self._names)

    def _empty(self) -> pa.RecordBatch:
        return self._named(pa.RecordBatch.from_pylist([], schema=self._schema))


def _header(
    pieces: Iterator[tuple[bytes, str | None]], file: InputFile, encoding: str, quoted: bool
) -> tuple[list[str], bytes, int]:
    """Read the header. Return (column names, rest, byte offset of the first row).

    `rest` is the part of the piece after the header. A piece is a result of `split_records`.
    """
    syntax, offset = Syntax(_DELIMITERS[file.format], quoted), 0
    for piece, trouble in pieces:
        offset += len(piece)
        run = piece.lstrip(b"\r\n")
        match = syntax.record.match(run)
        if not run:
            continue
        if trouble or not match:
            raise DataError(f"the header of {file.name} cannot be read ({trouble}); correct the first line")
        try:
            names, rest = [name.decode(codec(encoding)) for name in _fields(match[0], syntax)], run[match.end() :]
            return names, rest, offset - len(rest)
        except UnicodeDecodeError as error:
            raise DataError(
                f"the header of {file.name} is not valid {codec(encoding)}; correct the header, or change --encoding"
            ) from error
    raise DataError(f"{file.name} is empty: there is no header; remove the file from the inputs, or add a header")


def _fields(record: bytes, syntax: Syntax) -> Iterator[bytes]:
    """Yield the values of a well-formed record, without quotes."""
    at = 0
    while match := syntax.field.match(record, at):
        value = match[0]
        yield value[1:-1].replace(b'""', b'"') if syntax.quoted and value.startswith(b'"') else value
        at = match.end() + 1
        if record[match.end() : at] != syntax.delimiter:
            return


def _is_quoted(file: InputFile, encoding: str) -> bool:
    """Return whether fields of a TSV file may be in quotes. Only the first SAMPLE bytes are checked.

    The sample is parsed twice:
    1. Quotes are ordinary characters. This parse succeeds if every line has as many fields as the header.
    2. Fields may be in quotes. This parse succeeds if no record is malformed, and (in a file with several columns) no
       record spans several lines.

    The result is False if the first parse succeeds and the second parse fails.
    """
    sample, whole = _sample_of(text_blocks(file, encoding))
    if b'"' not in sample:
        return True
    if not whole:
        sample = sample[: sample.rfind(b"\n") + 1]
    sample = sample.decode(codec(encoding), "replace").encode()
    columns, records, size = _parse_sample(sample, True, whole, file)
    _, lines, _ = _parse_sample(sample[:size], False, True, file)
    return lines is None or (records is not None and (columns == 1 or records == lines))


def _parse_sample(sample: bytes, quoted: bool, whole: bool, file: InputFile) -> tuple[int, int | None, int]:
    """Parse a sample in UTF-8. Return (number of columns, number of records, number of parsed bytes).

    The number of records is None if a record is malformed.
    """
    syntax, at, records = Syntax(_DELIMITERS[file.format], quoted), 0, 0
    parser: Parser | None = None
    for piece, trouble in split_records([sample], syntax):
        if trouble in (UNCLOSED, TOO_LONG) and not whole and len(sample) - at < _DOUBTFUL:
            break
        at += len(piece)
        run = piece if parser else piece.lstrip(b"\r\n")
        if trouble is None and run and parser is None:
            names, run, _ = _header(iter([(run, None)]), file, "utf-8", quoted)
            parser = Parser(names, syntax, "utf-8")
        if trouble is None and run and parser:
            parsed = parser.parse(run, 0)
            records += parsed.rows_read
            trouble = "ragged" if parsed.rejects else None
        if trouble:
            return parser.columns if parser else 0, None, len(sample)
    return parser.columns if parser else 0, records, at


def _sample_of(blocks: Iterable[bytes]) -> tuple[bytes, bool]:
    """Return (first blocks of a file, whether the file has no more blocks). The blocks end after SAMPLE bytes."""
    pieces: list[bytes] = []
    size = 0
    for block in blocks:
        if size >= SAMPLE:
            return b"".join(pieces), False
        pieces.append(block)
        size += len(block)
    return b"".join(pieces), True
