"""Uses DuckDB on a labelled archive: views, aggregates, the user's queries, exports, and the removal of rows.

The SQL is in `sql/`, and the SQL of the aggregates is in `sql/aggregates/`.
"""

__all__ = [
    "aggregates",
    "database",
    "export",
    "forget",
    "open_archive",
    "query",
    "results",
    "spill",
]
