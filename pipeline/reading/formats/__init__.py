"""Readers of the file formats (`csv`, `jsonl`, `parquet`), and common code of the text formats.

Each reader has `inspect` or `survey`, which find columns and split points, and `read`, which yields rows. For the text
formats, `blocks` reads and decompresses bytes, and `encoding` detects the encoding.
"""

__all__ = ["blocks", "csv", "encoding", "json_types", "jsonl", "parquet"]
