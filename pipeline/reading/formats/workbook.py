"""Reads workbooks (.xlsx, .xls, .xlsb, .ods) with the package fastexcel. Each sheet is a table.

Cells become text, as in a CSV file. A column of dates becomes a column of times. So does a column with a usual name for
times whose cells are all numbers of days, because Excel stores times in this way. Times of day become texts.
"""

from __future__ import annotations

import datetime
import functools
import io
import logging
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from emojob.pipeline.reading.dialect import Dialect
from emojob.pipeline.reading.files.input_file import InputFile
from emojob.pipeline.reading.formats.blocks import Digest, content_of, random_access, read_blocks
from emojob.pipeline.reading.row_batches import RowBatch
from emojob.pipeline.reading.source import FileInfo, Source
from emojob.schemas.column_names import shown
from emojob.schemas.columns import PAIR_MARK, USUAL_TEXT_COLUMNS, USUAL_TIME_COLUMNS, of_usual_name
from emojob.schemas.errors import DataError
from emojob.schemas.messages import first_line
from emojob.schemas.options import ReadOptions

#: Maximum size of an unpacked workbook, in bytes.
MOST_BYTES = 4 << 30

#: Maximum number of cells in a sheet: last row number x last column number.
MOST_CELLS = 40_000_000

_BLOCK_BYTES = 1 << 20
_LONGEST_TAG = 512  # bytes at the end of a block that are searched again with the next block, in case a tag is split
_LAST_ROW, _LAST_COLUMN = 1_048_576, 16_384
_REFERENCE = re.compile(rb"""<(?:\w+:)?(?:c|row)\s(?:[^<>]{0,400}?\s)?r\s*=\s*["']([A-Za-z]*)([0-9]+)["']""")

_BLANK_FORMULA = re.compile(  # a cell with a formula and no stored value; a formula whose value is "" has the type str
    rb"""<(?:\w+:)?c(?![^<>]*\st=["']str["'])[^<>]*>\s*(?:<(?:\w+:)?f[^<>]*/>|<(?:\w+:)?f(?:\s[^<>]*)?>[^<]*</(?:\w+:)?f>)"""
    rb"""\s*(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v>\s*</(?:\w+:)?v>)?\s*</(?:\w+:)?c>"""
)
_BLANK_FORMULAS = (
    "some formulas have no stored value and are read as missing values; open the workbook in Excel and save it, "
    "then the values are stored"
)

_MOST = 0.8  # share of the cells of the fullest row
_HEADER_ROWS = 50  # number of rows in which the header is searched
_DAYS = 20_000, 80_000  # numbers of days since 1899-12-30 that may be a time: years 1954 to 2119
_EPOCH = datetime.datetime(1899, 12, 30)
_TIMES = pa.timestamp("us")


def sheet_names(file: InputFile) -> list[str]:
    """Return the names of the sheets of a workbook.

    Raises:
        DataError: The workbook is unreadable or too large.
    """
    with _opened(file) as (book, _):
        return list(book.sheet_names)


def inspect(file: InputFile, options: ReadOptions, count_rows: bool = False) -> FileInfo:
    """Return the hash, columns and number of rows of the sheet `file.sheet`. An empty sheet has no columns.

    Raises:
        DataError: The workbook is unreadable or too large.
    """
    digest = Digest()
    for _ in read_blocks(file, digest):
        pass
    content = content_of(file, digest)
    given = getattr(options, "time_column", None) or ""
    times = tuple(filter(None, {given, *map(str.strip, given.split(PAIR_MARK))}))
    with _opened(file) as (book, has_blank_formulas):
        header = _header_row(book, file, options.skip_rows)
        table, notes = _table(book, file, header, times)
    if has_blank_formulas:
        notes += (_BLANK_FORMULAS,)
    dialect = Dialect(skip_rows=header)
    return FileInfo(
        Source(file, content.size, content.sha256, table.schema, rows=table.num_rows, dialect=dialect, notes=notes)
    )


def read(source: Source, start_row: int, rows: int, columns: Sequence[str] | None = None) -> Iterator[RowBatch]:
    """Yield the rows of a sheet, in batches of `rows` rows."""
    header = source.dialect.skip_rows if source.dialect else 0
    times = tuple(field.name for field in source.schema if field.type == _TIMES)
    with _opened(source.file) as (book, _):
        table, _ = _table(book, source.file, header, times)
    batch = table.combine_chunks().to_batches(max_chunksize=None)
    whole = batch[0] if batch else pa.RecordBatch.from_pylist([], schema=table.schema)
    for first in range(start_row, whole.num_rows, rows):
        part = whole.slice(first, rows)
        yield RowBatch(part, first, part.num_rows, [])


def _header_row(book: Any, file: InputFile, given: int | None) -> int:
    """Return the number of rows above the header.

    The header is the first row that has a usual name for texts and most of the cells of the fullest row, else the first
    row with most cells, else the first row with half of the cells. So a title above the header is no header.
    """
    if given is not None:
        return given
    with _reader_errors(file):
        head = book.load_sheet(
            file.sheet, header_row=None, skip_rows=0, n_rows=_HEADER_ROWS, dtypes="string"
        ).to_arrow()
    rows = [[value for value in row if value and value.strip()] for row in zip(*head.to_pydict().values(), strict=True)]
    widest = max(map(len, rows), default=0)
    full = [number for number, row in enumerate(rows) if row and len(row) >= _MOST * widest]
    named = [number for number in full if of_usual_name([value.strip() for value in rows[number]], USUAL_TEXT_COLUMNS)]
    half = [number for number, row in enumerate(rows) if row and 2 * len(row) >= widest]
    return next(iter([*named[:1], *full[:1], *half]), 0)


def _table(book: Any, file: InputFile, header: int, times: Sequence[str]) -> tuple[pa.Table, tuple[str, ...]]:
    """Return (rows of a sheet without blank rows and blank columns, messages).

    Args:
        book: The opened workbook.
        file: The sheet.
        header: Number of rows above the header.
        times: Names of columns with times, in addition to the usual names.
    """
    height = book.load_sheet(file.sheet, header_row=None, skip_rows=0, n_rows=1).total_height
    if height <= header:
        return pa.table({}), ()
    with _reader_errors(file):
        guessed = book.load_sheet(file.sheet, header_row=None, skip_rows=header + 1, schema_sample_rows=None)
        kinds = {column.index: column.dtype for column in guessed.selected_columns}
        dated = {number for number, kind in kinds.items() if kind in ("date", "datetime")}
        wanted = {number: "string" for number in kinds if number not in dated}
        names = book.load_sheet(file.sheet, header_row=None, skip_rows=header, n_rows=1, dtypes="string").to_arrow()
        sheet = book.load_sheet(file.sheet, header_row=None, skip_rows=header + 1, dtypes=wanted)
        loaded, errors = sheet.to_arrow_with_errors()
    heads = [(column[0].as_py() or "").strip() if names.num_rows else "" for column in names.columns]
    columns: list[tuple[str, pa.Array]] = []
    notes = _of_errors(errors.errors if errors else [])
    for number, column in enumerate(loaded.columns):
        name = heads[number] if number < len(heads) else ""
        if not name and column.null_count == len(column):
            continue
        name = name or f"column_{number + 1}"
        if number in dated:
            column = _without_first_day(column.cast(_TIMES))
        elif name in times or of_usual_name([name], USUAL_TIME_COLUMNS):
            serial = _from_days(column)
            column = _from_parts_of_a_day(column) if serial is None else column
            notes += [f"{shown(name)} holds Excel's day numbers, which are read as times"] * (serial is not None)
            column = column if serial is None else serial
        columns.append((name, column))
    table = pa.table([column for _, column in columns], [name for name, _ in columns])
    if not columns:
        return table, ()
    filled = [pc.is_valid(column) for column in table.columns]
    return table.filter(functools.reduce(pc.or_, filled)), tuple(notes)


def _of_errors(errors: Sequence[Any]) -> list[str]:
    """Return a message about cells with errors of Excel, such as #DIV/0!; [] if there are none."""
    if not errors:
        return []
    row, column = errors[0].position
    place = f"row {row + 1}, column {column + 1}"
    if len(errors) == 1:
        return [f"the cell in {place} has an error instead of a value; it is read as a missing value"]
    return [f"{len(errors):,} cells have errors instead of values, first in {place}; they are read as missing values"]


def _from_days(column: pa.Array) -> pa.Array | None:
    """Return numbers of days since 1899-12-30 as times; None if a value is no such number, or there is no value."""
    try:
        days = pc.cast(column, pa.float64())
    except pa.ArrowException:
        return None
    first, last = _DAYS
    if days.null_count == len(days) or not pc.all(pc.and_(pc.greater(days, first), pc.less(days, last))).as_py():
        return None
    since = pc.cast(pc.round(pc.multiply(days, 86_400_000.0)), pa.int64())  # milliseconds: Excel is not more exact
    shift = round((_EPOCH - datetime.datetime(1970, 1, 1)).total_seconds() * 1000)
    return pc.cast(pc.cast(pc.add(since, shift), pa.timestamp("ms")), _TIMES)


def _without_first_day(column: pa.Array) -> pa.Array:
    """Return the times of day of a column as texts, if each value is on the first days of Excel; else the column."""
    last = pc.max(column).as_py()
    if last is None or last >= _EPOCH + datetime.timedelta(days=3):
        return column
    seconds = pc.floor_temporal(column, unit="second")
    return pc.strftime(seconds.cast(pa.timestamp("s")) if seconds.equals(column) else column, "%H:%M:%S")


def _from_parts_of_a_day(column: pa.Array) -> pa.Array:
    """Return the times of day as texts, if each value is a part of a day such as 0.42; else the column."""
    try:
        parts = pc.cast(column, pa.float64())
    except pa.ArrowException:
        return column
    is_part = pc.and_(pc.greater_equal(parts, 0.0), pc.less(parts, 1.0))
    if not pc.max(parts).as_py() or not pc.all(is_part).as_py():
        return column
    seconds = pc.cast(pc.round(pc.multiply(parts, 86_400.0)), pa.int64())
    return pc.strftime(pc.cast(seconds, pa.timestamp("s")), "%H:%M:%S")


@contextmanager
def _opened(file: InputFile) -> Iterator[tuple[Any, bool]]:
    """Open a workbook with fastexcel, and yield (workbook, whether it has formulas without a stored value).

    Raises:
        DataError: The workbook is unreadable or too large.
    """
    import fastexcel

    logging.getLogger("fastexcel").setLevel(logging.ERROR)  # else a line for each column of several types

    with random_access(file) as source:
        if isinstance(source, Path):
            data: str | bytes = str(source)
        else:
            data = source.read()
            source.seek(0)
        has_blank_formulas = _check(file, data)
        with _reader_errors(file):
            book = fastexcel.read_excel(data)
        yield book, has_blank_formulas


@contextmanager
def _reader_errors(file: InputFile) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        # the Rust reader's PanicException is not a subclass of Exception
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise _unreadable(file, error) from error


def _check(file: InputFile, data: str | bytes) -> bool:
    """Return whether a workbook has formulas without a stored value. Raise DataError if it is too large to read.

    The reader allocates memory for blank cells too. So a single value in a distant cell (for example XFD1048576) could
    use up the memory and end the process.
    """
    content: Any = data if isinstance(data, str) else io.BytesIO(data)
    found = False
    if not zipfile.is_zipfile(content):  # .xls, which has at most 65,536 rows and 256 columns
        return found
    try:
        with zipfile.ZipFile(content) as packed:
            size = sum(member.file_size for member in packed.infolist())
            if size > MOST_BYTES:
                raise DataError(
                    f"{file.name} has {size:,} bytes when unpacked, but at most {MOST_BYTES:,} bytes are "
                    "allowed; save each sheet as .csv"
                )
            for member in packed.infolist():
                if member.filename.lower().endswith(".xml"):
                    found |= _check_sheet(file, packed, member)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError) as error:
        raise _unreadable(file, error) from error
    return found


def _check_sheet(file: InputFile, packed: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    rows = columns = 0
    found = False
    for letters, numbers, has_blank_formula in _references(packed, member):
        found |= has_blank_formula
        rows = max(rows, *(int(number) if len(number) < 9 else 1 << 60 for number in numbers))
        columns = max(columns, *(_column_number(column) if len(column) < 9 else 1 << 60 for column in letters))
    if rows > _LAST_ROW or columns > _LAST_COLUMN or rows * columns > MOST_CELLS:
        raise DataError(
            f"{file.name} has a sheet with {rows:,} rows and {columns:,} columns, but at most {MOST_CELLS:,} cells are "
            "allowed; delete the cells that are far below or right of the data, or save the sheet as .csv"
        )
    return found


def _references(packed: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[tuple[set[bytes], set[bytes], bool]]:
    """Yield (column letters, row numbers, whether a formula has no stored value) of each block of a sheet's XML.

    A cell reference such as B7 has column letters and a row number. A row reference has empty column letters.
    """
    buffer = b""
    with packed.open(member) as part:
        while block := part.read(_BLOCK_BYTES):
            buffer += block
            found = _REFERENCE.findall(buffer)
            if found:
                letters, numbers = zip(*found, strict=True)
                yield set(letters), set(numbers), _has_blank_formula(buffer)
            buffer = buffer[-_LONGEST_TAG:]


def _has_blank_formula(xml: bytes) -> bool:
    return (b"<f" in xml or b":f" in xml) and bool(_BLANK_FORMULA.search(xml))


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number


def _unreadable(file: InputFile, error: BaseException) -> DataError:
    reason = first_line(error).removeprefix("calamine error: ")
    return DataError(
        f"{file.name} is not a readable workbook ({reason}); open the file in Excel and save it as .xlsx or .csv"
    )
