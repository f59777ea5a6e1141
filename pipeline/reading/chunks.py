"""Reads the rows that have no labels yet, in chunks for the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from emojob.pipeline.reading.context import conversations_before
from emojob.pipeline.reading.dataset import Dataset, check_unchanged, read_batches
from emojob.pipeline.reading.resume import InputProgress, Span
from emojob.pipeline.reading.row_batches import RowBatch
from emojob.pipeline.reading.source import Source
from emojob.schemas.errors import DataError

BATCH_ROWS = 30_720  # rows per read: a quarter of a row group of the output
_FIRST_ROWS = 2_048  # number of rows in each of the first chunks, if the speed of the engine is unknown
_LONG = 32  # assumed tokens per utterance; most utterances have fewer
_FEWEST_ROWS = 1_024
_CHUNK_SECONDS = 15.0  # intended engine time for each chunk


@dataclass(frozen=True)
class Chunk:
    """Rows of an input that the engine labels together.

    Attributes:
        source: The input file.
        number: Number of the input. The names of the part files contain this number.
        row_batch: Rows of the chunk.
        previous: Previous utterance of each row, null if there is none: large_string [rows]. None if the model does not
            read previous utterances.
        closes: Whether the part file must end after this chunk, because the next chunk does not begin at the row after
            this chunk.
        last: Whether the input ends with this chunk.
    """

    source: Source
    number: int
    row_batch: RowBatch
    previous: pa.Array | None = None
    closes: bool = False
    last: bool = False

    @property
    def stop_row(self) -> int:
        """Row number of the first row after the chunk, from 0."""
        return self.row_batch.first_row + self.row_batch.rows_read

    def split(self, rows: int) -> tuple[Chunk, Chunk]:
        """Return (chunk of the first `rows` rows, chunk of the remaining rows). `rows` includes rejected rows."""
        head, rest = self.row_batch.split(rows)
        at = head.batch.num_rows
        before, after = (None, None) if self.previous is None else (self.previous[:at], self.previous[at:])
        first = replace(self, row_batch=head, previous=before, closes=False, last=False)
        return first, replace(self, row_batch=rest, previous=after)


class PendingChunks:
    """Iterable of the chunks that a run has to label. Iterate only once."""

    def __init__(
        self,
        dataset: Dataset,
        sources: Sequence[tuple[Source, InputProgress]],
        limit: int | None,
        stopping: Callable[[], bool],
        rate: float | None = None,
    ) -> None:
        """Store the arguments. `__iter__` reads the files.

        Args:
            dataset: The dataset.
            sources: (input, progress of the input) for each input of the dataset.
            limit: Label only the first `limit` rows of the dataset. None: label all rows.
            stopping: Returns True if the run must stop.
            rate: Speed of the engine in tokens per second; None if unknown.
        """
        self._dataset, self._sources, self._limit, self._stopping = dataset, sources, limit, stopping
        known = 0 if rate is None else int(rate * _CHUNK_SECONDS / _LONG)
        self._rows = min(max(_FIRST_ROWS, known), BATCH_ROWS)

    def __iter__(self) -> Iterator[Chunk]:
        """Yield the chunks. Raises DataError if an input is damaged or has changed."""
        left = self._limit  # rows from the beginning of the current input up to the limit
        for source, progress in self._sources:
            next_row = progress.next_row
            for span in progress.missing:
                if left is not None and span.first_row >= left:
                    break
                for chunk in _up_to(left, self._of_span(source, progress.number, span)):
                    next_row = max(next_row, chunk.stop_row)
                    yield chunk
            if left is not None:
                left -= next_row
                if left <= 0:
                    return

    def on_timing(self, chunk: Chunk, seconds: float) -> None:
        """Adapt the size of the next chunks, so that the engine needs about 15 seconds for each chunk.

        Args:
            chunk: A chunk that the engine has labelled.
            seconds: Time that the engine needed for the chunk.
        """
        given = chunk.row_batch.batch.num_rows
        if given >= min(self._rows, _FEWEST_ROWS):
            rows = int(given * _CHUNK_SECONDS / max(seconds, 1e-3))
            self._rows = min(max(rows, _FEWEST_ROWS), 4 * self._rows, BATCH_ROWS)

    def _of_span(self, source: Source, number: int, span: Span) -> Iterator[Chunk]:
        """Yield the chunks of a span. Only the last chunk of the span has `closes=True`.

        If the span has no rows, yield one empty chunk.
        """
        schema = self._dataset.schema
        no_rows = pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in schema], schema=schema)
        nothing = RowBatch(no_rows, span.first_row, 0, [])
        chunks = self._chunks(source, number, span)
        current = next(chunks, Chunk(source, number, nothing))
        for following in chunks:
            yield current
            current = following
        # if stop_row is None, read_batches has already checked the file at the end of the file
        if span.stop_row is not None:
            check_unchanged(source)
        if span.stop_row not in (None, current.stop_row):
            raise DataError(
                f"{source.file.name} changed while emojob was reading it: row {span.stop_row:,} no longer exists; "
                f"start the run again when the file is complete"
            )
        yield replace(current, closes=True, last=span.stop_row is None)

    def _chunks(self, source: Source, number: int, span: Span) -> Iterator[Chunk]:
        start, stop = span.first_row, span.stop_row
        conversations = conversations_before(self._dataset, source, start, BATCH_ROWS, self._stopping)
        for row_batch in read_batches(self._dataset, source, start, BATCH_ROWS):
            if stop is not None:
                row_batch, _ = row_batch.split(stop - row_batch.first_row)
            previous = None if conversations is None else conversations.previous(row_batch)
            rest = Chunk(source, number, row_batch, previous)
            while left := rest.row_batch.rows_read:
                # chunks of equal size, because a small last chunk would be inefficient
                head, rest = rest.split(-(-left // max(1, round(left / self._rows))))
                yield head
            if stop is not None and rest.stop_row >= stop:
                return


def _up_to(limit: int | None, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """Yield only the rows before row number `limit`. The last chunk is cut there, and gets `closes=True`."""
    for chunk in chunks:
        if limit is None or chunk.stop_row < limit:
            yield chunk
            continue
        if chunk.stop_row > limit:
            chunk, _ = chunk.split(limit - chunk.row_batch.first_row)
        yield replace(chunk, closes=True)
        return
