"""Excel workbooks (.xlsx), read by polars and fastexcel where these are installed, every cell as a text."""

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

MOST_BYTES = 4 << 30  # of a workbook, unpacked
MOST_CELLS = 40_000_000  # of a sheet, from its first cell to its last, blanks between them counted
_BLOCK = 1 << 20
_LONGEST_TAG = 512  # bytes, up to a place
_LAST_ROW, _LAST_COLUMN = 1_048_576, 16_384
_PLACE = re.compile(rb"""<(?:\w+:)?(?:c|row)\s(?:[^<>]{0,400}?\s)?r\s*=\s*["']([A-Za-z]*)([0-9]+)["']""")

Row = tuple[str | None, ...]


def read_sheets(file: InputFile) -> dict[str, list[Row]]:
    """The rows of each sheet that has any, blank rows left out: the first is the header.

    Raises DataError where the file is no workbook that can be read, has no rows, or fastexcel is missing.
    """
    if importlib.util.find_spec("fastexcel") is None:
        raise DataError(
            f"{file.name} needs the package fastexcel: pip install 'emojob[xlsx]', or save the sheet as .csv"
        )
    _refuse_vast(file)
    import polars

    try:
        frames = polars.read_excel(
            str(file.path),
            sheet_id=0,  # all of them
            engine="calamine",
            has_header=False,
            infer_schema_length=0,  # texts
            drop_empty_rows=False,
            drop_empty_cols=False,
            raise_if_empty=False,
        )
    except BaseException as error:
        # a fault in the Rust reader comes as PanicException, which is no Exception
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise _unreadable(file, error) from error
    sheets = {name: [row for row in frame.rows() if any(row)] for name, frame in frames.items()}
    sheets = {name: rows for name, rows in sheets.items() if rows}
    if not sheets:
        raise DataError(f"{file.name} has no row in any sheet; leave it out, or save it anew")
    return sheets


def _refuse_vast(file: InputFile) -> None:
    """Raises DataError where a sheet would not fit into memory: the reader makes room for all of its cells at once.

    One stray cell at the far end of a sheet is enough, and a failure to make room ends the process.
    """
    try:
        with zipfile.ZipFile(str(file.path)) as packed:
            size = sum(member.file_size for member in packed.infolist())
            if size > MOST_BYTES:
                raise DataError(f"{file.name} is {size:,} bytes unpacked, {MOST_BYTES:,} at most; save it as .csv")
            for member in packed.infolist():
                if member.filename.lower().endswith(".xml"):
                    _refuse_vast_sheet(file, packed, member)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError) as error:
        raise _unreadable(file, error) from error


def _refuse_vast_sheet(file: InputFile, packed: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    rows = columns = 0
    for letters, numbers in _places(packed, member):
        rows = max(rows, *(int(number) if len(number) < 9 else 1 << 60 for number in numbers))
        columns = max(columns, *(_column_number(some) if len(some) < 9 else 1 << 60 for some in letters))
    if rows > _LAST_ROW or columns > _LAST_COLUMN or rows * columns > MOST_CELLS:
        raise DataError(
            f"{file.name} has a sheet of {rows:,} rows and {columns:,} columns, too many to be read; "
            "delete stray cells far from the others, or save it as .csv"
        )


def _places(packed: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[tuple[set[bytes], set[bytes]]]:
    """The columns (letters, none for a row's own place) and rows (numbers) that stand in a block of a sheet."""
    held = b""
    with packed.open(member) as part:
        while block := part.read(_BLOCK):
            held += block
            found = _PLACE.findall(held)
            if found:
                letters, numbers = zip(*found, strict=True)
                yield set(letters), set(numbers)
            held = held[-_LONGEST_TAG:]


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number


def _unreadable(file: InputFile, error: BaseException) -> DataError:
    reason = first_line(error).removeprefix("calamine error: ")
    return DataError(
        f"{file.name} is no .xlsx workbook that can be read ({reason}); open and save it anew, or save it as .csv"
    )
