"""Fills blank cells of a column with categories from the cell above, where the table shows that the category goes on.

In a sheet with merged cells, only the first row of a block has the category. A workbook says which cells are merged. In
other files, such as a CSV file that was saved from such a sheet, the blank cells are the only evidence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from emojob.schemas.messages import counted

_LEAST_BLANKS = 2  # a single blank cell is more often a forgotten one

Cells = list[str | None]


def filled_down(
    names: tuple[str, str],
    cells: Sequence[str | None],
    merged: NDArray[np.int64] | None,
    questions: Sequence[str | None],
    answers: Sequence[str | None],
) -> tuple[Cells, tuple[str, ...]]:
    """Return (categories, messages).

    A cell that is merged with a cell above has the category of that cell. Other blank cells are filled in two cases:

    - Most cells are blank: each one gets the category above.
    - A category stands in only one cell of the table, at least two rows without a category follow, and the questions of
      these rows differ: the rows get this category.

    Args:
        names: Names of the table and of the column, for messages.
        cells: The category of each row; None if the cell is blank.
        merged: The row whose cell covers the cell of each row; None if no cell is merged.
        questions: The question of each row.
        answers: The answer of each row. Only rows with a question or an answer count.
    """
    table, column = names
    found = list(cells) if merged is None else [cells[row] for row in merged.tolist()]
    rows = [row for row in range(len(found)) if questions[row] is not None or answers[row] is not None]
    notes = []
    if count := sum(cells[row] is None and found[row] is not None for row in rows):
        notes.append(f"{table}: {counted(count, 'row')} got the {column} of a merged cell")
    blank = [row for row in rows if found[row] is None]
    if 2 * len(blank) > len(rows):
        filled, why = _carried(found, rows), f"most cells of {column} are blank"
    else:
        filled, why = _carried_blocks(found, rows, questions), "it stands in a single cell above several blank ones"
    if filled:
        found = [filled.get(row, category) for row, category in enumerate(found)]
        notes.append(
            f"{table}: {counted(len(filled), 'row')} without {column} got the category of the row above, because "
            f"{why}, as in merged cells"
        )
    if left := len(blank) - len(filled):
        verb, be = ("has", "is") if left == 1 else ("have", "are")
        notes.append(
            f"{table}: {counted(left, 'row')} {verb} a blank {column} and {be} left out: fill in the category, or "
            "give a workbook (.xlsx) in which the cells are merged with the category"
        )
    return found, tuple(notes)


def _carried(cells: Cells, rows: Sequence[int]) -> dict[int, str]:
    """Return {row without a category: the category above}."""
    above: str | None = None
    filled = {}
    for row in rows:
        if cells[row] is None and above is not None:
            filled[row] = above
        above = cells[row] or above
    return filled


def _carried_blocks(cells: Cells, rows: Sequence[int], questions: Sequence[str | None]) -> dict[int, str]:
    """Return {row without a category: the category above}, for the blocks that look like merged cells."""
    times = Counter(cells[row] for row in rows)
    blocks: dict[str, list[int]] = {}  # {category that stands in one cell: rows of its block}
    for row, above in _carried(cells, rows).items():
        if times[above] == 1:
            blocks.setdefault(above, []).append(row)
    return {
        row: category
        for category, block in blocks.items()
        for row in block
        if len(block) >= _LEAST_BLANKS and len({questions[row] for row in block}) == len(block)
    }
