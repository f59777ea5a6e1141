"""Reads SQL files, and quotes texts and names for SQL."""

from __future__ import annotations

from importlib.resources import files


def read_sql(name: str) -> str:
    """Return the text of pipeline/warehouse/sql/NAME.sql."""
    return (files("emojob.pipeline.warehouse") / "sql" / f"{name}.sql").read_text(encoding="utf-8")


def literal(text: str) -> str:
    """Return a text as an SQL literal in single quotes."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return a name as an SQL identifier in double quotes."""
    return '"' + name.replace('"', '""') + '"'
