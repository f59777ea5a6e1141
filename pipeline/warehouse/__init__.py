"""Uses DuckDB to query and export labelled archives, and to remove rows from labelled archives.

The SQL files are in `sql/` and `sql/aggregates/`.
"""

__all__ = [
    "aggregates",
    "conversations",
    "database",
    "export",
    "forget",
    "forget_derived",
    "open_archive",
    "part_files",
    "query",
    "results",
    "spill",
    "sql_text",
]
