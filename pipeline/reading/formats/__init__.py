"""Readers of the file formats (`csv`, `jsonl`, `parquet`), and shared code for text formats.

In each reader, `inspect` and `survey` find columns and split points, and `read` yields rows. For text formats, `blocks`
reads and decompresses bytes, and `encoding` detects the encoding.
"""

__all__ = ["blocks", "csv", "encoding", "json_types", "jsonl", "parquet"]
