"""Looks into the XML of a workbook (.xlsx): sizes of sheets, hidden sheets, merged cells, formulas without a value."""

from __future__ import annotations

import contextlib
import html
import io
import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from emojob.pipeline.reading.files.input_file import InputFile
from emojob.pipeline.storage.object_io import Reader
from emojob.schemas.errors import DataError
from emojob.schemas.messages import first_line

#: Maximum size of an unpacked workbook, in bytes.
MOST_BYTES = 4 << 30

#: Maximum number of cells in a sheet: last row number x last column number.
MOST_CELLS = 40_000_000

#: Maximum number of rows of a sheet.
LAST_ROW = 1_048_576

_BLOCK_BYTES = 1 << 20
_MOST_NAMES = 4 << 20  # bytes of the part of a workbook with the names of its sheets
_LONGEST_TAG = 512  # bytes at the end of a block that are searched again with the next block, in case a tag is split
_LAST_COLUMN = 16_384
_REFERENCE = re.compile(rb"""<(?:\w+:)?(?:c|row)\s(?:[^<>]{0,400}?\s)?r\s*=\s*["']([A-Za-z]*)([0-9]+)["']""")
_SHEET, _ATTRIBUTE = re.compile(r"<(?:\w+:)?sheet\s([^<>]*)>"), re.compile(r"""(\w+)\s*=\s*"([^"]*)\"""")
_PART, _MERGED = (
    re.compile(r"<(?:\w+:)?Relationship\s([^<>]*)>"),
    re.compile(rb"""<(?:\w+:)?mergeCell\s[^<>]{0,200}?ref\s*=\s*["']([A-Za-z]+)([0-9]+):[A-Za-z]+([0-9]+)["']"""),
)
_BLANK_FORMULA = re.compile(  # a cell with a formula and no stored value; a formula whose value is "" has the type str
    rb"""<(?:\w+:)?c(?![^<>]*\st=["']str["'])[^<>]*>\s*(?:<(?:\w+:)?f[^<>]*/>|<(?:\w+:)?f(?:\s[^<>]*)?>[^<]*</(?:\w+:)?f>)"""
    rb"""\s*(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v>\s*</(?:\w+:)?v>)?\s*</(?:\w+:)?c>"""
)


def check_sheets(file: InputFile, data: str | bytes) -> bool:
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
        raise unreadable(file, error) from error
    return found


def _check_sheet(file: InputFile, packed: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    rows = columns = 0
    found = False
    for letters, numbers, has_blank_formula in _references(packed, member):
        found |= has_blank_formula
        rows = max(rows, *(int(number) if len(number) < 9 else 1 << 60 for number in numbers))
        columns = max(columns, *(_column_number(column) if len(column) < 9 else 1 << 60 for column in letters))
    if rows > LAST_ROW or columns > _LAST_COLUMN or rows * columns > MOST_CELLS:
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


def hidden_sheets(source: Path | BinaryIO | Reader) -> set[str]:
    """Return the names of the hidden sheets of a workbook (.xlsx)."""
    sheets: list[dict[str, str]] = []
    with (
        contextlib.suppress(zipfile.BadZipFile, KeyError),  # .xls is no ZIP file, .ods has no such member
        zipfile.ZipFile(source) as packed,
    ):
        sheets = _elements(packed, "xl/workbook.xml", _SHEET)
    return {sheet.get("name", "") for sheet in sheets if sheet.get("state", "visible") != "visible"}


def merged_ranges(source: Path | BinaryIO | Reader, sheet: str | None) -> list[tuple[int, int, int]]:
    """Return the cells of a sheet that are merged over several rows, in ascending order.

    Args:
        source: A workbook. In other formats than .xlsx, no merged cell is found.
        sheet: Name of the sheet.

    Returns:
        (number of the leftmost column, number of the first row, number of the last row) of each merged cell, from 0.
    """
    found: set[tuple[int, int, int]] = set()
    with (
        contextlib.suppress(zipfile.BadZipFile, KeyError),
        zipfile.ZipFile(source) as packed,
        packed.open(_part_of(packed, sheet)) as part,
    ):
        buffer = b""
        while block := part.read(_BLOCK_BYTES):
            buffer += block
            for letters, first, last in _MERGED.findall(buffer) if b"mergeCell" in buffer else []:
                found.add((_column_number(letters) - 1, int(first) - 1, int(last) - 1))
            buffer = buffer[-_LONGEST_TAG:]
    return sorted(one for one in found if one[1] < one[2] < LAST_ROW)


def _part_of(packed: zipfile.ZipFile, sheet: str | None) -> str:
    """Return the name of the XML file of a sheet. Raise KeyError if the workbook has no such sheet."""
    numbers = {one.get("name"): one.get("id") for one in _elements(packed, "xl/workbook.xml", _SHEET)}
    parts = {one.get("Id"): one.get("Target", "") for one in _elements(packed, "xl/_rels/workbook.xml.rels", _PART)}
    target = parts[numbers[sheet]]
    return target.removeprefix("/") if target.startswith("/") else posixpath.normpath(f"xl/{target}")


def _elements(packed: zipfile.ZipFile, member: str, pattern: re.Pattern[str]) -> list[dict[str, str]]:
    """Return the attributes of the XML elements that match a pattern. Raise KeyError if the member is missing."""
    with packed.open(member) as part:
        content = part.read(_MOST_NAMES).decode("utf-8", "replace")
    return [
        {name: html.unescape(value) for name, value in _ATTRIBUTE.findall(element)}
        for element in pattern.findall(content)
    ]


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number


def unreadable(file: InputFile, error: BaseException) -> DataError:
    reason = first_line(error).removeprefix("calamine error: ")
    return DataError(
        f"{file.name} is not a readable workbook ({reason}); open the file in Excel and save it as .xlsx or .csv"
    )
