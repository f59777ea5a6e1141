"""SQL as text: the queries in the folder `sql/`, and values and names as SQL literals."""

from __future__ import annotations

from importlib.resources import files


def read_sql(name: str) -> str:
    """Return the text of pipeline/warehouse/sql/NAME.sql."""
    return (files("emojob.pipeline.warehouse") / "sql" / f"{name}.sql").read_text(encoding="utf-8")


def literal(text: str) -> str:
    """Return a text as an SQL literal, for statements that take no bound values."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
