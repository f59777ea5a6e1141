"""Readers of the file formats, one file for each format, and shared code for text formats.

Each reader has a function `inspect(file, options, count_rows)` that returns a FileInfo, and a function
`read(source, start_row, rows, columns)` that yields the rows. For text formats, `blocks` reads and decompresses bytes,
and `encoding` detects the encoding. For Parquet, `int96` and `parquet_types` choose types that keep the values, and
`parquet_metadata` describes them in the metadata of a file.
"""

__all__ = [
    "arrow",
    "blocks",
    "chats",
    "csv",
    "delimited",
    "encoding",
    "json_document",
    "json_types",
    "jsonl",
    "parquet",
    "parquet_metadata",
    "rich_text",
    "workbook",
]
