"""Readers of the file formats, one file for each format, and shared code for text formats.

Each reader has a function `inspect(file, options, count_rows)` that returns a FileInfo, and a function
`read(source, start_row, rows, columns)` that yields the rows. For text formats, `blocks` reads and decompresses bytes,
and `encoding` detects the encoding; for Parquet, `int96` and `parquet_types` choose the types that keep the values,
and `json_text` says how to convert a file whose texts are JSON.
"""

__all__ = [
    "arrow",
    "blocks",
    "chats",
    "csv",
    "delimited",
    "encoding",
    "json",
    "json_text",
    "parquet",
    "parquet_metadata",
    "workbook",
]
