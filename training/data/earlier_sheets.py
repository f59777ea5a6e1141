"""Reads the texts of earlier annotation sheets, so that `emojob sample` leaves them out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from emojob.pipeline.reading.files.input_file import InputFile, PassedOver
from emojob.pipeline.reading.selection import passed_over_note
from emojob.schemas import sheet
from emojob.schemas.errors import ColumnError, EmojobError
from emojob.training.data.files import Table, find_files, read_tables

_MOST_BYTES = 64 << 20  # a larger file is no annotation sheet of at most 10,000 rows
_HEADER_BYTES = 4096


def texts_of(paths: Sequence[Path], note: Callable[[str], None] = lambda text: None) -> list[str]:
    """Return the texts of annotation sheets and of other annotated files.

    Args:
        paths: Paths of files or folders, or glob patterns.
        note: callback(message) about files and sheets that are not read.

    Raises:
        DataError: A file cannot be read.
        ColumnError: A file has no text column.
    """
    passed_over: list[PassedOver] = []
    texts = [text for file in find_files(paths, passed_over) for text in _texts_of(file, passed_over)]
    for line in passed_over_note(passed_over):
        note(line)
    return texts


def _texts_of(file: InputFile, passed_over: list[PassedOver]) -> list[str]:
    """Return the texts of a file. Sheets without a text column are passed over if another sheet has texts."""
    tables = read_tables(file, passed_over=passed_over)
    found, others, error = list[list[str]](), list[PassedOver](), None
    for table in tables:
        try:
            found.append(_texts(table))
        except ColumnError as failed:
            error = error or failed
            others.append(PassedOver(table.short_name, "a sheet without a text column", table.sheet is not None))
    if error and not found:
        raise error
    passed_over += others
    return [text for texts in found for text in texts]


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
