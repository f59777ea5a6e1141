"""What of an archive is still to be scored, in order, cut into chunks for the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from pipeline.archive import Archive, Source, Window, windows
from pipeline.context import conversations_before
from pipeline.output import Standing

WINDOW_ROWS = 30_720  # read at a time: a quarter of a row group of the output
_FIRST_ROWS = 2_048  # given to an engine of unknown speed at first; then what takes it about _CHUNK_SECONDS
_LONG = 32  # tokens of an utterance that is longer than most
_FEWEST_ROWS = 1_024
_CHUNK_SECONDS = 15.0


@dataclass(frozen=True)
class Chunk:
    """Rows of one input on their way to the engine."""

    source: Source
    standing: Standing
    window: Window
    previous: pa.Array | None = None  # the utterance before each row of the batch, where the model reads it
    last: bool = False  # whether the input ends here

    @property
    def stop_row(self) -> int:
        """The row of the input behind the chunk's last."""
        return self.window.first_row + self.window.rows_read

    def split(self, rows: int) -> tuple[Chunk, Chunk]:
        """The first `rows` rows, rejected ones counted, and the others; nothing is copied."""
        head, rest = self.window.split(rows)
        at = head.batch.num_rows
        before, behind = (None, None) if self.previous is None else (self.previous[:at], self.previous[at:])
        return replace(self, window=head, previous=before, last=False), replace(self, window=rest, previous=behind)


class Reading:
    """The chunks that a run still has to score; iterating reads them, once.

    limit: rows of the archive before which the run ends; None for all of them. rate: of the engine, tokens/s; None
    where it is not known yet.
    """

    def __init__(
        self,
        archive: Archive,
        sources: Sequence[tuple[Source, Standing]],
        limit: int | None,
        stopping: Callable[[], bool],
        rate: float | None = None,
    ) -> None:
        self._archive, self._sources, self._limit, self._stopping = archive, sources, limit, stopping
        known = 0 if rate is None else int(rate * _CHUNK_SECONDS / _LONG)
        self._rows = min(max(_FIRST_ROWS, known), WINDOW_ROWS)
        self._stops: dict[str, float] = {}  # the row of each input before which the limit ends the run

    def __iter__(self) -> Iterator[Chunk]:
        before = 0  # rows of the inputs before this one
        for source, standing in self._sources:
            stop = float("inf") if self._limit is None else self._limit - before
            self._stops[source.file.name] = stop
            if stop <= 0:
                return
            row = standing.stop_row
            if not standing.complete and row < stop:
                for chunk in _mark_last(self._chunks(source, standing), source, standing, self._archive.schema):
                    if chunk.stop_row > stop:
                        chunk, _ = chunk.split(int(stop) - chunk.window.first_row)
                    row = chunk.stop_row
                    yield chunk
                    if row >= stop:
                        break
            before += row

    def ends_with(self, chunk: Chunk) -> bool:
        """Whether the limit ends the run behind a chunk that was read."""
        return self._limit is not None and chunk.stop_row >= self._stops[chunk.source.file.name]

    def took(self, chunk: Chunk, seconds: float) -> None:
        """Say how long the engine took for a chunk; the next ones have so many rows that they take it some seconds."""
        given = chunk.window.batch.num_rows
        if given >= min(self._rows, _FEWEST_ROWS):
            rows = int(given * _CHUNK_SECONDS / max(seconds, 1e-3))
            self._rows = min(max(rows, _FEWEST_ROWS), 4 * self._rows, WINDOW_ROWS)

    def _chunks(self, source: Source, standing: Standing) -> Iterator[Chunk]:
        start = standing.stop_row
        conversations = conversations_before(self._archive, source, start, WINDOW_ROWS, self._stopping)
        for window in windows(self._archive, source, start, WINDOW_ROWS):
            previous = None if conversations is None else conversations.previous(window)
            rest = Chunk(source, standing, window, previous)
            while left := rest.window.rows_read:
                head, rest = rest.split(-(-left // max(1, round(left / self._rows))))  # a small rest is a slow one
                yield head


def _mark_last(chunks: Iterator[Chunk], source: Source, standing: Standing, schema: pa.Schema) -> Iterator[Chunk]:
    """Mark the chunk with which an input ends; an input without rows has one chunk without rows."""
    nothing = Window(pa.RecordBatch.from_pylist([], schema=schema), standing.stop_row, 0, [])
    current = next(chunks, Chunk(source, standing, nothing))
    for following in chunks:
        yield current
        current = following
    yield replace(current, last=True)
