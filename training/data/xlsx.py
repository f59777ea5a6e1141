"""Read Excel workbooks (.xlsx) with the package fastexcel. All cells are read as text."""

from __future__ import annotations

import importlib.util
import re
import zipfile
import zlib
from collections.abc import Iterator

from emojob.pipeline.reading.inputs import InputFile
from emojob.schemas.errors import DataError
from emojob.schemas.messages import first_line

XLSX = "xlsx"

#: Maximum size of an unpacked workbook, in bytes.
MOST_BYTES = 4 << 30

#: Maximum number of cells in a sheet: last row number x last column number.
MOST_CELLS = 40_000_000

_BLOCK_BYTES = 1 << 20
_LONGEST_TAG = 512  # bytes at the end of a block that are searched again with the next block, in case a tag is split
_LAST_ROW, _LAST_COLUMN = 1_048_576, 16_384
_REFERENCE = re.compile(rb"""<(?:\w+:)?(?:c|row)\s(?:[^<>]{0,400}?\s)?r\s*=\s*["']([A-Za-z]*)([0-9]+)["']""")

Row = tuple[str | None, ...]


def read_sheets(file: InputFile) -> dict[str, list[Row]]:
    """Return the rows of each sheet, including the header. Blank rows and empty sheets are left out.

    Raises:
        DataError: The workbook is unreadable, empty or too large; or fastexcel is not installed.
    """
    if importlib.util.find_spec("fastexcel") is None:
        raise DataError(
            f"{file.name} needs the package fastexcel: pip install 'emojob[xlsx]', or save the sheet as .csv"
        )
    _refuse_huge(file)
    import polars

    try:
        frames = polars.read_excel(
            str(file.path),
            sheet_id=0,  # all sheets
            engine="calamine",
            has_header=False,
            infer_schema_length=0,  # every cell as text
            drop_empty_rows=False,
            drop_empty_cols=False,
            raise_if_empty=False,
        )
    except BaseException as error:
        # the Rust reader's PanicException is not a subclass of Exception
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise _unreadable(file, error) from error
    sheets = {name: [row for row in frame.rows() if any(row)] for name, frame in frames.items()}
    sheets = {name: rows for name, rows in sheets.items() if rows}
    if not sheets:
        raise DataError(f"{file.name} has only empty sheets; fill in a sheet, or leave out this file")
    return sheets


def _refuse_huge(file: InputFile) -> None:
    """Raise DataError if the workbook or a sheet is too large to read.

    The reader allocates memory for blank cells too. So a single value in a distant cell (for example XFD1048576) could
    use up the memory and end the process.
    """
    try:
        with zipfile.ZipFile(str(file.path)) as packed:
            size = sum(member.file_size for member in packed.infolist())
            if size > MOST_BYTES:
                raise DataError(
                    f"{file.name} has {size:,} bytes when unpacked, but at most {MOST_BYTES:,} bytes are "
                    "allowed; save each sheet as .csv"
                )
            for member in packed.infolist():
                if member.filename.lower().endswith(".xml"):
                    _refuse_huge_sheet(file, packed, member)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError) as error:
        raise _unreadable(file, error) from error


def _refuse_huge_sheet(file: InputFile, packed: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    rows = columns = 0
    for letters, numbers in _references(packed, member):
        rows = max(rows, *(int(number) if len(number) < 9 else 1 << 60 for number in numbers))
        columns = max(columns, *(_column_number(column) if len(column) < 9 else 1 << 60 for column in letters))
    if rows > _LAST_ROW or columns > _LAST_COLUMN or rows * columns > MOST_CELLS:
        raise DataError(
            f"{file.name} has a sheet with {rows:,} rows and {columns:,} columns, but at most {MOST_CELLS:,} cells are "
            "allowed; delete the cells that are far below or right of the data, or save the sheet as .csv"
        )


def _references(packed: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[tuple[set[bytes], set[bytes]]]:
    """Yield (column letters, row numbers) of the references in each block of a sheet's XML.

    A cell reference such as B7 has column letters and a row number. A row reference has empty column letters.
    """
    buffer = b""
    with packed.open(member) as part:
        while block := part.read(_BLOCK_BYTES):
            buffer += block
            found = _REFERENCE.findall(buffer)
            if found:
                letters, numbers = zip(*found, strict=True)
                yield set(letters), set(numbers)
            buffer = buffer[-_LONGEST_TAG:]


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number


def _unreadable(file: InputFile, error: BaseException) -> DataError:
    reason = first_line(error).removeprefix("calamine error: ")
    return DataError(
        f"{file.name} is not a readable .xlsx workbook ({reason}); open the file in Excel and save it as .xlsx or .csv"
    )
