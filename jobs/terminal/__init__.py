"""Prints progress, summaries and tables, and runs the SQL prompt. `text` replaces control characters."""

__all__ = [
    "console",
    "evaluation_tables",
    "label_lines",
    "machine_tables",
    "night_lines",
    "piped_console",
    "query_table",
    "replies",
    "report_tables",
    "scoring_progress",
    "scoring_summary",
    "sql_prompt",
    "taken_lines",
    "text",
    "training_progress",
]
