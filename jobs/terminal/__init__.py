"""Prints progress, summaries, tables and the SQL prompt. `text` makes any text safe to print."""

__all__ = [
    "console",
    "evaluation_tables",
    "label_lines",
    "machine_tables",
    "night_lines",
    "piped_console",
    "query_table",
    "report_tables",
    "scoring_progress",
    "scoring_summary",
    "sql_prompt",
    "text",
    "training_progress",
]
