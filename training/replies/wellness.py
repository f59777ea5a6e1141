"""Reads the wellness dialogue script of AI Hub (웰니스 대화 스크립트), and tables of the same shape.

Each row has a category (`구분`, with levels such as 배송/지연), an utterance of the user (`유저`) and an answer
(`챗봇`). The answers belong to the category, not to the utterance in the same row, so most cells of `챗봇` are empty.
"""

from __future__ import annotations

from emojob.training.data.files import Table
from emojob.training.replies.pair_columns import (
    PairColumns,
    PairOptions,
    filled_texts,
    given_categories,
    read_categories,
)

CATEGORY, QUESTION, ANSWER = "구분", "유저", "챗봇"


def is_wellness(table: Table) -> bool:
    """Return whether a table has the three columns of the wellness dialogue script."""
    return None not in map(table.find_column, (CATEGORY, QUESTION, ANSWER))


def wellness_columns(table: Table, options: PairOptions) -> PairColumns:
    """Read a table with the three columns.

    Raises:
        ColumnError: The table has no column `options.category_column`.
    """
    category, question, answer = (table.find_column(name) or name for name in (CATEGORY, QUESTION, ANSWER))
    questions, answers = filled_texts(table, question), filled_texts(table, answer)
    categories, notes = given_categories(table, options, questions, answers)
    if categories is None:
        categories, notes = read_categories(table, category, questions, answers)
    return PairColumns("wellness", questions, answers, categories, notes=notes)
