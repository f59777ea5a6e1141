"""Readers of the file formats (`csv`, `jsonl`, `parquet`), and shared code for text formats.

Each reader has functions that find the columns and the split points, and a function `read` that yields the rows. For
text formats, `blocks` reads and decompresses bytes, and `encoding` detects the encoding.
"""

__all__ = ["blocks", "csv", "encoding", "json_types", "jsonl", "parquet"]
