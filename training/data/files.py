"""Read annotated files into tables.

Supported formats are the formats that `emojob score` reads, JSON lists, and Excel workbooks.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emojob.pipeline.reading.columns import check_unique_names, choose_text_column
from emojob.pipeline.reading.dataset import DEFAULTS, NO_TABLE, inspect_file, open_sources, open_table, read_batches
from emojob.pipeline.reading.files.input_file import InputFile, PassedOver
from emojob.pipeline.reading.formats import blocks, csv, encoding, workbook
from emojob.pipeline.reading.inputs import find_inputs
from emojob.pipeline.reading.selection import no_dialogue, with_sheets
from emojob.pipeline.reading.source import Source
from emojob.schemas.arrow_text import python_values
from emojob.schemas.column_names import has_no_header, no_header
from emojob.schemas.errors import ColumnError, DataError, NothingFound
from emojob.schemas.options import ReadOptions
from emojob.training.data import aihub, published

_CHECKED_ROWS = 20  # number of rows that are compared with the header


@dataclass(frozen=True)
class Table:
    """The rows of a file, or of one sheet in a workbook.

    Attributes:
        file: The file that contains the table.
        name: Name for messages: the file name and, for a workbook, the sheet name.
        data: The rows that could be read.
        sha256: SHA-256 hash of the file.
        bytes: Size of the file in bytes.
        rejected: Number of rows that could not be read.
        sheet: Name of the sheet of a workbook.
        publisher: kote or goemotions if the file has the published format of KOTE or GoEmotions, else None. These
            formats have no header, so the columns are named 0, 1, ...
        notes: Messages of the reader, such as a message about formulas without a stored value.
        source: The sheet of a workbook, inspected; None for other files.
    """

    file: InputFile
    name: str
    data: pa.Table
    sha256: str
    bytes: int
    rejected: int = 0
    publisher: str | None = None
    sheet: str | None = None
    notes: tuple[str, ...] = ()
    source: Source | None = None

    @cached_property
    def merged_cells(self) -> dict[str, NDArray[np.int64]]:
        """The row whose cell covers the cell of each row, for columns with merged cells: {column: int64 [rows]}."""
        found = {} if self.source is None else workbook.merged_cells(self.source)
        return {name: rows for name, rows in found.items() if len(rows) == self.data.num_rows}

    @property
    def short_name(self) -> str:
        """Name for messages, without the folder."""
        return "/".join(filter(None, (self.file.short_name, self.sheet)))

    @property
    def columns(self) -> list[str]:
        """Column names."""
        return list(self.data.column_names)

    def find_column(self, name: str) -> str | None:
        """Return the column that matches `name`, or None. Case, and spaces at the start and end, do not matter."""
        if name in self.columns:
            return name
        return next((column for column in self.columns if folded_name(column) == folded_name(name)), None)

    def values(self, column: str) -> list[Any]:
        """Return the values of a column as Python objects."""
        return python_values(self.data.column(column))

    def texts(self, column: str) -> list[str | None]:
        """Return the values of a column as texts; null and NaN become None."""
        return [None if value is None or value != value else cell_text(value) for value in self.values(column)]

    def choose_text(self, given: str | None) -> str:
        """Return the name of the text column, by the rules of `emojob score`.

        Raises:
            ColumnError: The column `given` is missing, or there is not exactly one candidate.
        """
        try:
            return choose_text_column([(self.file, self.data.schema)], self.data.schema, given)
        except ColumnError:
            self.check_header()
            raise

    def check_header(self) -> None:
        """Raise ColumnError if the first line of the table seems to be a row, and not a header."""
        first = self.data.slice(0, _CHECKED_ROWS)
        cells = [[str(value or "") for value in python_values(column)] for column in first.columns]
        if self.publisher is None and has_no_header(self.columns, zip(*cells, strict=True)):
            raise ColumnError(no_header(self.name, self.columns))


def find_files(paths: Iterable[Path], passed_over: list[PassedOver] | None = None) -> list[InputFile]:
    """Return the annotated files without duplicates. The formats are the formats that `emojob score` reads.

    Args:
        paths: Paths of files or folders, or glob patterns.
        passed_over: List to which the files that are not read are added.
    """
    given = [str(path) for path in paths]
    return find_inputs(given, passed_over=passed_over) if given else []


def read_tables(
    file: InputFile, options: ReadOptions = DEFAULTS, passed_over: list[PassedOver] | None = None
) -> list[Table]:
    """Return the tables of a file. A workbook gives one table per non-empty sheet. Any other file gives one table.

    Args:
        file: The file to read.
        options: Options for reading.
        passed_over: List to which sheets that are not read are added, and files of a folder that hold no table. None: a
            file without a table is an error.

    Raises:
        DataError: The file cannot be read.
    """
    if file.format == "xlsx":
        return _read_workbook(file, options, passed_over)
    if file.format in ("jsonl", "json"):
        info = encoding.inspect(file, options.encoding)
        if _is_json_list(file, info.encoding) and (found := _read_dialogues(file, info)):
            return [found]
    if file.format in ("csv", "tsv"):
        source = inspect_file(file, options).source
        names = source.schema.names
        publisher = published.publisher(names) if file.format == "tsv" else None
        if publisher or Counter(names)[""] > 1:
            return [_read_delimited(source, publisher)]
    return _read_by_pipeline(file, options, passed_over)


def cell_text(value: Any) -> str:
    """Convert a cell to text. 3.0 becomes "3", because spreadsheets store integers as floats."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def folded_name(name: str) -> str:
    """Normalise a column name for comparison: compose Hangul (NFC), strip spaces and convert to lower case."""
    return unicodedata.normalize("NFC", name).strip().casefold()


# -- formats that emojob score also reads --------------------------------------------------------------------------


def _read_by_pipeline(file: InputFile, options: ReadOptions, passed_over: list[PassedOver] | None) -> list[Table]:
    """Read a file with the readers of `emojob score`. If the file is passed over, return []."""
    try:
        (source,), _ = open_sources([file], options)
    except NothingFound:
        if passed_over is None:
            raise
        passed_over.append(PassedOver(file.short_name, NO_TABLE))
        return []
    if passed_over is not None and (reason := no_dialogue(source, options)):
        passed_over.append(PassedOver(file.short_name, reason))
        return []
    return [_read_source(source, options)]


def _read_source(source: Source, options: ReadOptions) -> Table:
    dataset = open_table(source, options)
    batches, rejected = [], 0
    for row_batch in read_batches(dataset, source):
        batches.append(row_batch.batch)
        rejected += len(row_batch.rejects)
    data = pa.Table.from_batches(batches, dataset.schema)
    return Table(source.file, source.file.name, data, source.sha256, source.size, rejected, notes=source.notes)


def _read_delimited(source: Source, publisher: str | None) -> Table:
    """Read a CSV or TSV file without a header, or with several blank column names.

    If `publisher` is given, the first row is data, not a header.
    """
    file, names = source.file, source.schema.names
    keys = [str(number) for number in range(len(names))]
    batches, rejected = [], 0
    for row_batch in csv.read(source):
        batches.append(pa.RecordBatch.from_arrays(row_batch.batch.columns, keys))
        rejected += len(row_batch.rejects)
    schema = pa.schema([pa.field(key, pa.string()) for key in keys])
    data = pa.Table.from_batches(batches, schema)
    if publisher:
        first_row = pa.table([pa.array([name]) for name in names], schema)
        data = pa.concat_tables([first_row, data])
    else:
        data = _with_names(file, data, names)
    return Table(file, file.name, data, source.sha256, source.size, rejected, publisher)


def _with_names(file: InputFile, data: pa.Table, names: Sequence[str | None]) -> pa.Table:
    """Rename the columns of a table. Columns with a blank new name are removed."""
    kept = [number for number, name in enumerate(names) if name and name.strip()]
    check_unique_names(file, [str(names[number]) for number in kept])
    return pa.table([data.column(number) for number in kept], [str(names[number]) for number in kept])


# -- JSON lists ----------------------------------------------------------------------------------------------------


def _is_json_list(file: InputFile, known_encoding: str) -> bool:
    for block in blocks.text_blocks(file, known_encoding):
        if block.strip():
            return block.lstrip().startswith(b"[")
    return False


def _read_dialogues(file: InputFile, info: encoding.TextInfo) -> Table | None:
    """Read a JSON list of dialogues in AI Hub's format. Return None if the list has other objects, or is damaged."""
    try:
        items = json.loads(b"".join(blocks.text_blocks(file, info.encoding)).decode(encoding.codec(info.encoding)))
    except (ValueError, RecursionError):
        return None
    objects = [item for item in items if isinstance(item, dict) and _is_valid_unicode(item)]
    if not aihub.is_dialogue_list(objects):
        return None
    columns: dict[str, list[Any]] = dict(aihub.dialogue_columns(objects, file.name))
    data = pa.table({name: _array(values) for name, values in columns.items()})
    return Table(file, file.name, data, info.sha256, info.size, len(items) - len(objects))


def _is_valid_unicode(item: dict[str, Any]) -> bool:
    """Return whether all texts in an object are valid Unicode (without lone surrogates)."""
    try:
        json.dumps(item, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _array(values: list[Any]) -> pa.Array:
    """Convert values to an Arrow array. If the values have no common type, convert other values to JSON strings."""
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        return pa.array([v if v is None or isinstance(v, str) else json.dumps(v, ensure_ascii=False) for v in values])


# -- workbooks -----------------------------------------------------------------------------------------------------


def _read_workbook(file: InputFile, options: ReadOptions, passed_over: list[PassedOver] | None) -> list[Table]:
    tables = []
    for sheet in with_sheets([file], options, passed_over):
        (source,), _ = open_sources([sheet], options)
        if source.schema.names:
            table = _read_source(source, options)
            tables.append(
                replace(table, file=file, name=f"{file.name}, sheet {sheet.sheet!r}", sheet=sheet.sheet, source=source)
            )
        elif passed_over is not None:
            passed_over.append(PassedOver(sheet.short_name, "an empty sheet", is_sheet=True))
    if not tables:
        raise DataError(f"{file.name} has only empty sheets; fill in a sheet, or leave out this file")
    return tables
