"""Readers of the file formats (`csv`, `jsonl`, `parquet`), and shared code for text formats.

Functions of the readers:
- `inspect` (`csv`, `parquet`): finds the columns, and for Parquet also the number of rows and the split points.
- `survey` (`csv`, `jsonl`): finds the number of rows and the split points, and for JSON lines also the columns.
- `read`: yields the rows.

For text formats, `blocks` reads and decompresses bytes, and `encoding` detects the encoding.
"""

__all__ = ["blocks", "csv", "encoding", "json_types", "jsonl", "parquet"]
