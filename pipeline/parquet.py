"""Parquet files: opened, and read as a stream of rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.encoding import Digest, read_blocks
from pipeline.inputs import InputFile
from pipeline.windows import BORDER_ROWS, Border, Window
from schemas.errors import ArchiveError

BUFFER = 1 << 20  # bytes of each column that are read ahead
BATCH_BYTES = 32 << 20  # of rows, unpacked, that are asked for at a time


def look(file: InputFile) -> tuple[Digest, pa.Schema, int, list[Border]]:
    """Read a Parquet file's bytes and its footer: (digest, schema, rows, borders).

    Borders stand some BORDER_ROWS apart, at first rows of row groups and within long ones, as unpacking is quick.

    Raises ArchiveError where it is empty, cut off or no Parquet file.
    """
    digest = Digest()
    for _ in read_blocks(file, digest):
        pass
    if not digest.size:
        raise ArchiveError(f"{file.name} is empty (0 bytes); leave it out, or write it anew")
    with _whole(file, "is not a readable Parquet file (truncated?)"), _open(file) as parquet:
        return digest, parquet.schema_arrow, int(parquet.metadata.num_rows), _borders(parquet.metadata)


def read(file: InputFile, start_row: int, rows: int, columns: Sequence[str] | None = None) -> Iterator[Window]:
    """The rows of a Parquet file, from the row group on that holds `start_row`, at most `rows` at a time.

    columns: names of those that are wanted, where not all are; a name that the file has not counts for nothing.
    Raises ArchiveError where the file turns out to be damaged.
    """
    with _whole(file, "is damaged"), _open(file) as parquet:
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
        for some in [[i] for i in remaining] if apart else [remaining]:
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


def _open(file: InputFile) -> pq.ParquetFile:
    # Without pre_buffer and with a buffer, a row group's columns are read piece by piece, not whole.
    return pq.ParquetFile(file.path, pre_buffer=False, buffer_size=BUFFER, page_checksum_verification=True)


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
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise ArchiveError(f"{file.name} {fault}: {reason}; copy or write it anew") from error
