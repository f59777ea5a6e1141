"""Reads the texts of earlier annotation sheets, so that `emojob sample` leaves them out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from emojob.schemas import sheet
from emojob.schemas.errors import EmojobError
from emojob.training.data.files import Table, find_files, read_tables

_MOST_BYTES = 64 << 20  # a larger file is no annotation sheet of at most 10,000 rows
_HEADER_BYTES = 4096


def texts_of(paths: Sequence[Path]) -> list[str]:
    """Return the texts of annotation sheets and of other annotated files.

    Args:
        paths: Paths of files or folders, or glob patterns.

    Raises:
        DataError: A file cannot be read.
        ColumnError: A file has no text column.
    """
    files = find_files(paths)
    return [text for file in files for table in read_tables(file) for text in _texts(table)]


def sheets_in(folder: Path) -> list[Path]:
    """Return the annotation sheets in a folder: CSV files and workbooks with the columns of a sheet, sorted by name."""
    found = []
    for file in sorted(folder.iterdir()):
        format_ = file.suffix.lower().removeprefix(".")
        if format_ in ("csv", "xlsx") and file.is_file() and file.stat().st_size <= _MOST_BYTES:
            is_sheet = _has_sheet_header(file) if format_ == "csv" else _is_workbook(file)
            found += [file] if is_sheet else []
    return found


def _has_sheet_header(file: Path) -> bool:
    with file.open("rb") as stream:
        line = stream.read(_HEADER_BYTES).splitlines()[:1]
    # the names of the columns are ASCII, so every encoding of CSV files that emojob reads gives the same names
    names = b"".join(line).decode("ascii", "ignore").replace(";", ",").replace("\t", ",").split(",")
    return sheet.is_sheet(name.strip('" ') for name in names)


def _is_workbook(file: Path) -> bool:
    try:
        (found,) = find_files([file])
        return any(sheet.is_sheet(table.columns) for table in read_tables(found))
    except (EmojobError, OSError, ValueError):
        return False


def _texts(table: Table) -> list[str]:
    if sheet.is_sheet(table.columns):
        return [sheet.unescape_cell(text) for text in table.texts(sheet.TEXT) if text]
    return [text for text in table.texts(table.choose_text(None)) if text]
