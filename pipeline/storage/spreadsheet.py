"""Writes tables to a workbook (.xlsx) with XlsxWriter. A text stays a text: it never becomes a formula, link or number.

The header is bold and stays visible, and each column can be filtered. The rows are kept in a temporary file, so the
memory does not grow with the number of rows.

A custom property of the workbook contains a hash of its content, which shows whether another program changed it.
"""

from __future__ import annotations

import contextlib
import datetime
import decimal
import hashlib
import io
import math
import re
import shutil
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from emojob.pipeline.storage.object_io import Upload
from emojob.pipeline.storage.object_store import ObjectPath
from emojob.pipeline.storage.paths import AnyPath
from emojob.pipeline.storage.temporary import temporary_folder
from emojob.schemas.column_names import shown
from emojob.schemas.errors import OptionError
from emojob.schemas.sheet import is_formula

#: Errors of reading a damaged ZIP file, which a workbook is.
DAMAGED = (zipfile.BadZipFile, zlib.error, KeyError, ValueError, RuntimeError, NotImplementedError)
#: Maximum number of rows below the header.
MOST_ROWS = 1_048_575
_MOST_COLUMNS = 16_384
_MOST_CHARACTERS = 32_767  # UTF-16 code units in a cell
_EXACT = 10**15  # Excel keeps 15 digits of a number
_FIRST_DAY, _LAST_DAY = datetime.date(1900, 3, 1), datetime.date(9999, 12, 31)
_WIDTHS = 8, 60  # characters
_MEASURED_ROWS = 1000
_BLOCK_BYTES = 1 << 20
_PROPERTIES = "docProps/custom.xml"
_CONTENT, _NO_CONTENT = "emojob_content", "0" * 64
_CONTENT_PATTERN = re.compile(rb"name=\"emojob_content\"[^<>]*><vt:lpwstr>([0-9a-f]{64})<")
_INSTEAD = "write a .csv or .parquet file instead"


class Workbook:
    """A workbook that is being written (see `workbook`)."""

    def __init__(self, book: Any, name: str) -> None:
        self._book, self._name = book, name
        styles: dict[str, dict[str, Any]] = {
            "header": {"bold": True, "bottom": 1},
            "text": {"text_wrap": True, "valign": "top"},
            "formula": {"text_wrap": True, "valign": "top", "quote_prefix": True},
            "other": {"valign": "top"},
            "date": {"valign": "top", "num_format": "yyyy-mm-dd"},
            "time": {"valign": "top", "num_format": "yyyy-mm-dd hh:mm:ss"},
        }
        self._styles = {name: book.add_format(style) for name, style in styles.items()}

    def add_sheet(self, name: str, columns: Sequence[str], rows: Iterator[Sequence[Any]]) -> int:
        """Write a sheet: a header, and a row for each item of `rows`.

        Args:
            name: Name of the sheet, at most 31 characters.
            columns: Names of the columns.
            rows: The rows. A value is None, a text, a number, a date or a time without a zone. Numbers of more than 15
                digits, and times that Excel cannot hold, become texts.

        Returns:
            Number of rows.

        Raises:
            OptionError: A sheet cannot hold this many rows or columns, or a text is too long for a cell.
        """
        if len(columns) > _MOST_COLUMNS:
            raise OptionError(f"{self._name}: a sheet holds at most {_MOST_COLUMNS:,} columns; {_INSTEAD}")
        sheet = self._book.add_worksheet(name)
        sheet.freeze_panes(1, 0)
        widths = [_width(column) for column in columns]
        for number, column in enumerate(columns):
            self._write_text(sheet, 0, number, column, "header", columns)
        written = 0
        for row in rows:
            written += 1
            if written > MOST_ROWS:
                raise OptionError(f"{self._name}: a sheet holds at most {MOST_ROWS:,} rows; {_INSTEAD}")
            for number, value in enumerate(row):
                self._write(sheet, written, number, value, columns)
            if written <= _MEASURED_ROWS:
                widths = list(map(max, widths, map(_width, row)))
        least, most = _WIDTHS
        for number, width in enumerate(widths):
            sheet.set_column(number, number, min(max(width + 2, least), most))
        if columns:
            sheet.autofilter(0, 0, max(written, 1), len(columns) - 1)
        return written

    def _write(self, sheet: Any, row: int, column: int, value: Any, columns: Sequence[str]) -> None:
        value = _simplified(value)
        if isinstance(value, bool):
            sheet.write_boolean(row, column, value, self._styles["other"])
        elif isinstance(value, (int, float)):
            sheet.write_number(row, column, value, self._styles["other"])
        elif isinstance(value, datetime.datetime):
            sheet.write_datetime(row, column, value, self._styles["time"])
        elif isinstance(value, datetime.date):
            sheet.write_datetime(row, column, value, self._styles["date"])
        elif value is not None:
            self._write_text(sheet, row, column, value, "formula" if is_formula(value) else "text", columns)

    def _write_text(self, sheet: Any, row: int, column: int, text: str, style: str, columns: Sequence[str]) -> None:
        if len(text) > _MOST_CHARACTERS // 2 and len(text.encode("utf-16-le")) // 2 > _MOST_CHARACTERS:
            raise OptionError(
                f"{self._name}: the text in row {row:,} of the column {shown(columns[column])} is longer than "
                f"{_MOST_CHARACTERS:,} characters, which is the most that a cell holds; {_INSTEAD}"
            )
        sheet.write_string(row, column, text, self._styles[style])


@contextlib.contextmanager
def workbook(
    stream: BinaryIO | io.RawIOBase | Upload, file: AnyPath | None, properties: Mapping[str, str] | None = None
) -> Iterator[Workbook]:
    """Yield a workbook, which is written to a stream after the `with` block.

    Args:
        stream: Binary stream for the content.
        file: The file that is written, for messages and for the place of temporary files. None: standard output.
        properties: Custom properties of the workbook.

    Raises:
        OptionError: See `Workbook.add_sheet`.
        OSError: A temporary file or the stream cannot be written.
    """
    import xlsxwriter

    local = file is not None and not isinstance(file, ObjectPath)
    parent = Path(file).parent if local else Path(tempfile.gettempdir())  # type: ignore[arg-type]
    name = file.name if file is not None else "result.xlsx"
    with temporary_folder(parent, name) as folder:
        content = folder / "content"
        book = xlsxwriter.Workbook(str(content), {"constant_memory": True, "tmpdir": str(folder)})
        book.use_zip64()
        for key, value in (properties or {}).items():
            book.set_custom_property(key, value, "text")
        book.set_custom_property(_CONTENT, _NO_CONTENT, "text")
        yield Workbook(book, str(file or "the workbook"))
        try:
            book.close()
        except xlsxwriter.exceptions.XlsxWriterException as error:
            raise OSError(f"the workbook cannot be written: {error}") from error
        signed = folder / "signed"
        _sign(content, signed)
        with signed.open("rb") as made:
            shutil.copyfileobj(made, stream, _BLOCK_BYTES)


def is_as_written(packed: zipfile.ZipFile) -> bool | None:
    """Return whether a workbook has the content that emojob wrote; None if it has no hash of the content.

    Raises:
        OSError, zipfile.BadZipFile, zlib.error, KeyError: The properties of the workbook cannot be read.
    """
    found = _CONTENT_PATTERN.search(packed.read(_PROPERTIES))
    return found[1].decode() == _content(packed) if found else None


def _content(packed: zipfile.ZipFile) -> str:
    """Return the hash of the names, checksums and sizes of the members, except the custom properties."""
    members = sorted((one.filename, one.CRC, one.file_size) for one in packed.infolist() if one.filename != _PROPERTIES)
    return hashlib.sha256(repr(members).encode()).hexdigest()


def _sign(content: Path, signed: Path) -> None:
    """Copy a workbook, and write the hash of its content into the custom property."""
    with zipfile.ZipFile(content) as source, zipfile.ZipFile(signed, "w", zipfile.ZIP_DEFLATED) as target:
        for one in source.infolist():
            if one.filename == _PROPERTIES:
                target.writestr(one, source.read(one).replace(_NO_CONTENT.encode(), _content(source).encode()))
                continue
            copy = zipfile.ZipInfo(one.filename, one.date_time)
            copy.compress_type, copy.external_attr, copy.file_size = one.compress_type, one.external_attr, one.file_size
            with source.open(one) as member, target.open(copy, "w") as place:
                shutil.copyfileobj(member, place, _BLOCK_BYTES)


def _simplified(value: Any) -> Any:
    """Return a value that a cell holds without loss: None, bool, number, date, time or text."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, decimal.Decimal):
        digits = "".join(map(str, value.as_tuple().digits)).strip("0")
        is_short = value.is_finite() and len(digits) <= 15 and abs(value) < _EXACT
        return float(value) if is_short else format(value, "f")
    if isinstance(value, int):
        return value if abs(value) < _EXACT else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, datetime.datetime):
        is_cell = value.tzinfo is None and value.microsecond % 1000 == 0 and _FIRST_DAY <= value.date() <= _LAST_DAY
        return value if is_cell else value.isoformat(" ")
    if isinstance(value, datetime.date):
        return value if _FIRST_DAY <= value <= _LAST_DAY else value.isoformat()
    return str(value)


def _width(value: Any) -> int:
    """Return the width of a value in a spreadsheet, in characters. A Korean character counts twice."""
    if isinstance(value, datetime.datetime):
        return 19
    text = str(value if value is not None else "")[: _WIDTHS[1]]
    return max(
        (sum(1 + (unicodedata.east_asian_width(c) in "WF") for c in line) for line in text.split("\n")), default=0
    )
