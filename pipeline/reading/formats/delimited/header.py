"""Finds the header of a CSV or TSV file in the first records, and the columns that the header names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from emojob.schemas.column_names import has_no_header, is_known
from emojob.schemas.columns import USUAL_TEXT_COLUMNS, folded, of_usual_name

_MOST_PREAMBLE = 30  # maximum number of records before the header
_ROWS = 20  # maximum number of rows that are compared with a header
_HALF = 0.5  # share of the rows that have as many fields as a header with usual names
_MOSTLY = 0.9  # share of the rows that agree: as many fields as the header, or only empty fields behind it


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
    own = set(map(folded, given))
    filled = [[cell.strip().removeprefix("\ufeff") for cell in cells if cell.strip()] for cells in records]
    first = next((number for number, cells in enumerate(filled) if cells), 0)
    if not records:
        return first
    may_be_text = len(filled[first]) == 1 and bool(of_usual_name(filled[first], USUAL_TEXT_COLUMNS))
    is_given = any(folded(cell) in own for cell in filled[first])
    most, titles, known = len(filled[first]), len(filled[first]) <= 1, _known(filled[first], given)
    is_padded = len(records[first]) > len(filled[first])  # by a spreadsheet
    is_after_gap = False
    for number in range(first + 1, min(len(records), _MOST_PREAMBLE)):
        cells, names = filled[number], 0
        is_after_gap |= not cells
        is_wider = len(cells) > max(most, 1)
        is_as_wide = is_after_gap and len(cells) == most > 1 and all(map(is_known, cells)) and not is_given
        if (is_wider or is_as_wide) and len(set(cells)) == len(cells):
            names = _known(cells, given)
            rows = [row for row in records[number + 1 :] if len(row) == len(records[number])][:_ROWS]
            is_named = names > known and (names > 1 or known == 0)
            is_named |= not is_given and any(folded(cell) in own for cell in cells) and _are_longer(rows, most)
            is_only_one = titles and known == 0 and len(rows) > 1 and not _has_gap(records[number])
            if may_be_text:
                is_table = _is_table(records[number:], 2 * names >= len(cells) and names > 1)
                is_named = is_table and (names > 1 or (names == 1 and (is_after_gap or is_padded)))
                is_row = all(records[number]) and (is_padded or not _is_prose(rows))
                is_only_one = is_table and is_after_gap and is_row and len(rows) > 1
            if _are_wider(rows, records[number]):  # a title, and a spreadsheet has padded it
                is_named = is_only_one = False
            if (is_named or is_only_one) and not has_no_header(records[number], rows):
                return number
        most, titles, known = max(most, len(cells)), titles and len(cells) <= 1, max(known, names)
    return first


def _is_table(records: Sequence[Sequence[str]], is_named: bool) -> bool:
    """Return whether the first record is the header of a table: nearly all other records have as many fields.

    If most fields of the header have usual names (`is_named`), half of the records are enough.
    """
    widths = [len(cells) for cells in records if cells]
    same = sum(width == widths[0] for width in widths[1:])
    return same >= max(1, (_HALF if is_named else _MOSTLY) * (len(widths) - 1))


def _are_longer(rows: Sequence[Sequence[str]], most: int) -> bool:
    """Return whether half of the rows or more have more than `most` values."""
    return 2 * sum(sum(map(bool, row)) > most for row in rows) >= len(rows) > 0


def _are_wider(rows: Sequence[Sequence[str]], header: Sequence[str]) -> bool:
    """Return whether half of the rows or more have a value to the right of the last value of a header."""
    width = _width(header)
    return 2 * sum(_width(row) > width for row in rows) >= len(rows) > 0


def _width(cells: Sequence[str]) -> int:
    return max((number + 1 for number, cell in enumerate(cells) if cell.strip()), default=0)


def _is_prose(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether the delimiters may be commas in texts: spaces follow them."""
    return any(cell.startswith(" ") for row in rows for cell in row[1:])


def has_known_name(records: Sequence[Sequence[str]], header: int, given: Sequence[str] = ()) -> bool:
    """Return whether a header has a usual name of a column, or a name that the user gave.

    A usual name of a text as the title of the table counts, too. So a dialect without that header is no better.

    Args:
        records: Cells of the first records.
        header: Index of the header.
        given: Names of columns that the user gave.
    """
    before = [[cell.strip() for cell in cells if cell.strip()] for cells in records[:header]]
    title = next(filter(None, before), [])
    is_text = len(title) == 1 and bool(of_usual_name(title, USUAL_TEXT_COLUMNS))
    names = [cell.strip() for cell in records[header]] if records else []
    return any(names) and (is_text or _known(names, given) > 0)


def _known(names: Sequence[str], given: Sequence[str]) -> int:
    own = set(map(folded, given))
    return sum(is_known(name) or folded(name) in own for name in names)


def _has_gap(cells: Sequence[str]) -> bool:
    return any(not cell.strip() for cell in cells[: _width(cells)])


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
