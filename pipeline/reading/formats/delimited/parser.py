"""Parses whole records of a CSV or TSV file into rows. pyarrow parses; this module repairs and rejects rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
from numpy.typing import NDArray

from emojob.pipeline.reading.dialect import Dialect
from emojob.pipeline.reading.formats.delimited.records import Syntax
from emojob.pipeline.reading.formats.encoding import codec, decodes
from emojob.pipeline.reading.row_batches import Reject, RowBatch
from emojob.schemas.columns import READ_CHARACTERS, folded
from emojob.schemas.errors import DataError
from emojob.schemas.messages import counted

HEADER_AGAIN = "header again"
_RAW_BYTES = 4 * READ_CHARACTERS
_TRIMMED = " \t\u00a0\ufeff"


def fields_of(record: bytes, syntax: Syntax) -> Iterator[bytes]:
    """Yield the values of a well-formed record, without quotes and escape characters."""
    at = 0
    while match := syntax.field.match(record, at):
        yield _value(match[0], syntax)
        at = match.end() + 1
        if not syntax.delimiter or record[match.end() : at] != syntax.delimiter:
            return


def _value(field: bytes, syntax: Syntax) -> bytes:
    quote, escape = syntax.quote, syntax.escape
    if syntax.skips_spaces and field.lstrip(b" ").startswith(quote):
        field = field.lstrip(b" ")
    is_quoted = bool(quote) and field.startswith(quote)
    value = field[1:-1] if is_quoted else field
    if is_quoted and escape and escape != quote:
        return syntax.escaped_in_quotes.sub(rb"\1\2", value)
    if syntax.escapes_outside and not is_quoted:
        return syntax.escaped.sub(rb"\1", value)
    return value.replace(quote + quote, quote) if is_quoted and escape else value


class Parser:
    """Parses the bytes of records into rows.

    Attributes:
        names: Names of the columns.
    """

    def __init__(self, header: Sequence[str], names: Sequence[str], dialect: Dialect, encoding: str, file: str) -> None:
        """Store the arguments.

        Args:
            header: The cells of the header, as they are in the file. Empty: the file has no header.
            names: Names of the columns. There are fewer than cells of the header if the dialect ignores fields.
            dialect: Dialect of the file.
            encoding: Encoding of the file, such as utf-8 or cp949.
            file: Name of the file, for messages.
        """
        self._file = file
        self.names, self._dialect, self._encoding, self._codec = list(names), dialect, encoding, codec(encoding)
        self._syntax, self._utf8 = Syntax.of(dialect, self._codec), Syntax.of(dialect)
        self._width = dialect.width or len(header) or 1
        self._header = list(header)[: self._width]
        self._kept = [number for number in range(self._width) if number not in dialect.ignored]
        # The fields are numbered, because pyarrow needs unique names, but `names` may contain duplicates.
        self._schema = pa.schema([pa.field(str(i), pa.string()) for i in range(self._width)])
        self._blank_is_a_row = self._width == 1

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

    # -- records in UTF-8 ------------------------------------------------------------------------------------------

    def _parse_utf8(self, run: bytes, first_row: int) -> RowBatch:
        if not self._blank_is_a_row and not run.strip(b"\r\n"):
            return RowBatch(self._empty(), first_row, 0, [])
        rejects: list[Reject] = []

        def reject(row: pcsv.InvalidRow) -> str:
            reason = f"{counted(row.actual_columns, 'field')} where the header has {self._expected:,}"
            rejects.append(Reject(first_row + row.number, reason, row.text[:READ_CHARACTERS]))
            return "skip"

        batch = self._table(run, reject)
        if rejects and self._dialect.named and any(one.reason == self._short for one in rejects):
            rejects.clear()
            batch = self._table(self._widened(run), reject)
        return self._checked(RowBatch(batch, first_row, batch.num_rows + len(rejects), rejects))

    @property
    def _expected(self) -> int:
        return self._dialect.named or self._width

    @property
    def _short(self) -> str:
        """Reason of a rejected row that lacks only the last fields, which have no name and no value."""
        return f"{counted(self._expected, 'field')} where the header has {self._expected:,}"

    def _table(self, run: bytes, reject: Callable[[pcsv.InvalidRow], str]) -> pa.RecordBatch:
        """Return the rows of records in UTF-8, with a column for each field."""
        if not self._dialect.delimiter:
            records = (record[0] for record in self._utf8.record.finditer(run))
            values = [next(fields_of(record, self._utf8)).decode() for record in records]
            return pa.record_batch([pa.array(values, pa.string())], schema=self._schema)
        run, quote = self._canonical(run)
        table = pcsv.read_csv(
            pa.BufferReader(run),
            pcsv.ReadOptions(use_threads=False, block_size=len(run) + 1, column_names=self._schema.names),
            pcsv.ParseOptions(
                delimiter=self._dialect.delimiter,
                quote_char=quote or False,
                newlines_in_values=bool(quote),
                ignore_empty_lines=not self._blank_is_a_row,
                invalid_row_handler=reject,
            ),
            pcsv.ConvertOptions(column_types=self._schema, strings_can_be_null=False, check_utf8=False),
        )
        batches = table.combine_chunks().to_batches()
        return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=self._schema)

    def _canonical(self, run: bytes) -> tuple[bytes, str]:
        """Return (records that pyarrow reads correctly, quote character of these records).

        pyarrow removes each backslash in front of a character, also where the backslash belongs to the value. So
        records with escape characters are written anew, with doubled quotes. CR CR LF becomes LF. Spaces before a quote
        are removed if the dialect leaves them out.
        """
        syntax, quote = self._utf8, self._dialect.quote
        escape = syntax.escape if syntax.escape != syntax.quote else b""
        has_escapes = bool(escape) and escape in run
        if syntax.doubled_cr and b"\r\r\n" in run:
            pieces = [syntax.fields.match(record)[0] + b"\n" for record in _records(run, syntax)]  # type: ignore[index]
            run = b"".join(pieces)
        if syntax.skips_spaces:  # pyarrow would take the spaces and the quote as a value
            run = syntax.spaced.sub(rb"\1\3", run)
        if not has_escapes:
            return run, quote
        new_quote = quote or '"'
        special = (escape,) if quote else (escape, b'"')
        records = _records(run, syntax)
        run = b"".join(
            _rewritten(record, syntax, new_quote.encode()) if any(one in record for one in special) else record
            for record in records
        )
        return run, new_quote

    def _widened(self, run: bytes) -> bytes:
        """Return the records, with the missing last delimiters of records that have no fields without a name."""
        missing = self._utf8.delimiter * (self._width - self._dialect.named)
        widened = []
        for record in _records(run, self._utf8):
            is_short = record.strip(b"\r\n") and sum(1 for _ in fields_of(record, self._utf8)) == self._dialect.named
            end = self._utf8.fields.match(record).end() if is_short else 0  # type: ignore[union-attr]
            widened.append(record[:end] + missing + record[end:] if is_short else record)
        return b"".join(widened)

    def _checked(self, parsed: RowBatch) -> RowBatch:
        """Reject rows that repeat the header, and rows with a value in an ignored field. Return the named columns."""
        batch, reasons = parsed.batch, dict[int, str]()
        if any(self._header):
            reasons = dict.fromkeys(self._headers(parsed), HEADER_AGAIN)
        for number in self._dialect.ignored:
            filled = pc.not_equal(batch.column(number), "").to_numpy(zero_copy_only=False)
            for row in np.flatnonzero(filled).tolist():
                reasons.setdefault(row, f"a value in column {number + 1}, which has no name")
        if reasons:
            parsed = self._without(parsed, reasons)
        return replace(parsed, batch=self._named(parsed.batch))

    def _headers(self, parsed: RowBatch) -> list[int]:
        """Return the numbers of the rows that repeat the header. Case, spaces and byte order marks do not count.

        Raises:
            DataError: A row has the names of the header in another order, so the rows below have other columns.
        """
        named = [number for number, cell in enumerate(self._header) if cell]
        if len(named) == 1:
            equal = pc.equal(parsed.batch.column(named[0]), self._header[named[0]])
            return np.flatnonzero(equal.to_numpy(zero_copy_only=False)).tolist()
        names = [_bare(self._header[number]) for number in named]
        known = pa.array(sorted({*names, *map(str.lower, names)}))
        found = None
        for number in named:
            cells = pc.utf8_lower(pc.utf8_trim(parsed.batch.column(number), _TRIMMED))
            is_name = pc.is_in(cells, known)
            found = is_name if found is None else pc.and_(found, is_name)
            if not pc.any(found).as_py():
                return []
        again = []
        for row in np.flatnonzero(found.to_numpy(zero_copy_only=False)).tolist() if found is not None else []:
            cells = [_bare(parsed.batch.column(number)[row].as_py()) for number in named]
            if cells == names:
                again.append(row)
            elif sorted(cells) == sorted(names) and len(set(names)) == len(names):
                position = self._positions(parsed)[row]
                raise DataError(
                    f"{self._file}: row {position:,} is another header with the columns in another order "
                    f"({', '.join(cells)}); split the file at this row, so that each part has one header"
                )
        return again

    def _positions(self, parsed: RowBatch) -> NDArray[np.int64]:
        """Return the row numbers of the rows of a batch, from 1. Rejected rows are between them."""
        rejected = np.array([one.position - 1 - parsed.first_row for one in parsed.rejects], np.int64)
        return parsed.first_row + 1 + np.setdiff1d(np.arange(parsed.rows_read), rejected)

    def _without(self, parsed: RowBatch, reasons: dict[int, str]) -> RowBatch:
        """Return the rows without the rows that are the keys of `reasons`, which are rejected."""
        positions = self._positions(parsed)
        cells = parsed.batch.take(pa.array(list(reasons))).to_pylist()
        rejects = [
            Reject(
                int(positions[row]),
                reason,
                self._dialect.delimiter.join(map(str, values.values()))[:READ_CHARACTERS],
            )
            for (row, reason), values in zip(reasons.items(), cells, strict=True)
        ]
        kept = np.ones(parsed.batch.num_rows, bool)
        kept[list(reasons)] = False
        rejects = sorted([*parsed.rejects, *rejects], key=lambda one: one.position)
        return replace(parsed, batch=parsed.batch.filter(pa.array(kept)), rejects=rejects)

    # -- records that cannot be decoded ----------------------------------------------------------------------------

    def _parse_around(self, run: bytes, first_row: int) -> RowBatch:
        """Parse records, and reject the records that cannot be decoded."""
        records = _records(run, self._syntax)
        if not self._blank_is_a_row:
            records = [record for record in records if record.strip(b"\r\n")]
        good = np.array([decodes(record, self._codec) for record in records])
        reason = f"not valid {codec_name(self._encoding)}"
        rejects = [self.reject(records[i], first_row + int(i), reason).rejects[0] for i in np.flatnonzero(~good)]
        decoded = b"".join(record for record, is_good in zip(records, good, strict=True) if is_good)
        parsed = self.parse(decoded, 0) if decoded else RowBatch(self._empty(), 0, 0, [])
        positions = first_row + 1 + np.flatnonzero(good)  # row numbers of the good records, from 1
        rejects += [Reject(int(positions[one.position - 1]), one.reason, one.raw) for one in parsed.rejects]
        return RowBatch(parsed.batch, first_row, len(records), sorted(rejects, key=lambda one: one.position))

    def _named(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        return pa.RecordBatch.from_arrays([batch.column(number) for number in self._kept], self.names)

    def _empty(self) -> pa.RecordBatch:
        return self._named(pa.RecordBatch.from_pylist([], schema=self._schema))


def _bare(cell: str) -> str:
    """Return the name of a column without spaces around it, in a form that does not depend on case."""
    return folded(cell.strip(_TRIMMED))


def codec_name(encoding: str) -> str:
    """Return the name of an encoding for messages."""
    return "utf-8" if encoding == "utf-8-sig" else encoding


def _records(run: bytes, syntax: Syntax) -> list[bytes]:
    """Return the records. If no record has several lines, cut at the line ends, which is much faster."""
    has_several = bool(syntax.quote and syntax.open_quote.search(run))
    if syntax.escapes_outside:
        has_several |= bool(re.search(re.escape(syntax.escape) + rb"[\r\n]", run))
    if has_several or syntax.doubled_cr:
        return [match[0] for match in syntax.record.finditer(run)]
    return run.splitlines(keepends=True)


def _rewritten(record: bytes, syntax: Syntax, quote: bytes) -> bytes:
    """Return a record with doubled quotes instead of escape characters."""
    fields = [quote + value.replace(quote, 2 * quote) + quote for value in fields_of(record, syntax)]
    return syntax.delimiter.join(fields) + b"\n"
