"""Reads Arrow IPC files and streams (.arrow, .feather) as a stream of rows.

Views of strings and bytes, which polars writes, become plain strings and bytes: Arrow cannot filter dictionaries of
views.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa

from emojob.pipeline.reading.files.input_file import InputFile
from emojob.pipeline.reading.formats.blocks import Digest, content_of, random_access, read_blocks
from emojob.pipeline.reading.formats.parquet_types import without_views
from emojob.pipeline.reading.row_batches import RowBatch
from emojob.pipeline.reading.source import FileInfo, Source
from emojob.schemas.column_names import shown
from emojob.schemas.errors import ColumnError, DataError
from emojob.schemas.messages import first_line
from emojob.schemas.options import ReadOptions


def inspect(file: InputFile, options: ReadOptions, count_rows: bool = False) -> FileInfo:
    """Return the hash, columns and number of rows of an Arrow file.

    Raises:
        DataError: The file is empty, truncated or not an Arrow file.
        ColumnError: A column has a type that Parquet does not have.
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


def _check_types(file: InputFile, schema: pa.Schema, form: str) -> None:
    """Raise ColumnError if a column has a type that Parquet does not have. `form` is "file" or "stream"."""
    odd = [number for number, field in enumerate(schema) if not _is_writable(field.type)]
    if odd:
        code = (
            "import sys, pyarrow as p, pyarrow.parquet as q; "
            f"t = p.ipc.open_{form}(open(sys.argv[1], 'rb')).read_all(); "
            "q.write_table(t.select([i for i in range(t.num_columns) if str(i) not in sys.argv[3:]]), sys.argv[2])"
        )
        field = schema.field(odd[0])
        raise ColumnError(
            f"column {shown(field.name)} of {file.name} has the Arrow type {field.type}, which emojob cannot write; "
            f'write a copy without the column: python -c "{code}" {shlex.quote(file.path.name)} copy.parquet '
            f"{' '.join(map(str, odd))}"
        )


def _is_writable(kind: pa.DataType) -> bool:
    """Return whether Parquet has a type, and the types inside it."""
    if isinstance(kind, pa.BaseExtensionType):
        return _is_writable(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return not pa.types.is_nested(kind.value_type) and _is_writable(kind.value_type)
    if pa.types.is_union(kind) or pa.types.is_interval(kind) or pa.types.is_run_end_encoded(kind):
        return False
    return all(_is_writable(kind.field(number).type) for number in range(kind.num_fields))


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
                _check_types(
                    file, found.schema, "file" if isinstance(found, pa.ipc.RecordBatchFileReader) else "stream"
                )
                yield found.schema, batches
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(
            f"{file.name} is not a readable Arrow file (truncated?): {first_line(error).rstrip('.')}; copy the file "
            "again from its source"
        ) from error
