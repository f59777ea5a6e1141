"""Delimited text files (CSV, TSV): finds the dialect, cuts the bytes into records, and parses the records into rows.

`dialects` tries the possible dialects on a sample, with the help of `header` and `line_shapes`. `records` cuts the
file, `parser` parses the records, and `stream_lines` decodes standard input.
"""

__all__ = ["dialects", "header", "notes", "parser", "records", "stream_lines"]
