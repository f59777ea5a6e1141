"""Reads and runs the aggregates. An aggregate is an SQL query that computes figures of a report.

The query of the aggregate NAME is in pipeline/warehouse/sql/aggregates/NAME.sql. The comment at the beginning of the
file describes one row of the result. Users can query each aggregate as a view (FROM days). The views of
pipeline/warehouse/conversations.py are in pipeline/warehouse/sql/conversations/.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from typing import Any

import duckdb

from emojob.pipeline.warehouse.conversations import CONVERSATION_VIEWS
from emojob.pipeline.warehouse.database import fetch_dicts
from emojob.pipeline.warehouse.sql_text import literal, read_sql

#: Names of the aggregates. The query of an aggregate may read earlier aggregates in this tuple, and CONVERSATION_VIEWS.
AGGREGATES = (
    "hours", "label_hours", "emotions", "days", "quality", "hours_of_day", "hours_of_week", "confidences", "lengths",
    "extremes", "typical", "uncertain", "talks", "turns", "transitions", "conversations", "conversation_emotions",
    "soured", "endings", "arcs",
)  # fmt: skip

# Words in queries about the views themselves, in lower case.
_ABOUT_VIEWS = re.compile("show|describe|desc |duckdb_|information_schema|pg_|sqlite_|pragma_")

#: Views that only other views read. SHOW TABLES does not list them.
INTERNAL_VIEWS = (
    "carried", "shared_ids", "in_conversations", "conversation_roles", "spoken", "hours", "label_hours", "extremes",
    "talks", "turns",
)  # fmt: skip


def aggregate(name: str) -> tuple[str, str]:
    """Return (query, comment) of an aggregate. The comment describes one row of the result."""
    text = read_sql(f"conversations/{name}" if name in CONVERSATION_VIEWS else f"aggregates/{name}")
    comment = " ".join(line.removeprefix("--").strip() for line in text.splitlines() if line.startswith("--"))
    return text, comment


class AggregateViews:
    """Creates the views of the aggregates when a query needs them.

    DuckDB plans a view when it is created, with all views that it reads. For all aggregates, this takes seconds.

    Args:
        db: A database with the views of `create_views`.
    """

    def __init__(self, db: duckdb.DuckDBPyConnection) -> None:
        self._db, self._missing = db, list(AGGREGATES)
        for name in CONVERSATION_VIEWS:
            self._comment(name)

    def create_for(self, query: str) -> None:
        """Create the views that a query may name. A query about the views themselves needs all of them."""
        text = query.casefold()
        if _ABOUT_VIEWS.search(text):
            self.create_all()
            return
        self._create({other for name in AGGREGATES if name in text for other in (name, *_read_by(name))})

    def create_all(self) -> bool:
        """Create the views that do not exist yet. Return whether there were any."""
        were_missing = bool(self._missing)
        self._create(AGGREGATES)
        return were_missing

    def _create(self, names: Iterable[str]) -> None:
        wanted = set(names)
        for name in [one for one in self._missing if one in wanted]:  # a view reads only earlier ones
            self._db.execute(f"CREATE VIEW {name} AS {aggregate(name)[0]}")
            self._comment(name)
            self._missing.remove(name)

    def _comment(self, name: str) -> None:
        self._db.execute(f"COMMENT ON VIEW {name} IS {literal(aggregate(name)[1])}")


@functools.cache
def _read_by(name: str) -> frozenset[str]:
    """Return the aggregates that the query of an aggregate reads, directly or through others."""
    query = "\n".join(line for line in aggregate(name)[0].splitlines() if not line.startswith("--"))
    direct = [one for one in AGGREGATES[: AGGREGATES.index(name)] if re.search(rf"\b{one}\b", query)]
    return frozenset(direct).union(*map(_read_by, direct))


def store(db: duckdb.DuckDBPyConnection, name: str) -> None:
    """Run the aggregate `name`, and store the result in a temporary table with the name of the aggregate."""
    db.execute(f"CREATE TEMP TABLE {name} AS {aggregate(name)[0]}")


def rows_of(db: duckdb.DuckDBPyConnection, name: str) -> list[dict[str, Any]]:
    """Run the aggregate `name`, and return each row as a dictionary {column: value}."""
    return fetch_dicts(db.execute(aggregate(name)[0]))
