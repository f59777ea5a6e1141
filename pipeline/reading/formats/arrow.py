"""Reads Arrow IPC files and streams (.arrow, .feather) as a stream of rows.

Views of strings and bytes, which polars writes, become plain strings and bytes: Arrow cannot filter dictionaries of
views.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa

from emojob.pipeline.reading.files.input_file import InputFile
from emojob.pipeline.reading.formats.blocks import Digest, content_of, random_access, read_blocks
from emojob.pipeline.reading.formats.parquet_types import without_views
from emojob.pipeline.reading.row_batches import RowBatch
from emojob.pipeline.reading.source import FileInfo, Source
from emojob.schemas.errors import DataError
from emojob.schemas.messages import first_line
from emojob.schemas.options import ReadOptions


def inspect(file: InputFile, options: ReadOptions, count_rows: bool = False) -> FileInfo:
    """Return the hash, columns and number of rows of an Arrow file.

    Raises:
        DataError: The file is empty, truncated or not an Arrow file.
    """
    digest = Digest()
    for _ in read_blocks(file, digest):
        pass
    content, rows = content_of(file, digest), 0
    with _opened(file) as (schema, batches):
        for batch in batches:
            rows += batch.num_rows
        return FileInfo(Source(file, content.size, content.sha256, without_views(schema), rows=rows))


def read(source: Source, start_row: int, rows: int, columns: Sequence[str] | None = None) -> Iterator[RowBatch]:
    """Yield the rows of an Arrow file from the record batch that contains `start_row`, in batches of `rows` rows.

    Raises:
        DataError: The file is damaged.
    """
    row = 0
    with _opened(source.file) as (schema, batches):
        wanted = [name for name in schema.names if columns is None or name in columns]
        for batch in batches:
            if row + batch.num_rows > start_row:
                batch.validate(full=True)
                for first in range(0, batch.num_rows, rows):
                    part = _plain(batch.slice(first, rows).select(wanted))
                    yield RowBatch(part, row + first, part.num_rows, [])
            row += batch.num_rows


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the rows without views."""
    schema = without_views(batch.schema)
    columns = [
        column if column.type.equals(field.type) else column.cast(field.type)
        for column, field in zip(batch.columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


@contextmanager
def _opened(file: InputFile) -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
    """Open an Arrow file or stream, and yield (schema, record batches). Errors become DataError."""
    try:
        with random_access(file) as opened:
            source = pa.memory_map(str(opened)) if hasattr(opened, "stat") else pa.PythonFile(opened, mode="r")
            with source:
                try:
                    found = pa.ipc.open_file(source)
                    batches = (found.get_batch(number) for number in range(found.num_record_batches))
                except pa.ArrowInvalid:
                    source.seek(0)
                    found = pa.ipc.open_stream(source)
                    batches = iter(found)
                yield found.schema, batches
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(
            f"{file.name} is not a readable Arrow file (truncated?): {first_line(error).rstrip('.')}; copy the file "
            "again from its source"
        ) from error
