"""Row batches: consecutive rows of an input, as a record batch and a list of rejected rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

SPLIT_ROWS = 10_240  # minimum rows between two split points
BATCH_BYTES = 32 << 20  # blocks are joined only up to this number of bytes, to limit memory
_REJECT_BYTES, _CHARACTER_BYTES = 400, 8  # bytes of a rejected row, and of each of its characters


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that could not be read.

    Attributes:
        position: Row number in the input, from 1. Rejected rows have numbers, too. The header has no number.
        reason: Why the row was rejected.
        raw: First READ_CHARACTERS characters of the row. `Privacy.rejects` masks and shortens them.
    """

    position: int
    reason: str
    raw: str


@dataclass(frozen=True, order=True, slots=True)
class SplitPoint:
    """A row of an input at which reading may begin.

    Attributes:
        row: Row number, from 0.
        offset: Byte offset of the row. A byte order mark is not counted. Not used for Parquet.
    """

    row: int
    offset: int = 0


BEGINNING = SplitPoint(0)  # the beginning of an input, before the header


def last_split_point(split_points: Sequence[SplitPoint], row: int) -> SplitPoint:
    """Return the last split point at or before a row; the beginning if there is none."""
    return max((one for one in split_points if one.row <= row), default=BEGINNING)


@dataclass(frozen=True)
class RowBatch:
    """Consecutive rows of an input.

    Attributes:
        batch: The rows that could be read.
        first_row: Number of the first row in the input, from 0. Rejected rows have numbers, too.
        rows_read: Number of rows, rejected rows included.
        rejects: The rejected rows, in order.
    """

    batch: pa.RecordBatch
    first_row: int
    rows_read: int
    rejects: list[Reject]

    @property
    def nbytes(self) -> int:
        """Approximate memory of the rows in bytes. Rejected rows take more memory later, when they are masked."""
        return int(self.batch.nbytes) + sum(_REJECT_BYTES + _CHARACTER_BYTES * len(one.raw) for one in self.rejects)

    def split(self, rows: int) -> tuple[RowBatch, RowBatch]:
        """Return (batch of the first `rows` rows, batch of the remaining rows). `rows` includes rejected rows."""
        rows = min(max(rows, 0), self.rows_read)
        before = [one for one in self.rejects if one.position <= self.first_row + rows]
        after = self.rejects[len(before) :]
        at = rows - len(before)
        return (
            replace(self, batch=self.batch.slice(0, at), rows_read=rows, rejects=before),
            RowBatch(self.batch.slice(at), self.first_row + rows, self.rows_read - rows, after),
        )


def rebatch(blocks: Iterable[RowBatch], start_row: int, rows: int) -> Iterator[RowBatch]:
    """Join or split blocks of any size into row batches of `rows` rows.

    The last row batch may have fewer rows. A row batch also has fewer rows if more rows would exceed BATCH_BYTES.

    Args:
        blocks: Consecutive blocks of an input.
        start_row: Number of the first row to yield. Earlier rows are dropped.
        rows: Number of rows in a row batch.
    """
    pending: list[RowBatch] = []
    pending_rows = pending_bytes = 0
    for block in blocks:
        _, rest = block.split(start_row - block.first_row)
        while rest.rows_read:
            room = rows - pending_rows
            if pending and pending_bytes + rest.nbytes > BATCH_BYTES:
                room = 0
            head, rest = rest.split(room)
            if head.rows_read:
                pending.append(head)
                pending_rows += head.rows_read
                pending_bytes += head.nbytes
            if rest.rows_read or pending_rows == rows:
                yield from _joined(pending)
                pending, pending_rows, pending_bytes = [], 0, 0
    if pending:
        yield from _joined(pending)


def _joined(parts: list[RowBatch]) -> list[RowBatch]:
    """Join consecutive row batches. If Arrow cannot join the columns, return the row batches unchanged."""
    if len(parts) == 1:
        return parts
    try:
        batch = pa.concat_batches([part.batch for part in parts])
    except pa.ArrowException:  # the joined dictionary has too many values for its index type
        return parts
    rejects = [one for part in parts for one in part.rejects]
    return [RowBatch(batch, parts[0].first_row, sum(part.rows_read for part in parts), rejects)]
