"""Describes the lines of a CSV or TSV file by the form of their fields, to find lines that are rows by themselves."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

_MOSTLY = 0.9  # share of the cells that must have a form
_MOST_VALUES = 20  # maximum number of different values of a category
_LONGEST_VALUE = 30  # maximum number of characters of a category's value
_REPEATS = 5  # how often a value of a category occurs on average, at least
_NUMBER = r"[-+]?[0-9][-0-9.:/TZ+ ]*+"
_IS_NUMBER = f"(?:{_NUMBER}"


def shape_of_lines(rows: Sequence[Sequence[str]], delimiter: str) -> str:
    """Return a pattern for lines that are rows by themselves, without the line end; "" if there is no such pattern.

    The pattern needs a column of numbers, times or categories. So only the lines of a text that look like the other
    rows match.

    Args:
        rows: Cells of rows, all of the same number.
        delimiter: Delimiter of the file.
    """
    if not rows or len(rows[0]) < 2 or not delimiter:
        return ""
    fields = [_pattern(column) for column in zip(*rows, strict=True)]
    if not any(fields):
        return ""
    anything = rf"[^{re.escape(delimiter)}\r\n]*+"
    if any(field.startswith(_IS_NUMBER) for field in fields):  # then a category may have a new value
        short = rf"[^{re.escape(delimiter)}\"\r\n]{{0,{_LONGEST_VALUE}}}+"
        fields = [field if not field or field.startswith(_IS_NUMBER) else short for field in fields]
    return re.escape(delimiter).join(field or anything for field in fields)


def _pattern(cells: Sequence[str]) -> str:
    """Return a pattern for the cells of a column; "" if the cells are texts."""
    filled = [cell for cell in cells if cell]
    if not filled:
        return ""
    empty = "|" if len(filled) < len(cells) else ""
    numbers = sum(bool(re.fullmatch(_NUMBER, cell)) for cell in filled)
    if numbers >= _MOSTLY * len(filled):
        return f"{_IS_NUMBER}{empty})"
    counts = Counter(filled)
    common = [cell for cell, count in counts.most_common(_MOST_VALUES) if count > 1]
    few = len(counts) * _REPEATS <= len(filled)
    short = all(len(cell) <= _LONGEST_VALUE and "\ufffd" not in cell for cell in common)
    if few and short and sum(counts[cell] for cell in common) >= _MOSTLY * len(filled):
        return f"(?:{'|'.join(map(re.escape, common))}{empty})"
    return ""
