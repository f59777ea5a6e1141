"""Reads the queries in the folder `sql/`, and quotes values and names for SQL."""

from __future__ import annotations

from importlib.resources import files


def read_sql(name: str) -> str:
    """Return the text of pipeline/warehouse/sql/NAME.sql."""
    return (files("emojob.pipeline.warehouse") / "sql" / f"{name}.sql").read_text(encoding="utf-8")


def literal(text: str) -> str:
    """Return a text as a quoted SQL literal, for statements that accept no parameters."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return a name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
