"""One reader for each file format (`csv`, `jsonl`, `parquet`), and what the text formats share.

`blocks` reads and decompresses bytes, `encoding` detects the encoding. A reader has `inspect` or `survey`, which find
columns and split points, and `read`, which yields rows.
"""

__all__ = ["blocks", "csv", "encoding", "json_types", "jsonl", "parquet"]
