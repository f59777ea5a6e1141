"""DuckDB over a labelled archive: its views and aggregates, the user's queries, exports, and removing rows.

The SQL is in `sql/`; the aggregates are in `sql/aggregates/`.
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
