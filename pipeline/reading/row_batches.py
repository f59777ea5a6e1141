"""Row batches: consecutive rows of one input as a record batch, with the rows that were rejected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import pyarrow as pa

SPLIT_ROWS = 10_240  # rows between two split points, at least
BATCH_BYTES = 32 << 20  # a row batch of very long texts has fewer rows, so that memory stays bounded


@dataclass(frozen=True)
class Reject:
    """A row that could not be read.

    Attributes:
        position: Row number in the input, from 1. The header does not count, rejected rows do.
        reason: Why the row was rejected.
        raw: First 1,000 characters of the row.
    """

    position: int
    reason: str
    raw: str


@dataclass(frozen=True, order=True, slots=True)
class SplitPoint:
    """A row of an input at which reading may begin.

    Attributes:
        row: Row number, from 0.
        offset: Byte offset of the row, counted after a byte order mark. Parquet does not use it, because its footer
            holds the offsets of the row groups.
    """

    row: int
    offset: int = 0


BEGINNING = SplitPoint(0)  # of an input, its header included


@dataclass(frozen=True)
class RowBatch:
    """Consecutive rows of one input.

    Attributes:
        batch: The rows that could be read.
        first_row: Number of the first row in the file, from 0; rejected rows count.
        rows_read: Number of rows in the batch and of rejected rows.
        rejects: The rejected rows, in order.
    """

    batch: pa.RecordBatch
    first_row: int
    rows_read: int
    rejects: list[Reject]

    def split(self, rows: int) -> tuple[RowBatch, RowBatch]:
        """Return the first `rows` rows, rejected rows included, and the other rows. Nothing is copied."""
        rows = min(max(rows, 0), self.rows_read)
        before = [one for one in self.rejects if one.position <= self.first_row + rows]
        after = self.rejects[len(before) :]
        at = rows - len(before)
        return (
            replace(self, batch=self.batch.slice(0, at), rows_read=rows, rejects=before),
            RowBatch(self.batch.slice(at), self.first_row + rows, self.rows_read - rows, after),
        )


def rebatch(blocks: Iterable[RowBatch], start_row: int, rows: int) -> Iterator[RowBatch]:
    """Yield row batches of `rows` rows from consecutive blocks of any size. The last batch may be smaller.

    A row batch also ends at BATCH_BYTES.

    Args:
        blocks: Consecutive rows.
        start_row: First row to yield; earlier rows are dropped.
        rows: Rows of a batch.
    """
    pending: list[RowBatch] = []
    pending_rows = pending_bytes = 0
    for block in blocks:
        _, rest = block.split(start_row - block.first_row)
        while rest.rows_read:
            room = rows - pending_rows
            if pending and pending_bytes + rest.batch.nbytes > BATCH_BYTES:
                room = 0
            head, rest = rest.split(room)
            if head.rows_read:
                pending.append(head)
                pending_rows += head.rows_read
                pending_bytes += head.batch.nbytes + sum(len(one.raw) for one in head.rejects)
            if rest.rows_read or pending_rows == rows:
                yield from _joined(pending)
                pending, pending_rows, pending_bytes = [], 0, 0
    if pending:
        yield from _joined(pending)


def _joined(parts: list[RowBatch]) -> list[RowBatch]:
    """Return one row batch from consecutive ones, or the same ones if Arrow cannot join their columns."""
    if len(parts) == 1:
        return parts
    try:
        batch = pa.concat_batches([part.batch for part in parts])
    except pa.ArrowException:  # the joined dictionaries have more values than their index type can count
        return parts
    rejects = [one for part in parts for one in part.rejects]
    return [RowBatch(batch, parts[0].first_row, sum(part.rows_read for part in parts), rejects)]
