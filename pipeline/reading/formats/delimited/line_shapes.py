"""Describes the lines of a CSV or TSV file by the form of their fields, to find lines that are rows by themselves."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

_MOSTLY = 0.95  # share of the cells that must have a form
_MOST_VALUES = 20  # maximum number of different values of a category
_LONGEST_VALUE = 30  # maximum number of characters of a category's value
_REPEATS = 5  # how often a value of a category occurs on average, at least
_MOST_LINES = 4000  # maximum number of lines that are compared
_NUMBER = r"[-+]?[0-9][-0-9.:/TZ+ ]*+"


def shape_of_lines(data: bytes, delimiter: str, width: int, codec: str) -> str:
    """Return a pattern for lines that are rows by themselves, without the line end; "" if there is no such pattern.

    The pattern needs a column of numbers, times or categories. So only the lines of a text that look like the other
    rows match.

    Args:
        data: Lines of the file. Quotes are ordinary characters.
        delimiter: Delimiter of the file.
        width: Number of fields of a row.
        codec: Name of the Python codec that decodes the lines.
    """
    if width < 2 or not delimiter or (b'"' not in data and b"'" not in data):
        return ""
    lines = re.split(r"[\r\n]+", data.decode(codec, "replace"))[1:_MOST_LINES]
    rows = [cells for cells in (line.split(delimiter) for line in lines) if len(cells) == width]
    if not rows:
        return ""
    fields = [_pattern(column) for column in zip(*rows, strict=True)]
    if not any(fields):
        return ""
    anything = rf"[^{re.escape(delimiter)}\r\n]*+"
    return re.escape(delimiter).join(field or anything for field in fields)


def _pattern(cells: Sequence[str]) -> str:
    """Return a pattern for the cells of a column; "" if the cells are texts."""
    filled = [cell for cell in cells if cell]
    if not filled:
        return ""
    empty = "|" if len(filled) < len(cells) else ""
    numbers = sum(bool(re.fullmatch(_NUMBER, cell)) for cell in filled)
    if numbers >= _MOSTLY * len(filled):
        return f"(?:{_NUMBER}{empty})"
    counts = Counter(filled)
    common = [cell for cell, count in counts.most_common(_MOST_VALUES) if count > 1]
    few = len(counts) * _REPEATS <= len(filled)
    short = all(len(cell) <= _LONGEST_VALUE and "\ufffd" not in cell for cell in common)
    if few and short and sum(counts[cell] for cell in common) >= _MOSTLY * len(filled):
        return f"(?:{'|'.join(map(re.escape, common))}{empty})"
    return ""
