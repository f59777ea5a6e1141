"""Read Parquet files as a stream of rows, from disks and object stores."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from emojob.pipeline.reading.formats.blocks import BOMB_RATIO, Content, Digest, content_of, read_blocks, reading_errors
from emojob.pipeline.reading.inputs import InputFile
from emojob.pipeline.reading.row_batches import SPLIT_ROWS, RowBatch, SplitPoint
from emojob.pipeline.storage.object_io import Reader
from emojob.pipeline.storage.paths import open_stream, seekable
from emojob.schemas.errors import DataError
from emojob.schemas.messages import first_line

BUFFER = 1 << 20  # bytes of each column that are read ahead
BATCH_BYTES = 32 << 20  # decompressed bytes of the rows that are read at a time
MOST_FOOTER = 24 << 20  # bytes; the footer is in memory as a whole, and takes about _UNPACKED times as many bytes
_UNPACKED = 32
BOMB_CHUNK = 256 << 20  # decompressed bytes of a column in a row group; beyond it and BOMB_RATIO: an attack
_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "INT64": 8, "FLOAT": 4, "DOUBLE": 8}  # bytes of a value in memory
_WIDEST = 16
FETCHED = 64 << 20  # bytes of a row group that are fetched from an object store at once; a longer one comes in pieces


def inspect(file: InputFile) -> tuple[Content, pa.Schema, int, list[SplitPoint]]:
    """Hash a Parquet file and read its footer. In an object store only the footer is read.

    Returns:
        (content, schema, number of rows, split points). Split points are at least SPLIT_ROWS rows apart, at first rows
        of row groups and inside long ones, because decompressing the skipped rows is quick.

    Raises:
        DataError: The file is empty, cut off or not a Parquet file.
    """
    digest = Digest()
    for _ in () if file.stored else read_blocks(file, digest):
        pass
    content = content_of(file, digest)
    if not content.size:
        raise DataError(f"{file.name} is empty (0 bytes); leave it out, or rewrite it")
    _check_footer(file)
    with _parquet_errors(file, "is not a readable Parquet file (truncated?)"), _opened(file) as (parquet, _):
        _check_pages(file, parquet.metadata)
        return content, parquet.schema_arrow, int(parquet.metadata.num_rows), _split_points(parquet.metadata)


def read(file: InputFile, start_row: int, rows: int, columns: Sequence[str] | None = None) -> Iterator[RowBatch]:
    """Yield the rows of a Parquet file, from the row group that holds `start_row` on.

    Args:
        file: Parquet file.
        start_row: A row of the first row group, from 0.
        rows: Most rows to yield at a time.
        columns: Names of the columns to read, None for all; names that the file lacks are ignored.

    Raises:
        DataError: The file is damaged.
    """
    with _parquet_errors(file, "is damaged"), _opened(file) as (parquet, stored):
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
    """Yield (rows to read at a time, row groups to read together), from the row group `first` on."""
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
    """Yield how many rows of each row group are read at a time: `rows`, or fewer if a dictionary value is long.

    Such a value takes its bytes once in the file, but in memory once for each row that has it.
    """
    leaves = map(parquet.schema.column, range(len(parquet.schema.names)))
    top = {*parquet.schema_arrow.names} if wanted is None else {*wanted}
    names = [one.path for one in leaves if one.physical_type == "BYTE_ARRAY" and one.path in top]
    if not names:
        yield from itertools.repeat(rows, len(groups))
        return
    with pq.ParquetFile(str(file.path), read_dictionary=names, pre_buffer=False, buffer_size=BUFFER) as other:
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
    """Return whether a dictionary value of a column may be too long to be in memory `rows` times."""
    fits = column.total_uncompressed_size * rows <= BATCH_BYTES
    return bool(column.physical_type == "BYTE_ARRAY" and column.has_dictionary_page and not fits)


def _longest(values: pa.Array) -> int:
    """Return the size of the longest value in bytes."""
    if not (pa.types.is_string(values.type) or pa.types.is_binary(values.type)):
        values = values.cast(pa.large_binary())
    return int(pc.max(pc.binary_length(values)).as_py() or 1)


def _row_bytes(parquet: pq.ParquetFile) -> Callable[[pq.RowGroupMetaData], float]:
    """Return a function: row group -> bytes of one of its rows in memory.

    A row group states its decompressed size, but a repeated value may count once in it. So the types of the columns
    give a minimum.
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
    """Raise DataError if a column is far larger decompressed than stored: a page is decompressed as a whole."""
    groups = map(metadata.row_group, range(metadata.num_row_groups))
    for group in groups:
        if group.total_byte_size <= BOMB_CHUNK:
            continue
        for column in map(group.column, range(group.num_columns)):
            unpacked, stored = column.total_uncompressed_size, column.total_compressed_size
            if unpacked > max(BOMB_CHUNK, BOMB_RATIO * stored):
                raise DataError(
                    f"{file.name} has a column whose {unpacked >> 20:,} MB are packed into {stored:,} bytes, which no "
                    f"dialogue is: check it, and rewrite it if its content is right"
                )


def _check_footer(file: InputFile) -> None:
    """Raise DataError if the footer of a local file would need too much memory."""
    if file.stored:
        return
    with reading_errors(file), open_stream(file.path) as stream:
        end = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, end - 8))
        size = int.from_bytes(stream.read(4), "little")
    if MOST_FOOTER < size < end:
        raise DataError(
            f"{file.name} has a footer of {size >> 20:,} MB, as of a million row groups, which would take some "
            f"{max(1, size * _UNPACKED >> 30):,} GB of memory: rewrite it with row groups of some 100,000 rows"
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
def _opened(file: InputFile) -> Iterator[tuple[pq.ParquetFile, Reader | None]]:
    """Open a file and yield it, with the reader of its object if it is in an object store."""
    source = seekable(file.path)
    # without pre_buffer and with a buffer, pyarrow reads the columns of a row group in pieces, not as a whole
    with pq.ParquetFile(source, pre_buffer=False, buffer_size=BUFFER, page_checksum_verification=True) as parquet:
        check_chunks(parquet)
        yield parquet, source if isinstance(source, Reader) else None


def check_chunks(parquet: pq.ParquetFile) -> None:
    """Check that the footer is consistent.

    pyarrow's Python objects for an impossible row group or column end the process with a C++ exception. A reader of
    zero rows checks all of them and raises instead. Different row counts within the footer would lose rows silently.

    Raises:
        OSError: The footer describes impossible row groups or columns.
        ArrowException: As above, or the row counts differ.
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
    """Return the byte range of each wanted column of a row group: (first byte, byte after the last)."""
    found = []
    for column in map(group.column, range(group.num_columns)):
        path = column.path_in_schema
        if wanted is None or any(path == name or path.startswith(f"{name}.") for name in wanted):
            first = min(column.data_page_offset, column.dictionary_page_offset or column.data_page_offset)
            found.append((first, first + column.total_compressed_size))
    return found


def _nests_dictionary(kind: pa.DataType, nested: bool = False) -> bool:
    """Return whether a dictionary is inside a list, map or struct: pyarrow reads these one row group at a time."""
    if pa.types.is_dictionary(kind):
        return nested
    return any(_nests_dictionary(kind.field(i).type, True) for i in range(kind.num_fields))


@contextmanager
def _parquet_errors(file: InputFile, fault: str) -> Iterator[None]:
    """Turn the errors of pyarrow and of the system into DataError. `fault` says what is wrong with the file."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        if file.stored and isinstance(error, OSError) and error.filename:  # the message is in strerror
            raise DataError(f"{file.name} cannot be read: {error.strerror}") from error
        reason = first_line(error).rstrip(".")
        raise DataError(f"{file.name} {fault}: {reason}; copy or rewrite it") from error
