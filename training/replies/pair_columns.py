"""Finds the columns with questions and answers in a table: the columns that the user named, or `Q` and `A`."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from emojob.schemas.blank import is_blank
from emojob.schemas.column_names import listed_columns
from emojob.schemas.errors import ColumnError, OptionError
from emojob.schemas.options import ReadOptions
from emojob.schemas.placeholders import without_placeholders
from emojob.training.data.files import Table
from emojob.training.replies.category_cells import filled_down

#: Columns of a table of questions and answers, such as ChatbotData of songys. Other columns are ignored.
QUESTION, ANSWER = "Q", "A"


@dataclass(frozen=True)
class PairOptions(ReadOptions):
    """Options for reading questions and answers, in addition to the options for reading any file.

    Attributes:
        question_column: Name of the column with the questions. None: the table must have a known shape.
        answer_column: Name of the column with the answers. It is given if `question_column` is given.
        category_column: Name of the column with the categories. None: use the categories of a known shape, if any.
    """

    question_column: str | None = None
    answer_column: str | None = None
    category_column: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        given = {"--question-column": self.question_column, "--answer-column": self.answer_column}
        missing = [option for option, name in given.items() if name is None]
        if len(missing) == 1:
            (other,) = given.keys() - set(missing)
            raise OptionError(f"{other} is given without {missing[0]}; give both options, or neither")
        names = [name for name in (self.question_column, self.answer_column, self.category_column) if name is not None]
        if len(set(names)) < len(names):
            raise OptionError(
                "--question-column, --answer-column and --category-column name the same column twice; give a different "
                "column with each option"
            )


@dataclass(frozen=True)
class PairColumns:
    """The cells of a table, one value for each possible pair. A missing or blank cell is None.

    Attributes:
        kind: Shape of the table: wellness, question-answer, aihub-dialogue or columns.
        questions: The questions.
        answers: The answers.
        categories: The categories; None if the table has no categories.
        emotions: The emotions of the questions; None if the table has no emotions.
        notes: Messages about the table.
    """

    kind: str
    questions: list[str | None]
    answers: list[str | None]
    categories: list[str | None] | None = None
    emotions: list[str | None] | None = None
    notes: tuple[str, ...] = ()


def is_question_answer(table: Table) -> bool:
    """Return whether a table has the columns `Q` and `A`."""
    return None not in (table.find_column(QUESTION), table.find_column(ANSWER))


def question_answer_columns(table: Table, options: PairOptions) -> PairColumns:
    """Read the columns that the user named, else `Q` and `A`.

    Raises:
        ColumnError: A column is missing.
    """
    question, answer = options.question_column or QUESTION, options.answer_column or ANSWER
    kind = "question-answer" if options.question_column is None else "columns"
    questions, answers = (
        filled_texts(table, find_column(table, name, option))
        for name, option in ((question, "--question-column"), (answer, "--answer-column"))
    )
    categories, notes = given_categories(table, options, questions, answers)
    return PairColumns(kind, questions, answers, categories, notes=notes)


def given_categories(
    table: Table, options: PairOptions, questions: Sequence[str | None], answers: Sequence[str | None]
) -> tuple[list[str | None] | None, tuple[str, ...]]:
    """Return (categories of the column that the user named, messages). If the user named none, (None, ()).

    Raises:
        ColumnError: The column is missing.
    """
    if options.category_column is None:
        return None, ()
    column = find_column(table, options.category_column, "--category-column")
    return read_categories(table, column, questions, answers)


def read_categories(
    table: Table, column: str, questions: Sequence[str | None], answers: Sequence[str | None]
) -> tuple[list[str | None], tuple[str, ...]]:
    """Return (category of each row, messages). Blank cells are filled as `category_cells` describes.

    Args:
        table: The table.
        column: The column with the categories.
        questions: The question of each row.
        answers: The answer of each row.
    """
    cells = [category_name(cell) for cell in _texts(table, column)]
    return filled_down((table.short_name, column), cells, table.merged_cells.get(column), questions, answers)


def find_column(table: Table, name: str, option: str) -> str:
    """Return the column of a table that matches a name of the user.

    Args:
        table: The table.
        name: The name. Case, and spaces at the start and end, do not matter.
        option: The option with the name, for the error message.

    Raises:
        ColumnError: The table has no such column.
    """
    column = table.find_column(name)
    if column is None:
        raise ColumnError(
            f"{table.name} has no column {name!r}; its columns are {listed_columns(table.columns)}; give one of "
            f"these columns with {option} NAME"
        )
    return column


def filled_texts(table: Table, column: str) -> list[str | None]:
    """Return the texts of a column in NFC, without white space at the start and end.

    Blank texts and null markers such as NULL become None. NUL characters are removed. A cell that is merged with a cell
    above has the text of that cell.
    """
    texts, merged = _texts(table, column), table.merged_cells.get(column)
    return texts if merged is None else [texts[row] for row in merged.tolist()]


def _texts(table: Table, column: str) -> list[str | None]:
    """Return what `filled_texts` returns, but only the first of merged cells has a text."""
    texts = pa.array(table.texts(column), pa.large_string())
    return [_filled(text) for text in without_placeholders(texts, placeholders=False).to_pylist()]


def category_name(cell: str | None) -> str | None:
    """Return a category such as `배송/지연` without empty levels and without spaces around levels; None if empty."""
    levels = [] if cell is None else [" ".join(level.split()) for level in cell.split("/")]
    return "/".join(level for level in levels if not is_blank(level)) or None


def same_text(text: str) -> str:
    """Return a form that is equal for texts that differ only in white space. The texts are in NFC."""
    return " ".join(text.split())


def question_key(question: str) -> str:
    """Return a form that is equal for spellings of the same question: NFC, lower case, only letters and digits.

    A question without letters and digits is only stripped.
    """
    text = unicodedata.normalize("NFC", question)
    return "".join(filter(str.isalnum, text.casefold())) or text.strip()


def unknown_shape(table: Table, shapes: Sequence[str]) -> OptionError:
    """Return the error for a table without the columns of a known shape.

    Args:
        table: The table.
        shapes: The columns of each known shape, for example "Q and A".
    """
    return OptionError(
        f"{table.name} has none of the known pairs of columns ({'; '.join(shapes)}); its columns are "
        f"{listed_columns(table.columns)}; name the two columns with --question-column NAME and --answer-column NAME"
    )


def unreadable_table(name: str, shapes: Sequence[str]) -> ColumnError:
    """Return the error for a file whose first line does not look like the names of columns.

    Args:
        name: Name of the file.
        shapes: The columns of each known shape, for example "Q and A".
    """
    return ColumnError(
        f"{name} does not begin with the names of its columns ({'; '.join(shapes)}): add a line with the names; or, if "
        "the first line has other names, give --format csv or --format tsv, and name the two columns with "
        "--question-column NAME and --answer-column NAME"
    )


def _filled(text: str | None) -> str | None:
    if text is None or is_blank(text):
        return None
    return unicodedata.normalize("NFC", text.replace("\0", "")).strip()
