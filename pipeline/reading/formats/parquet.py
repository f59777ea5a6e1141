"""Reads Parquet files from disks and object stores as a stream of rows."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from emojob.pipeline.reading.files.input_file import InputFile
from emojob.pipeline.reading.formats.blocks import (
    BOMB_RATIO,
    Digest,
    content_of,
    random_access,
    read_blocks,
    reading_errors,
)
from emojob.pipeline.reading.formats.int96 import DEFAULT_UNIT, int96_columns, int96_unit
from emojob.pipeline.reading.formats.parquet_types import check_lists, schema_of, wide_integers
from emojob.pipeline.reading.row_batches import SPLIT_ROWS, RowBatch, SplitPoint
from emojob.pipeline.reading.source import FileInfo, Source
from emojob.pipeline.storage.object_io import Reader
from emojob.pipeline.storage.paths import open_stream
from emojob.schemas.errors import DataError
from emojob.schemas.messages import first_line
from emojob.schemas.options import ReadOptions

BUFFER = 1 << 20  # bytes to read ahead in each column
BATCH_BYTES = 32 << 20  # maximum decompressed bytes per read
MOST_FOOTER = 24 << 20  # maximum bytes of a footer in a file
_UNPACKED = 32  # in memory, a footer takes about _UNPACKED times its size in the file
# A file is refused if a column of a row group decompresses to more than BOMB_CHUNK bytes, and to more than BOMB_RATIO
# times the stored size.
BOMB_CHUNK = 256 << 20
_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "INT64": 8, "FLOAT": 4, "DOUBLE": 8}  # bytes per value in memory
_WIDEST = 16
# In an object store, a row group of up to FETCHED bytes is fetched completely. A larger row group is read in pieces.
FETCHED = 64 << 20


def inspect(file: InputFile, options: ReadOptions, count_rows: bool = False) -> FileInfo:
    """Inspect a Parquet file. A local file is hashed. In an object store, only the footer is read.

    Split points are at least SPLIT_ROWS rows apart, and may be inside a row group.

    Raises:
        DataError: The file is empty, truncated or not a Parquet file, or reading the file would need too much memory.
    """
    digest = Digest()
    for _ in () if file.stored and not file.member else read_blocks(file, digest):
        pass
    content = content_of(file, digest)
    if not content.size:
        raise DataError(
            f"{file.name} is empty (0 bytes); remove the file from the inputs, or copy the file again from its source"
        )
    _check_footer(file)
    with _parquet_errors(file, "is not a readable Parquet file (truncated?)"), _opened(file) as (parquet, _):
        _check_pages(file, parquet.metadata)
        rows, points = int(parquet.metadata.num_rows), tuple(_split_points(parquet.metadata))
        check_lists(file, parquet)
        source = Source(file, content.size, content.sha256, schema_of(file, parquet), rows=rows, split_points=points)
        if int96_columns(parquet):
            with _opened(file, "s") as (seconds, _):
                source = replace(source, int96_unit=int96_unit(file.name, parquet, seconds))
            with _opened(file, source.int96_unit) as (parquet, _):
                source = replace(source, schema=schema_of(file, parquet))
        return FileInfo(source)


def read(source: Source, start_row: int, rows: int, columns: Sequence[str] | None = None) -> Iterator[RowBatch]:
    """Yield the rows of a Parquet file, beginning with the row group that contains `start_row`.

    Args:
        source: Parquet file.
        start_row: Row number, from 0. Earlier rows of the row group are also yielded.
        rows: Maximum number of rows in a batch.
        columns: Names of the columns to read; None: all columns. Names that are not in the file are ignored.

    Raises:
        DataError: The file is damaged.
    """
    file = source.file
    with _parquet_errors(file, "is damaged"), _opened(file, source.int96_unit) as (parquet, stored):
        metadata = parquet.metadata
        wanted = None if columns is None else [name for name in parquet.schema_arrow.names if name in columns]
        first, row = 0, 0
        while first < metadata.num_row_groups and row + metadata.row_group(first).num_rows <= start_row:
            row += metadata.row_group(first).num_rows
            first += 1
        for size, groups in _runs(file, parquet, first, wanted, rows):
            if stored:
                ranges = _ranges(metadata.row_group(groups[0]), wanted)
                stored.fetch(ranges if sum(stop - start for start, stop in ranges) <= FETCHED else [])
            stop = row + sum(metadata.row_group(group).num_rows for group in groups)
            for batch in parquet.iter_batches(size, row_groups=groups, columns=wanted, use_threads=False):
                yield RowBatch(batch, row, batch.num_rows, [])
                row += batch.num_rows
            if row != stop:
                raise pa.ArrowInvalid(f"its row groups give {row} rows up to here, not {stop}")


def _runs(
    file: InputFile, parquet: pq.ParquetFile, first: int, wanted: Sequence[str] | None, rows: int
) -> Iterator[tuple[int, list[int]]]:
    """Yield (rows, row groups): the row groups to read in one call, and the maximum number of rows in a batch.

    Args:
        file: Parquet file.
        parquet: The same file, opened.
        first: Number of the first row group to read.
        wanted: Names of the columns to read; None: all columns.
        rows: Maximum number of rows in a batch. For long rows, a smaller number is yielded.
    """
    metadata = parquet.metadata
    remaining = list(range(first, metadata.num_row_groups))
    bytes_of_row = _row_bytes(parquet)
    widest = max((bytes_of_row(metadata.row_group(i)) for i in remaining), default=1.0)
    size = max(1, min(rows, int(BATCH_BYTES / max(widest, 1.0))))
    if file.stored:
        yield from ((size, [group]) for group in remaining)
        return
    one_by_one = any(_nests_dictionary(field.type) for field in parquet.schema_arrow)
    sizes = zip(_batch_sizes(file, parquet, remaining, wanted, size), remaining, strict=True)
    for (size, _), run in itertools.groupby(sizes, lambda one: (one[0], one[1] if one_by_one else 0)):
        yield size, [group for _, group in run]


def _batch_sizes(
    file: InputFile, parquet: pq.ParquetFile, groups: Sequence[int], wanted: Sequence[str] | None, rows: int
) -> Iterator[int]:
    """For each row group, yield the maximum number of rows in a batch: `rows`, or fewer if a dictionary value is long.

    A dictionary value is stored only once in the file. In memory, each row has a copy of the value.
    """
    leaves = map(parquet.schema.column, range(len(parquet.schema.names)))
    top = {*parquet.schema_arrow.names} if wanted is None else {*wanted}
    names = [one.path for one in leaves if one.physical_type == "BYTE_ARRAY" and one.path in top]
    if not names:
        yield from itertools.repeat(rows, len(groups))
        return
    with (
        random_access(file) as opened,
        pq.ParquetFile(opened, read_dictionary=names, pre_buffer=False, buffer_size=BUFFER) as other,
    ):
        for group in groups:
            metadata, longest = parquet.metadata.row_group(group), 1
            columns = map(metadata.column, range(metadata.num_columns))
            long = {one.path_in_schema for one in columns if _may_be_long(one, rows)}
            doubtful = [name for name in names if name in long]
            for batch in itertools.islice(other.iter_batches(1, row_groups=[group], columns=doubtful), bool(doubtful)):
                some = [one.dictionary for one in batch.columns if pa.types.is_dictionary(one.type)]
                longest = max([1, *map(_longest, some)])
            yield max(1, min(rows, BATCH_BYTES // longest))


def _may_be_long(column: pq.ColumnChunkMetaData, rows: int) -> bool:
    """Return whether a dictionary value of the column may need more than BATCH_BYTES if all `rows` rows contain it."""
    fits = column.total_uncompressed_size * rows <= BATCH_BYTES
    return bool(column.physical_type == "BYTE_ARRAY" and column.has_dictionary_page and not fits)


def _longest(values: pa.Array) -> int:
    """Return the size of the longest value in bytes."""
    if not (pa.types.is_string(values.type) or pa.types.is_binary(values.type)):
        values = values.cast(pa.large_binary())
    return int(pc.max(pc.binary_length(values)).as_py() or 1)


def _row_bytes(parquet: pq.ParquetFile) -> Callable[[pq.RowGroupMetaData], float]:
    """Return a function that estimates how many bytes a row of a row group takes in memory.

    The size in the footer may be too small, because a repeated value may be stored only once. The estimate is therefore
    at least the sum of the value sizes of all columns (for example 8 bytes for an INT64 column).
    """
    columns = [parquet.schema.column(i) for i in range(len(parquet.schema.names))]
    lists = [i for i, one in enumerate(columns) if one.max_repetition_level]
    width = sum(_WIDTHS.get(one.physical_type, _WIDEST) for one in columns if not one.max_repetition_level)

    def of(group: pq.RowGroupMetaData) -> float:
        if not group.num_rows:
            return 1.0
        values = sum(group.column(i).num_values for i in lists)
        return float(max(group.total_byte_size / group.num_rows, width + _WIDEST * values / group.num_rows))

    return of


def _check_pages(file: InputFile, metadata: pq.FileMetaData) -> None:
    """Raise DataError if the decompressed size of a column is suspiciously large.

    pyarrow decompresses a whole page before it yields rows. A very large page would need too much memory.
    """
    groups = map(metadata.row_group, range(metadata.num_row_groups))
    for group in groups:
        if group.total_byte_size <= BOMB_CHUNK:
            continue
        for column in map(group.column, range(group.num_columns)):
            unpacked, stored = column.total_uncompressed_size, column.total_compressed_size
            if unpacked > max(BOMB_CHUNK, BOMB_RATIO * stored):
                raise DataError(
                    f"{file.name} has a column of {unpacked >> 20:,} MB that is compressed to {stored:,} bytes, "
                    f"which is unusual for dialogue. Check the file. If the content is right, rewrite the file with "
                    f"smaller row groups"
                )


def _check_footer(file: InputFile) -> None:
    """Raise DataError if the footer of a local file would need too much memory."""
    if file.stored or file.member or file.compression:
        return
    with reading_errors(file), open_stream(file.path) as stream:
        end = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, end - 8))
        size = int.from_bytes(stream.read(4), "little")
    if MOST_FOOTER < size < end:
        raise DataError(
            f"the footer of {file.name} has {size >> 20:,} MB and would take about "
            f"{max(1, size * _UNPACKED >> 30):,} GB of memory; the file probably has too many row groups; rewrite the "
            f"file with about 100,000 rows in each row group"
        )


def _split_points(metadata: pq.FileMetaData) -> list[SplitPoint]:
    found, row, last = list[SplitPoint](), 0, 0
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group).num_rows
        for first in range(row, row + rows, SPLIT_ROWS):
            if first - last >= SPLIT_ROWS:
                found.append(SplitPoint(first))
                last = first
        row += rows
    return found


@contextmanager
def _opened(file: InputFile, int96_unit: str = DEFAULT_UNIT) -> Iterator[tuple[pq.ParquetFile, Reader | None]]:
    """Open a file and yield (Parquet file, reader of the object store). For a local file, the reader is None."""
    options = {"coerce_int96_timestamp_unit": int96_unit, "page_checksum_verification": True}
    # with pre_buffer=False and buffer_size, pyarrow reads each column in pieces
    with (
        random_access(file) as source,
        pq.ParquetFile(source, pre_buffer=False, buffer_size=BUFFER, **options) as parquet,
    ):
        check_chunks(parquet)
        yield parquet, source if isinstance(source, Reader) else None


def check_chunks(parquet: pq.ParquetFile) -> None:
    """Check that the footer of a Parquet file is consistent.

    - Zero rows of each row group are read. If a row group or a column is invalid, this raises a Python exception.
      Without this step, pyarrow's metadata objects would end the process with a C++ exception.
    - The row counts in the footer are compared. Without this comparison, rows could be lost silently.

    Raises:
        OSError: The footer has invalid row groups or columns.
        ArrowException: The footer has invalid row groups, invalid columns or different row counts.
    """
    metadata, rows = parquet.metadata, 0
    flat = [i for i in range(metadata.num_columns) if not parquet.schema.column(i).max_repetition_level]
    for number in range(metadata.num_row_groups):
        for _ in parquet.reader.iter_batches(0, [number], range(metadata.num_columns), False):
            break
        group = metadata.row_group(number)
        if group.num_columns != metadata.num_columns:
            raise pa.ArrowInvalid(f"row group {number} has {group.num_columns} columns, not {metadata.num_columns}")
        odd = next((group.column(i) for i in flat if group.column(i).num_values != group.num_rows), None)
        if odd is not None:
            raise pa.ArrowInvalid(f"row group {number} has {group.num_rows} rows and a column of {odd.num_values}")
        rows += group.num_rows
    if rows != metadata.num_rows:
        raise pa.ArrowInvalid(f"its row groups have {rows} rows together, not {metadata.num_rows}")


def _ranges(group: pq.RowGroupMetaData, wanted: Sequence[str] | None) -> list[tuple[int, int]]:
    """Return (offset of the first byte, offset after the last byte) of each requested column in a row group."""
    found = []
    for column in map(group.column, range(group.num_columns)):
        path = column.path_in_schema
        if wanted is None or any(path == name or path.startswith(f"{name}.") for name in wanted):
            first = min(column.data_page_offset, column.dictionary_page_offset or column.data_page_offset)
            found.append((first, first + column.total_compressed_size))
    return found


def _nests_dictionary(kind: pa.DataType, nested: bool = False) -> bool:
    """Return whether a type has a dictionary inside a list, map or struct.

    If so, pyarrow cannot read several row groups in one call.
    """
    if pa.types.is_dictionary(kind):
        return nested
    return any(_nests_dictionary(kind.field(i).type, True) for i in range(kind.num_fields))


@contextmanager
def _parquet_errors(file: InputFile, fault: str) -> Iterator[None]:
    """Turn errors of pyarrow and of the operating system into DataError.

    `fault` is a part of the message: what is wrong with the file.
    """
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        if file.stored and isinstance(error, OSError) and error.filename:
            # the file is not damaged: the object store failed
            raise DataError(
                f"{file.name} cannot be read: {error.strerror}; check the URL and the connection, then run the command "
                f"again"
            ) from error
        reason = first_line(error).rstrip(".")
        if isinstance(error, pa.ArrowNotImplementedError):
            message = wide_integers(file) or (
                f"{file.name} has a type or an encoding that emojob cannot read: {reason}; write the file again with "
                f"another type"
            )
            raise DataError(message) from error
        raise DataError(f"{file.name} {fault}: {reason}; copy the file again from its source") from error
