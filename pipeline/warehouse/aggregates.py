"""Reads and runs the aggregates. An aggregate is an SQL query that computes figures of a report.

The query of the aggregate NAME is in the file pipeline/warehouse/sql/aggregates/NAME.sql. The comment at the beginning
of the file describes one row of the result. Users query an aggregate as a view, and this view has the same comment.
"""

from __future__ import annotations

from typing import Any

import duckdb

from emojob.pipeline.warehouse.database import fetch_dicts
from emojob.pipeline.warehouse.sql_text import literal, read_sql

#: Names of the aggregates. An aggregate comes after the aggregates that its query reads.
AGGREGATES = (
    "hours", "emotions", "days", "quality", "hours_of_day", "hours_of_week", "confidences", "lengths",
    "extremes", "typical", "uncertain", "talks", "turns", "transitions", "conversations", "conversation_emotions",
    "soured", "endings", "arcs",
)  # fmt: skip


def aggregate(name: str) -> tuple[str, str]:
    """Return the query of an aggregate, and the comment that describes a row of its result."""
    text = read_sql(f"aggregates/{name}")
    comment = " ".join(line.removeprefix("--").strip() for line in text.splitlines() if line.startswith("--"))
    return text, comment


def create_aggregates(db: duckdb.DuckDBPyConnection) -> None:
    """Create a view for each aggregate, and set the comment of the view."""
    for name in AGGREGATES:
        query, comment = aggregate(name)
        db.execute(f"CREATE VIEW {name} AS {query}")
        db.execute(f"COMMENT ON VIEW {name} IS {literal(comment)}")


def store(db: duckdb.DuckDBPyConnection, name: str) -> None:
    """Compute an aggregate and store its rows in a temporary table of the same name."""
    db.execute(f"CREATE TEMP TABLE {name} AS {aggregate(name)[0]}")


def rows_of(db: duckdb.DuckDBPyConnection, name: str) -> list[dict[str, Any]]:
    """Run an aggregate, and return its rows as {column: value}."""
    return fetch_dicts(db.execute(aggregate(name)[0]))
