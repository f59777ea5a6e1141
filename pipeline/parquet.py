"""Parquet files: opened, and read as a stream of rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.encoding import Content, Digest, content_of, read_blocks
from pipeline.inputs import InputFile
from pipeline.places import seekable
from pipeline.transfer import Reader
from pipeline.windows import BORDER_ROWS, Border, Window
from schemas.errors import ArchiveError

BUFFER = 1 << 20  # bytes of each column that are read ahead
BATCH_BYTES = 32 << 20  # of rows, unpacked, that are asked for at a time
FETCHED = 64 << 20  # bytes of a row group that are fetched from a store at once; a longer one comes piece by piece


def look(file: InputFile) -> tuple[Content, pa.Schema, int, list[Border]]:
    """Read a Parquet file's bytes and its footer, of one in a store the footer alone: (content, schema, rows, borders).

    Borders stand some BORDER_ROWS apart, at first rows of row groups and within long ones, as unpacking is quick.

    Raises ArchiveError where it is empty, cut off or no Parquet file.
    """
    digest = Digest()
    for _ in () if file.stored else read_blocks(file, digest):
        pass
    content = content_of(file, digest)
    if not content.size:
        raise ArchiveError(f"{file.name} is empty (0 bytes); leave it out, or write it anew")
    with _whole(file, "is not a readable Parquet file (truncated?)"), _opened(file) as (parquet, _):
        return content, parquet.schema_arrow, int(parquet.metadata.num_rows), _borders(parquet.metadata)


def read(file: InputFile, start_row: int, rows: int, columns: Sequence[str] | None = None) -> Iterator[Window]:
    """The rows of a Parquet file, from the row group on that holds `start_row`, at most `rows` at a time.

    columns: names of those that are wanted, where not all are; a name that the file has not counts for nothing.
    Raises ArchiveError where the file turns out to be damaged.
    """
    with _whole(file, "is damaged"), _opened(file) as (parquet, stored):
        groups = [parquet.metadata.row_group(i) for i in range(parquet.metadata.num_row_groups)]
        apart = any(_nests_dictionary(field.type) for field in parquet.schema_arrow)
        wanted = None if columns is None else [name for name in parquet.schema_arrow.names if name in columns]
        first, row = 0, 0
        while first < len(groups) and row + groups[first].num_rows <= start_row:
            row += groups[first].num_rows
            first += 1
        widest = max((g.total_byte_size / g.num_rows for g in groups[first:] if g.num_rows), default=1.0)
        size = max(1, min(rows, int(BATCH_BYTES / max(widest, 1.0))))
        remaining = list(range(first, len(groups)))
        for some in [[i] for i in remaining] if apart or stored else [remaining]:
            if stored:
                ranges = _ranges(groups[some[0]], wanted)
                stored.fetch(ranges if sum(stop - start for start, stop in ranges) <= FETCHED else [])
            for batch in parquet.iter_batches(size, row_groups=some, columns=wanted, use_threads=False):
                yield Window(batch, row, batch.num_rows, [])
                row += batch.num_rows


def _borders(metadata: pq.FileMetaData) -> list[Border]:
    found, row, last = list[Border](), 0, 0
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group).num_rows
        for first in range(row, row + rows, BORDER_ROWS):
            if first - last >= BORDER_ROWS:
                found.append(Border(first))
                last = first
        row += rows
    return found


@contextmanager
def _opened(file: InputFile) -> Iterator[tuple[pq.ParquetFile, Reader | None]]:
    """The file, and what it is read through where it is in a store."""
    source = seekable(file.path)
    # Without pre_buffer and with a buffer, a row group's columns are read piece by piece, not whole.
    with pq.ParquetFile(source, pre_buffer=False, buffer_size=BUFFER, page_checksum_verification=True) as parquet:
        yield parquet, None if isinstance(source, Path) else source


def _ranges(group: pq.RowGroupMetaData, wanted: Sequence[str] | None) -> list[tuple[int, int]]:
    """Where the columns of a row group lie in the file: (first byte, the one behind the last) of each."""
    found = []
    for column in map(group.column, range(group.num_columns)):
        path = column.path_in_schema
        if wanted is None or any(path == name or path.startswith(f"{name}.") for name in wanted):
            first = min(column.data_page_offset, column.dictionary_page_offset or column.data_page_offset)
            found.append((first, first + column.total_compressed_size))
    return found


def _nests_dictionary(kind: pa.DataType, nested: bool = False) -> bool:
    """Whether a dictionary lies inside a list, map or struct, of which pyarrow reads only one row group at a time."""
    if pa.types.is_dictionary(kind):
        return nested
    return any(_nests_dictionary(kind.field(i).type, True) for i in range(kind.num_fields))


@contextmanager
def _whole(file: InputFile, fault: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        if file.stored and isinstance(error, OSError) and error.filename:  # in words already
            raise ArchiveError(f"{file.name} cannot be read: {error.strerror}") from error
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise ArchiveError(f"{file.name} {fault}: {reason}; copy or write it anew") from error
