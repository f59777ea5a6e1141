"""Printing: progress, summaries, tables and the SQL prompt. `text` makes any text safe to print."""

__all__ = [
    "console",
    "evaluation_tables",
    "query_table",
    "report_tables",
    "scoring_progress",
    "sql_prompt",
    "text",
    "training_progress",
]
