"""Reads SQL files, quotes texts for SQL, and binds columns by their exact names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.resources import files

from duckdb import DuckDBPyConnection, DuckDBPyRelation, Expression, SQLExpression

from emojob.schemas.columns import in_sql, same_names

_RENAMED = re.compile(r"(.+?)(_\d+)+", re.DOTALL)  # DuckDB's name for a column whose name is taken


def read_sql(name: str) -> str:
    """Return the text of pipeline/warehouse/sql/NAME.sql."""
    return (files("emojob.pipeline.warehouse") / "sql" / f"{name}.sql").read_text(encoding="utf-8")


def literal(text: str) -> str:
    """Return a text as an SQL literal in single quotes."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return a name as an SQL identifier in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def columns_of(rows: DuckDBPyRelation, names: Sequence[str] = ()) -> dict[str, Expression]:
    """Return {name: SQL expression} for the columns of a relation.

    The expressions are positions (#1, #2, ...), because an SQL expression cannot contain every name: * means all
    columns, and a name may be empty or contain a NUL character.

    Args:
        rows: The relation.
        names: The names of the columns in the Parquet files. If a name is empty, DuckDB replaces it: C0, C1, ...
    """
    columns = {name: SQLExpression(f"#{position}") for position, name in enumerate(rows.columns, 1)}
    unnamed = f"C{list(names).index('')}" if "" in names else ""
    return columns | ({"": columns[unnamed]} if unnamed in columns else {})


def free_names(names: Sequence[str], beginnings: Sequence[str]) -> list[str]:
    """Return a name for each of `beginnings` that is not in `names`: the beginning and a number."""
    taken, number = set(map(in_sql, names)), 0
    while any(f"{beginning} {number}" in taken for beginning in beginnings):
        number += 1
    return [f"{beginning} {number}" for beginning in beginnings]


def renamed_columns(db: DuckDBPyConnection, names: Sequence[str], columns: Sequence[str]) -> list[str]:
    """Return the names that several columns of a part file share in SQL. DuckDB renames such columns: text, text_1.

    Args:
        db: The database.
        names: The part files as DuckDB names them.
        columns: The names of all columns as DuckDB names them.
    """
    taken = set(map(in_sql, columns))
    if not any(match and in_sql(match[1]) in taken for match in map(_RENAMED.fullmatch, columns)):
        return []
    query = "SELECT file_name, name, coalesce(num_children, 0) FROM parquet_schema($names)"
    of_file: dict[str, list[tuple[str, int]]] = {}
    for file, name, children in db.execute(query, {"names": list(names)}).fetchall():
        of_file.setdefault(file, []).append((name, children))
    found = (same_names(_top_level(nodes), in_sql) for nodes in of_file.values())
    return next((twins for twins in found if twins), [])


def _top_level(nodes: Sequence[tuple[str, int]]) -> list[str]:
    """Return the names of the columns from the nodes of a Parquet schema: (name, number of children), depth first.

    An empty name is replaced as in DuckDB: C0, C1, ...
    """
    names: list[str] = []
    inside = 0
    for name, children in nodes[1:]:  # the first node is the root
        if not inside:
            names.append(name or f"C{len(names)}")
        inside = children if not inside else inside - 1 + children
    return names
