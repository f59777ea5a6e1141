"""Refuses a query that uses a column as a struct or a list, although the views show the column as text.

The views show such a column as text, because DuckDB would change its values (see `exact_texts`). Then `len(tags)` would
be the length of the text, without a word.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

import duckdb

from emojob.pipeline.warehouse.queries.syntax_tree import nodes_of, parse_select
from emojob.pipeline.warehouse.sql_text import literal
from emojob.schemas.column_names import is_usual, shown
from emojob.schemas.columns import folded, in_sql
from emojob.schemas.errors import ColumnError

#: Functions and operators that mean something else for a text than for a list or a struct.
_OTHER_MEANING = {
    "array_extract", "array_slice", "char_length", "character_length", "concat", "contains", "len", "length",
    "list_element", "list_extract", "list_slice", "||",
}  # fmt: skip


def refuse_nested_use(db: duckdb.DuckDBPyConnection, query: str, columns: Mapping[str, str]) -> None:
    """Raise ColumnError if a query uses one of some columns as a list or a struct.

    Args:
        db: Any database.
        query: A SELECT statement. A query that DuckDB cannot parse is not refused.
        columns: {column: the message}.
    """
    for node in nodes_of(parse_select(db, query)):
        name = node.get("function_name") or (node.get("type") if node.get("class") == "OPERATOR" else None)
        if isinstance(name, str) and name.lower() in _OTHER_MEANING:
            for one in (*node.get("arguments", ()), *node.get("children", ())):
                column = _column(one.get("expression", one), columns) if isinstance(one, dict) else None
                if column is not None:
                    raise ColumnError(columns[column])


def named_column(db: duckdb.DuckDBPyConnection, query: str, columns: Mapping[str, str]) -> str | None:
    """Return the first of some columns that a query names; None if it names none of them. See `refuse_nested_use`."""
    return next((found for node in nodes_of(parse_select(db, query)) if (found := _column(node, columns))), None)


def refuse_other_form(db: duckdb.DuckDBPyConnection, query: str, columns: Iterable[str]) -> None:
    """Raise ColumnError if a query names a column that exists only in another Unicode form, which looks the same."""
    known = {in_sql(name) for name in columns}
    forms = {folded(name): name for name in known}
    for node in nodes_of(parse_select(db, query)):
        for name in node.get("column_names") or ():
            other = forms.get(folded(name))
            if other is not None and in_sql(name) not in known:
                shown_name = literal(unicodedata.normalize("NFC", other)) if is_usual(other) else "'NAME'"
                raise ColumnError(
                    f"the column {shown(name)} exists only in another form (NFC, NFD, or upper and lower case), which "
                    'may look the same: copy its name from `emojob sql OUT "DESCRIBE labelled"`, or write '
                    f"COLUMNS(lambda name: nfc_normalize(name) = {shown_name})"
                )


def _column(node: dict[str, Any], columns: Mapping[str, str]) -> str | None:
    if node.get("class") != "COLUMN_REF":
        return None
    path = set(map(in_sql, node.get("column_names") or ()))
    return next((name for name in columns if in_sql(name) in path), None)
