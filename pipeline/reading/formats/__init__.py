"""One reader for each format, and what text formats share: encodings, blocks of bytes, records.

A reader yields row batches and rejects malformed rows individually.
"""

__all__ = [
    "blocks",
    "csv",
    "encoding",
    "json_types",
    "jsonl",
    "parquet",
]
