"""Windows: the rows of one input, in order, so many at a time, with the rows among them that could not be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import pyarrow as pa

SPLIT_ROWS = 10_240  # rows between split points, at least
BATCH_BYTES = 32 << 20  # a row batch of very long texts has fewer rows, so that memory stays bounded


@dataclass(frozen=True)
class Reject:
    """A row that could not be read.

    position: its number in its input, from 1, without the header, rejected rows counted; raw: its first 1,000
    characters.
    """

    position: int
    reason: str
    raw: str


@dataclass(frozen=True, order=True, slots=True)
class SplitPoint:
    """A row of an input at which reading may begin: its number, and where its first byte is.

    offset: bytes, behind a byte order mark; of no use in Parquet, which says itself where its row groups are.
    """

    row: int
    offset: int = 0


BEGINNING = SplitPoint(0)  # of an input, whatever stands before its first row


@dataclass(frozen=True)
class RowBatch:
    """Consecutive rows of one input.

    batch: the rows that could be read; first_row: number in the file, from 0, of the first row, rejected ones
    counted; rows_read: rows of the batch and rejected ones; rejects: in order.
    """

    batch: pa.RecordBatch
    first_row: int
    rows_read: int
    rejects: list[Reject]

    def split(self, rows: int) -> tuple[RowBatch, RowBatch]:
        """The first `rows` rows, rejected ones counted, and the others; nothing is copied."""
        rows = min(max(rows, 0), self.rows_read)
        before = [one for one in self.rejects if one.position <= self.first_row + rows]
        at = rows - len(before)
        behind = self.rejects[len(before) :]
        return (
            replace(self, batch=self.batch.slice(0, at), rows_read=rows, rejects=before),
            RowBatch(self.batch.slice(at), self.first_row + rows, self.rows_read - rows, behind),
        )


def cut(blocks: Iterable[RowBatch], start_row: int, rows: int) -> Iterator[RowBatch]:
    """Join or split consecutive blocks of rows of any size into row batches of `rows` rows, the last one of fewer.

    Rows before `start_row` are left out. A row batch of more than BATCH_BYTES ends early.
    """
    held: list[RowBatch] = []
    held_rows = held_bytes = 0
    for block in blocks:
        _, rest = block.split(start_row - block.first_row)
        while rest.rows_read:
            room = rows - held_rows
            if held and held_bytes + rest.batch.nbytes > BATCH_BYTES:
                room = 0
            head, rest = rest.split(room)
            if head.rows_read:
                held.append(head)
                held_rows += head.rows_read
                held_bytes += head.batch.nbytes + sum(len(one.raw) for one in head.rejects)
            if rest.rows_read or held_rows == rows:
                yield from _join(held)
                held, held_rows, held_bytes = [], 0, 0
    if held:
        yield from _join(held)


def _join(parts: list[RowBatch]) -> list[RowBatch]:
    """One row batch from consecutive ones, or the same ones where their columns do not fit into one batch."""
    if len(parts) == 1:
        return parts
    try:
        batch = pa.concat_batches([part.batch for part in parts])
    except pa.ArrowException:  # dictionaries with more values together than their index type can count
        return parts
    rejects = [one for part in parts for one in part.rejects]
    return [RowBatch(batch, parts[0].first_row, sum(part.rows_read for part in parts), rejects)]
