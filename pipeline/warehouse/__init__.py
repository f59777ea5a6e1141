"""Queries, exports and edits labelled archives with DuckDB.

The SQL files are in `sql/` and `sql/aggregates/`.
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
