"""Uses DuckDB to query and export labelled archives, and to remove rows from labelled archives.

The SQL files are in `sql/` and `sql/aggregates/`. `queries/` checks and converts the user's queries.
"""

__all__ = [
    "aggregates",
    "conversations",
    "database",
    "export",
    "forget",
    "forgetting",
    "open_archive",
    "part_files",
    "queries",
    "query",
    "rejected_rows",
    "results",
    "spill",
    "sql_text",
]
