"""Reads the wellness dialogue script of AI Hub (웰니스 대화 스크립트), and tables of the same shape.

Each row has a category (`구분`, with levels such as 배송/지연), an utterance of the user (`유저`) and an answer
(`챗봇`). The answers belong to the category, not to the utterance in the same row, so most cells of `챗봇` are empty.
"""

from __future__ import annotations

from collections.abc import Sequence

from emojob.schemas.messages import counted
from emojob.training.data.files import Table
from emojob.training.replies.pair_columns import (
    PairColumns,
    PairOptions,
    category_name,
    filled_texts,
    given_categories,
)

CATEGORY, QUESTION, ANSWER = "구분", "유저", "챗봇"


def is_wellness(table: Table) -> bool:
    """Return whether a table has the three columns of the wellness dialogue script."""
    return None not in map(table.find_column, (CATEGORY, QUESTION, ANSWER))


def wellness_columns(table: Table, options: PairOptions) -> PairColumns:
    """Read a table with the three columns.

    In a workbook with merged cells, only the first row of a block has its category. If most categories are empty, a
    row without a category therefore gets the category of the row above.

    Raises:
        ColumnError: The table has no column `options.category_column`.
    """
    category, question, answer = (table.find_column(name) or name for name in (CATEGORY, QUESTION, ANSWER))
    questions, answers = filled_texts(table, question), filled_texts(table, answer)
    categories = given_categories(table, options)
    notes: tuple[str, ...] = ()
    if categories is None:
        categories = [category_name(cell) for cell in filled_texts(table, category)]
        in_use = [
            question is not None or answer is not None for question, answer in zip(questions, answers, strict=True)
        ]
        categories, carried = _carried_down(categories, in_use)
        if carried:
            notes = (
                f"{table.short_name}: {counted(carried, 'row')} without {CATEGORY} got the category of the row above, "
                f"because most cells of {CATEGORY} are empty, as in merged cells",
            )
    return PairColumns("wellness", questions, answers, categories, notes=notes)


def _carried_down(categories: list[str | None], in_use: Sequence[bool]) -> tuple[list[str | None], int]:
    """Return (categories, number of categories that come from a row above).

    Args:
        categories: The category of each row; None if empty.
        in_use: Whether each row has a question or an answer. Only these rows count.
    """
    named = [category is not None for category, counts in zip(categories, in_use, strict=True) if counts]
    if 2 * sum(named) >= len(named):
        return categories, 0
    above: str | None = None
    filled, carried = list[str | None](), 0
    for category, counts in zip(categories, in_use, strict=True):
        above = category or above
        carried += counts and category is None and above is not None
        filled.append(above)
    return filled, carried
