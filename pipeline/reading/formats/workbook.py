"""Reads workbooks (.xlsx, .xls, .xlsb, .ods) with the package fastexcel. Each sheet is a table.

Cells become text, as in a CSV file. A column of dates becomes a column of times. So does a column with a usual name for
times whose cells are all numbers of days, because Excel stores times in this way. Times of day become texts.
"""

from __future__ import annotations

import datetime
import logging
from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from emojob.pipeline.reading.dialect import Dialect
from emojob.pipeline.reading.files.input_file import InputFile
from emojob.pipeline.reading.formats.blocks import Digest, content_of, random_access, read_blocks
from emojob.pipeline.reading.formats.delimited.header import find_header, has_known_name
from emojob.pipeline.reading.formats.delimited.parser import HEADER_AGAIN
from emojob.pipeline.reading.formats.workbook_xml import (
    LAST_ROW,
    check_sheets,
    hidden_sheets,
    merged_ranges,
    unreadable,
)
from emojob.pipeline.reading.row_batches import Reject, RowBatch
from emojob.pipeline.reading.source import FileInfo, Source
from emojob.schemas.column_names import shown
from emojob.schemas.columns import PAIR_MARK, READ_CHARACTERS, USUAL_TIME_COLUMNS, of_usual_name
from emojob.schemas.options import ReadOptions

_BLANK_FORMULAS = (
    "some formulas have no stored value and are read as missing values; open the workbook in Excel and save it, "
    "then the values are stored"
)

_MOST = 0.8  # share of the cells of the fullest row
_HEADER_ROWS = 50  # number of rows in which the header is searched
_DAYS = 20_000, 80_000  # numbers of days since 1899-12-30 that may be a time: years 1954 to 2119
_TIME = r"^\d{4}-\d\d-\d\d(?: \d\d:\d\d:\d\d(?:\.\d+)?)?$"
_EPOCH = datetime.datetime(1899, 12, 30)
_TIMES = pa.timestamp("us")


@dataclass(frozen=True)
class _Sheet:
    """The rows of a sheet.

    Attributes:
        table: The rows. Blank rows and blank columns are left out.
        again: Numbers of the rows that repeat the header, from 0. These rows are not in the table.
        notes: Messages about the cells.
        rows: int64 [rows of the table], number of each row in the sheet, from 0.
        columns: {name of a column: its number in the sheet, from 0}.
    """

    table: pa.Table
    again: list[int] = field(default_factory=list)
    notes: tuple[str, ...] = ()
    rows: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    columns: dict[str, int] = field(default_factory=dict)


def sheet_names(file: InputFile) -> tuple[list[str], set[str]]:
    """Return (names of the sheets of a workbook, names of its hidden sheets). In .xls and .ods, none is found hidden.

    Raises:
        DataError: The workbook is unreadable or too large.
    """
    with _opened(file) as (book, _):
        names = list(book.sheet_names)
    with random_access(file) as source:
        return names, hidden_sheets(source) & set(names)


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
        header = _header_row(book, file, options)
        sheet = _read_sheet(book, file, header, times)
    table, notes = sheet.table, sheet.notes + (_BLANK_FORMULAS,) * has_blank_formulas
    dialect = Dialect(skip_rows=header)
    return FileInfo(
        Source(
            file, content.size, content.sha256, table.schema, rows=table.num_rows + len(sheet.again), dialect=dialect,
            notes=notes,
        )
    )  # fmt: skip


def read(source: Source, start_row: int, rows: int, columns: Sequence[str] | None = None) -> Iterator[RowBatch]:
    """Yield the rows of a sheet, in batches of `rows` rows."""
    sheet = _sheet_of(source)
    table, again = sheet.table, sheet.again
    batch = table.combine_chunks().to_batches(max_chunksize=None)
    whole = batch[0] if batch else pa.RecordBatch.from_pylist([], schema=table.schema)
    names = "\t".join(table.schema.names)[:READ_CHARACTERS]
    for first in range(start_row, whole.num_rows + len(again), rows):
        before, inside = bisect_left(again, first), bisect_left(again, first + rows)
        end = min(first + rows, whole.num_rows + len(again))
        part = whole.slice(first - before, end - inside - (first - before))
        rejects = [Reject(row + 1, HEADER_AGAIN, names) for row in again[before:inside]]
        yield RowBatch(part, first, end - first, rejects)


def merged_cells(source: Source) -> dict[str, NDArray[np.int64]]:
    """Return which cells of a sheet are merged with a cell above: {column with merged cells: rows}.

    `rows`, int64 [rows that are no repeated header], has the number of the row whose cell covers the cell of each row:
    the number of the row itself, unless the cell is merged. Merged cells are known only in .xlsx.

    Raises:
        DataError: The workbook is unreadable or too large.
    """
    with random_access(source.file) as content:
        ranges = merged_ranges(content, source.file.sheet)
    if not ranges:
        return {}
    sheet = _sheet_of(source)
    names = {number: name for name, number in sheet.columns.items()}
    found: dict[str, NDArray[np.int64]] = {}
    for number, first, last in ranges:
        start, end = np.searchsorted(sheet.rows, [first, last + 1]).tolist()
        if number in names and end - start > 1 and sheet.rows[start] == first:
            found.setdefault(names[number], np.arange(len(sheet.rows)))[start:end] = start
    return found


def _sheet_of(source: Source) -> _Sheet:
    """Return the rows of an inspected sheet."""
    header = source.dialect.skip_rows if source.dialect else 0
    times = tuple(field.name for field in source.schema if field.type == _TIMES)
    with _opened(source.file) as (book, _):
        return _read_sheet(book, source.file, header, times)


def _header_row(book: Any, file: InputFile, options: ReadOptions) -> int:
    """Return the number of rows above the header.

    The header is found as in a CSV file (see `find_header`): usually, it is the first row that is not blank, but a
    title above the header is no header. A row without a usual name that has fewer than half as many cells as the
    fullest row is no header, either.
    """
    if options.skip_rows is not None:
        return options.skip_rows
    with _reader_errors(file):
        head = book.load_sheet(
            file.sheet, header_row=None, skip_rows=0, n_rows=_HEADER_ROWS, dtypes="string"
        ).to_arrow()
    rows = [_trimmed(row) for row in zip(*head.to_pydict().values(), strict=True)]
    filled = [sum(map(bool, row)) for row in rows]
    widest, given = max(filled, default=0), [options.text_column or ""]
    found = find_header(rows, given)
    if rows and 2 * filled[found] < widest and not has_known_name(rows, found, given):
        return next(number for number, cells in enumerate(filled) if cells >= _MOST * widest)
    return found


def _trimmed(row: Sequence[str | None]) -> list[str]:
    """Return the cells without spaces around them, up to the last cell that is not blank."""
    cells = [(value or "").strip() for value in row]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _read_sheet(book: Any, file: InputFile, header: int, times: Sequence[str]) -> _Sheet:
    """Return the rows of a sheet.

    Args:
        book: The opened workbook.
        file: The sheet.
        header: Number of rows above the header.
        times: Names of columns with times, in addition to the usual names.
    """
    height = book.load_sheet(file.sheet, header_row=None, skip_rows=0, n_rows=1).total_height
    if height <= header:
        return _Sheet(pa.table({}))
    with _reader_errors(file):
        head = book.load_sheet(file.sheet, header_row=None, skip_rows=header, n_rows=1, dtypes="string")
        names, places = head.to_arrow(), [column.absolute_index for column in head.selected_columns]
    heads = [(column[0].as_py() or "").strip() if names.num_rows else "" for column in names.columns]
    loaded, dated, errors = _load(book, file, header)
    filled = _filled(loaded)
    again = np.flatnonzero(_repeats(loaded, heads, dated))
    if len(again):  # the names are no times, so the types of the columns are found in the rows between the headers
        mixed = {number for number, column in enumerate(loaded.columns) if not _has_times(column, again)}
        loaded, dated, errors = _load(book, file, header, again.tolist(), mixed)
    positions = np.cumsum(filled)[again] - 1
    kept = np.delete(np.arange(loaded.num_rows), again)
    columns: list[tuple[str, pa.Array, int]] = []
    notes = _of_errors(errors)
    for number, column in enumerate(loaded.take(pa.array(kept)).columns if len(again) else loaded.columns):
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
        columns.append((name, column, number))
    table = pa.table([column for _, column, _ in columns], [name for name, _, _ in columns])
    if not columns:
        return _Sheet(table)
    is_filled = _filled(table)
    found = {name: places[number] for name, _, number in columns if number < len(places)}
    rows = header + 1 + kept[is_filled]
    return _Sheet(table.filter(pa.array(is_filled)), positions.tolist(), tuple(notes), rows, found)


def _load(
    book: Any, file: InputFile, header: int, again: Sequence[int] = (), not_dated: Collection[int] = ()
) -> tuple[pa.RecordBatch, set[int], list[Any]]:
    """Return (cells as texts or times, numbers of the columns with times, cells with errors) of a sheet.

    Args:
        book: The opened workbook.
        file: The sheet.
        header: Number of rows above the header.
        again: Rows that repeat the header, counted from the row below the header.
        not_dated: Numbers of columns that have no times.
    """
    first = header + 1
    starts, ends = [0, *(row + 1 for row in again)], [*again, LAST_ROW]
    begin, end = next((a, b) for a, b in zip(starts, ends, strict=True) if b > a)  # the first rows between two headers
    with _reader_errors(file):
        guessed = book.load_sheet(
            file.sheet, header_row=None, skip_rows=first + begin, n_rows=end - begin, schema_sample_rows=None
        )
        kinds = {column.index: column.dtype for column in guessed.selected_columns}
        while True:
            dated = {number for number, kind in kinds.items() if kind in ("date", "datetime")}.difference(not_dated)
            wanted = {number: "datetime" if again and number in dated else "string" for number in kinds}
            wanted = {number: kind for number, kind in wanted.items() if again or number not in dated}
            sheet = book.load_sheet(file.sheet, header_row=None, skip_rows=first, dtypes=wanted)
            loaded, found = sheet.to_arrow_with_errors()
            skipped = {first + row for row in again}
            errors = [error for error in (found.errors if found else []) if error.position[0] not in skipped]
            mixed = {error.position[1] for error in errors} & dated if again else set()
            if not mixed:
                return loaded, dated, errors
            kinds.update(dict.fromkeys(mixed, "string"))  # a later part of the column has other values


def _has_times(column: pa.Array, again: NDArray[np.int64]) -> bool:
    """Return whether all cells of a column of texts are times as the reader writes them, but for the rows `again`."""
    is_time = np.asarray(pc.match_substring_regex(column.cast(pa.string()), _TIME).fill_null(True))
    return bool(np.delete(is_time, again).all())


def _filled(table: pa.Table | pa.RecordBatch) -> NDArray[np.bool_]:
    """Return which rows have a value."""
    found = np.zeros(table.num_rows, np.bool_)
    for column in table.columns:
        found |= np.asarray(column.is_valid())
    return found


def _repeats(loaded: pa.RecordBatch, heads: Sequence[str], dated: set[int]) -> NDArray[np.bool_]:
    """Return which rows repeat the header, which has at least two names."""
    named = [number for number, name in enumerate(heads) if name and number < loaded.num_columns]
    if len(named) < 2 or dated.intersection(named):  # a column with a repeated name has no times
        return np.zeros(loaded.num_rows, np.bool_)
    found = np.ones(loaded.num_rows, np.bool_)
    for number in named:
        cells = pc.utf8_lower(pc.utf8_trim_whitespace(loaded.column(number).cast(pa.string())))
        found &= np.asarray(pc.equal(cells, heads[number].lower()).fill_null(False))
        if not found.any():
            break
    return found


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
        has_blank_formulas = check_sheets(file, data)
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
        raise unreadable(file, error) from error
