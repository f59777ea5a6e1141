"""Reads and writes the syntax tree of a SELECT statement, as DuckDB's own parser makes it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import duckdb

Node = dict[str, Any]


def parse_select(db: duckdb.DuckDBPyConnection, query: str) -> Node | None:
    """Return the node of a SELECT statement; None if DuckDB cannot parse the query."""
    ((tree,),) = db.cursor().execute("SELECT json_serialize_sql($query)", {"query": query}).fetchall()
    parsed = json.loads(tree)
    return None if parsed.get("error") else parsed["statements"][0]["node"]


def select_text(db: duckdb.DuckDBPyConnection, node: Node) -> str:
    """Return the SQL of a SELECT statement."""
    tree = json.dumps({"error": False, "statements": [{"node": node}]})
    ((text,),) = db.cursor().execute("SELECT json_deserialize_sql($tree::JSON)", {"tree": tree}).fetchall()
    return str(text)


def nodes_of(value: Any) -> Iterator[Node]:
    """Yield the nodes of a syntax tree, a parent before its children."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield value
            value = list(value.values())
        if isinstance(value, list):
            waiting += reversed(value)


def types_of(db: duckdb.DuckDBPyConnection, select: Node, expressions: Sequence[Node]) -> list[str]:
    """Return DuckDB's types of expressions; [] if an expression has no meaning of its own, like a lambda's parameter.

    Args:
        db: The database.
        select: The SELECT statement that contains the expressions.
        expressions: Nodes of the statement.
    """
    if not expressions:
        return []
    try:
        query = select_text(db, {**select, "select_list": list(expressions), "where_clause": None})
        return [str(kind) for _, kind, *_ in db.cursor().execute(f"DESCRIBE {query}").fetchall()]
    except duckdb.Error:
        return []
