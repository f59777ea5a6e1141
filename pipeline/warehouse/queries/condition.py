"""Finds the column names in the condition of `emojob forget`, exactly as they are written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import duckdb

from emojob.pipeline.output.labelled_archive import LabelledArchive
from emojob.pipeline.warehouse.queries.syntax_tree import nodes_of, parse_select
from emojob.pipeline.warehouse.sql_text import identifier
from emojob.schemas.column_names import listed_columns, shown
from emojob.schemas.columns import folded, in_sql
from emojob.schemas.errors import ColumnError

# Parts of a condition that read more than the named columns of one row.
_NOT_PLAIN = {"SUBQUERY", "STAR", "POSITIONAL_REFERENCE", "WINDOW"}


@dataclass(frozen=True)
class Condition:
    """An SQL condition.

    Attributes:
        text: The condition.
        names: Names of the columns as they are written, without quotes. Parameters of lambdas are names, too.
        is_plain: Whether the condition only reads the named columns of one row, so it needs no other rows.
    """

    text: str
    names: tuple[str, ...]
    is_plain: bool


def parse_condition(db: duckdb.DuckDBPyConnection, text: str, view: str, columns: Iterable[str]) -> Condition:
    """Return a condition with its column names.

    Args:
        db: Any database.
        text: The condition. An invalid condition has no names.
        view: Name of the view whose columns the condition names, in lower case.
        columns: Names of the columns of the view. A column may have the name of the view.
    """
    known = set(map(in_sql, columns))
    query = f"SELECT 1 FROM {identifier(view)} WHERE ({text}\n)"  # noqa: S608 - the query is parsed, but does not run
    select = parse_select(db, query)
    if select is None:
        return Condition(text, (), False)
    names: dict[str, None] = {}
    is_plain = True
    for node in nodes_of(select.get("where_clause")):
        is_plain = is_plain and node.get("class") not in _NOT_PLAIN
        path = node.get("column_names")
        if node.get("class") == "COLUMN_REF" and path:
            if in_sql(path[0]) == view and len(path) > 1 and (in_sql(path[1]) in known or view not in known):
                path = path[1:]
            elif in_sql(path[0]) == view and view not in known:
                is_plain = False  # the name of the view is the whole row
            names[path[0]] = None
    return Condition(text, tuple(names), is_plain)


def ensure_one_column(archive: LabelledArchive, condition: Condition) -> None:
    """Raise ColumnError if a name in the condition means several columns.

    A run refuses such names. But earlier versions of emojob wrote them into different part files of an archive.
    """
    for name in condition.names:
        same = [one for one in archive.spellings if folded(one) == folded(name)]
        if len(same) > 1:
            raise ColumnError(
                f"--where names the column {shown(name)}, but the part files of {archive.path} have "
                f"{len(same)} columns whose names differ only in upper and lower case, or in their Unicode form: "
                f"{listed_columns(same)}; select the rows by other columns, or give the column one name in all inputs "
                "and score them again with --fresh"
            )
