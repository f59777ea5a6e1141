"""Finds the header of a CSV or TSV file in the first records, and the columns that the header names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from emojob.schemas.column_names import has_no_header, is_known
from emojob.schemas.columns import USUAL_TEXT_COLUMNS, folded, of_usual_name

_MOST_PREAMBLE = 30  # maximum number of records before the header
_ROWS = 20  # maximum number of rows that are compared with a header
_MOSTLY = 0.9  # share of the rows that end in empty fields, if the header is shorter than the rows


@dataclass(frozen=True)
class Columns:
    """The columns of a file.

    Attributes:
        names: Names of the columns.
        width: Number of fields of a row.
        named: Number of fields of a row if the last delimiters are missing, because the header does not have them.
        ignored: Numbers of the fields that are no columns, from 0.
    """

    names: list[str]
    width: int
    named: int
    ignored: tuple[int, ...]


def find_header(records: Sequence[Sequence[str]], given: Sequence[str] = ()) -> int:
    """Return the index of the record that is the header.

    Usually this is the first record. The header follows later if the records before it are a title: they contain fewer
    values than the header, and fewer usual names of columns.

    Args:
        records: Cells of the first records. Blank lines are records without cells.
        given: Names of columns that the user gave.
    """
    filled = [[cell.strip().removeprefix("\ufeff") for cell in cells if cell.strip()] for cells in records]
    first = next((number for number, cells in enumerate(filled) if cells), 0)
    if not records or (len(filled[first]) == 1 and of_usual_name(filled[first], USUAL_TEXT_COLUMNS)):
        return first
    most, titles, known = len(filled[first]), len(filled[first]) <= 1, _known(filled[first], given)
    for number in range(first + 1, min(len(records), _MOST_PREAMBLE)):
        cells, names = filled[number], 0
        if len(cells) > max(most, 1) and len(set(cells)) == len(cells):
            names = _known(cells, given)
            rows = [row for row in records[number + 1 :] if len(row) == len(records[number])][:_ROWS]
            is_named = names > known and (names > 1 or known == 0)
            is_only_one = titles and known == 0 and len(rows) > 1 and not _has_gap(records[number])
            if (is_named or is_only_one) and not has_no_header(records[number], rows):
                return number
        most, titles, known = max(most, len(cells)), titles and len(cells) <= 1, max(known, names)
    return first


def has_known_name(cells: Sequence[str], given: Sequence[str] = ()) -> bool:
    """Return whether a header has a usual name of a column, or a name that the user gave."""
    return _known([cell.strip() for cell in cells], given) > 0


def _known(names: Sequence[str], given: Sequence[str]) -> int:
    own = set(map(folded, given))
    return sum(is_known(name) or folded(name) in own for name in names)


def _has_gap(cells: Sequence[str]) -> bool:
    last = max((number for number, cell in enumerate(cells) if cell.strip()), default=-1)
    return any(not cell.strip() for cell in cells[: last + 1])


def columns_of(header: Sequence[str], widths: Mapping[int, int], read_rows: Callable[[], list[list[str]]]) -> Columns:
    """Return the columns of a file.

    Fields without a name and without values are ignored. They come from a delimiter at the end of each line, or from
    empty columns of a spreadsheet.

    Args:
        header: Cells of the header.
        widths: {number of fields: number of rows}.
        read_rows: Function that returns the cells of the rows. It takes time, so it is called only if necessary.
    """
    names = _trimmed(header)
    named = max((number + 1 for number, name in enumerate(names) if name), default=len(names))
    common = max(widths, key=lambda width: (widths[width], width == len(names), width), default=len(names))
    width = len(names)
    rows = [] if all(names) and common <= len(names) else read_rows()
    is_longer = common > len(names) and _is_empty_from(rows, common, len(names))
    if is_longer or (common == named and not widths.get(len(names))):
        width = common
    names = (names + [""] * (width - len(names)))[:width]
    ignored = tuple(number for number, name in enumerate(names) if not name and _is_empty(rows, width, number))
    if len(ignored) == width:  # no column would remain
        ignored = ()
    kept = [number for number in range(width) if number not in ignored]
    unnamed = sum(not names[number] for number in kept)
    final = [names[number] or (f"column_{number + 1}" if unnamed > 1 else "") for number in kept]
    return Columns(final, width, min(len(header), width), ignored)


def _trimmed(header: Sequence[str]) -> list[str]:
    """Return the names without outer spaces. If two names would become equal, return the names unchanged."""
    names = [name.strip() for name in header]
    return names if len({*filter(None, names)}) == len({*filter(str.strip, header)}) else list(header)


def _is_empty_from(rows: Sequence[Sequence[str]], width: int, start: int) -> bool:
    same = [row for row in rows if len(row) == width]
    return sum(not any(row[start:]) for row in same) >= _MOSTLY * len(same)


def _is_empty(rows: Sequence[Sequence[str]], width: int, number: int) -> bool:
    same = [row for row in rows if len(row) == width]
    return not any(row[number] for row in same)
