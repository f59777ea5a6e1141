"""Find the label column of an annotated table, and read the labels in its cells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa

from emojob.schemas.column_names import listed_columns
from emojob.schemas.errors import ColumnError
from emojob.training.data.files import Table, cell_text, folded_name
from emojob.training.data.label_map import canonical

#: Usual names of the label column; upper and lower case do not matter.
USUAL_LABEL_COLUMNS = (
    "label", "labels", "emotion", "emotions", "sentiment", "category", "class", "감정", "감정_대분류", "감정대분류",
    "감정분류", "감정_라벨", "감정라벨", "라벨", "레이블", "분류",
)  # fmt: skip


def choose_label_column(table: Table, text_column: str, given: str | None) -> str:
    """Return the name of the label column: the column that the user gave, or the only column with a usual name.

    Args:
        table: The annotated table.
        text_column: Name of the text column.
        given: Column name from the user. None: search for a column with a usual name.

    Raises:
        ColumnError: The given column is missing or is the text column; or no column is given, and no column or more
            than one column has a usual name.
    """
    columns = listed_columns(table.columns)
    if given is not None:
        column = given if given in table.columns else table.find_column(given)
        if column is None:
            raise ColumnError(
                f"{table.name} has no column {given!r}; its columns are {columns}; give the column with the labels: "
                "--label-column NAME"
            )
        if column == text_column:
            raise ColumnError(
                f"{table.name}: column {column!r} is already the text column; give the column with the labels: "
                "--label-column NAME"
            )
        return column
    usual = {folded_name(name) for name in USUAL_LABEL_COLUMNS}
    candidates = [column for column in table.columns if folded_name(column) in usual and column != text_column]
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        raise ColumnError(
            f"{table.name}: several columns may hold the labels ({listed_columns(candidates)}); choose one with "
            "--label-column NAME"
        )
    raise ColumnError(
        f"{table.name}: no column has a usual name for labels, such as label or emotion; the columns are {columns}; "
        "give the column with the labels: --label-column NAME"
    )


def read_labels(table: Table, column: str) -> list[tuple[str, ...]]:
    """Return the labels of each row; () if the row has no label.

    Args:
        table: The annotated table.
        column: Name of the label column. A cell may hold a string, a number, or a list of strings or numbers.

    Raises:
        ColumnError: The column has an unsupported type, for example a struct.
    """
    known: dict[Any, tuple[str, ...]] = {None: ()}

    def label_tuple(value: Any) -> tuple[str, ...]:
        cells = value if isinstance(value, list) else [value]
        labels = [canonical(cell_text(cell)) for cell in cells if cell is not None]
        return tuple(dict.fromkeys(label for label in labels if label))

    kind = table.data.schema.field(column).type
    if pa.types.is_nested(kind) and not (_is_list(kind) and not pa.types.is_nested(kind.value_type)):
        raise ColumnError(
            f"{table.name}: column {column!r} has the type {kind}, but labels must be strings or numbers (or lists of "
            "strings or numbers); give the column with the labels: --label-column NAME"
        )
    hashable: Callable[[Any], Any] = tuple if _is_list(kind) else lambda value: value
    found = []
    for value in table.values(column):
        key = None if value is None or value != value else hashable(value)  # NaN is not a label
        if key not in known:
            known[key] = label_tuple(value)
        found.append(known[key])
    return found


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))
