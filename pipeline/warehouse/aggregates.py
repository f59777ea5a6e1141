"""Reads and runs the aggregates. An aggregate is an SQL query that computes figures of a report.

The query of the aggregate NAME is in pipeline/warehouse/sql/aggregates/NAME.sql. The comment at the beginning of the
file describes one row of the result. Users can query each aggregate as a view (FROM days). The views of
pipeline/warehouse/conversations.py are in pipeline/warehouse/sql/conversations/.
"""

from __future__ import annotations

from typing import Any

import duckdb

from emojob.pipeline.warehouse.conversations import CONVERSATION_VIEWS
from emojob.pipeline.warehouse.database import fetch_dicts
from emojob.pipeline.warehouse.sql_text import literal, read_sql

#: Names of the aggregates. The query of an aggregate may read earlier aggregates in this tuple, and CONVERSATION_VIEWS.
AGGREGATES = (
    "hours", "emotions", "days", "quality", "hours_of_day", "hours_of_week", "confidences", "lengths",
    "extremes", "typical", "uncertain", "talks", "turns", "transitions", "conversations", "conversation_emotions",
    "soured", "endings", "arcs",
)  # fmt: skip


#: Views that only other views read. SHOW TABLES does not list them.
INTERNAL_VIEWS = (
    "shared_ids", "in_conversations", "conversation_roles", "spoken", "hours", "extremes", "talks", "turns",
)  # fmt: skip


def aggregate(name: str) -> tuple[str, str]:
    """Return (query, comment) of an aggregate. The comment describes one row of the result."""
    text = read_sql(f"conversations/{name}" if name in CONVERSATION_VIEWS else f"aggregates/{name}")
    comment = " ".join(line.removeprefix("--").strip() for line in text.splitlines() if line.startswith("--"))
    return text, comment


def create_aggregates(db: duckdb.DuckDBPyConnection) -> None:
    """Create a view with a comment for each aggregate, and comments for CONVERSATION_VIEWS."""
    for name in (*CONVERSATION_VIEWS, *AGGREGATES):
        query, comment = aggregate(name)
        if name in AGGREGATES:
            db.execute(f"CREATE VIEW {name} AS {query}")
        db.execute(f"COMMENT ON VIEW {name} IS {literal(comment)}")


def store(db: duckdb.DuckDBPyConnection, name: str) -> None:
    """Run the aggregate `name`, and store the result in a temporary table with the name of the aggregate."""
    db.execute(f"CREATE TEMP TABLE {name} AS {aggregate(name)[0]}")


def rows_of(db: duckdb.DuckDBPyConnection, name: str) -> list[dict[str, Any]]:
    """Run the aggregate `name`, and return each row as a dictionary {column: value}."""
    return fetch_dicts(db.execute(aggregate(name)[0]))
