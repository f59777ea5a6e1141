"""Writes labelled chunks to part files. A chunk is a group of consecutive rows of one input.

The completion marker of a part is written after the part file. Readers ignore part files without a completion marker,
so they never see an incomplete part.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from emojob.pipeline.inference.streaming import Labelled
from emojob.pipeline.output.dictionaries import compacted, schema_without_values
from emojob.pipeline.output.label_columns import count_scored, with_labels
from emojob.pipeline.output.layout import PartPaths, part_paths
from emojob.pipeline.output.parts import ROW_GROUP, open_writer, part_metadata, schema_name
from emojob.pipeline.output.rejects import RejectsWriter
from emojob.pipeline.privacy.policy import Privacy
from emojob.pipeline.reading.chunks import Chunk
from emojob.pipeline.reading.row_batches import Reject
from emojob.pipeline.reading.source import Source
from emojob.pipeline.storage import atomic
from emojob.pipeline.storage.paths import AnyPath
from emojob.pipeline.system.prefetch import StageTimer, StopRequested
from emojob.schemas.manifest import Counts, PartMarker

#: A part is completed when it has at least this number of rows.
PART_ROWS = 2 * ROW_GROUP

#: Seconds after which a part is completed even if it has fewer than PART_ROWS rows, so a killed run loses little work.
PART_SECONDS = 120.0

# Maximum size in bytes of the buffered rows. If the buffer is larger, its rows become a smaller row group.
_BUFFER_BYTES = 64 << 20


def write_parts(
    labelled: Iterator[Labelled[Chunk]],
    folder: AnyPath,
    schema: pa.Schema,
    privacy: Privacy,
    fingerprint: str,
    timer: StageTimer,
    on_rows: Callable[[int], None],
    attempt: int = 1,
    ensure_current: Callable[[], None] = lambda: None,
) -> Iterator[PartMarker]:
    """Write labelled chunks to parts, and yield the completion marker of each part.

    A part is completed if it is due (`PartWriter.due`), or if the next chunk must start a new part (`Chunk.closes`). If
    StopRequested is raised, the part is completed, and StopRequested is raised again. If another exception is raised,
    the unfinished part is removed.

    Args:
        labelled: Labelled chunks in the order of the inputs.
        folder: OUT.
        schema: Schema of the output rows.
        privacy: What to mask, drop or hash.
        fingerprint: Fingerprint of the model.
        timer: Measures the seconds spent on writing.
        on_rows: callback(number of input rows), called after each chunk.
        attempt: Number of the attempt, from 1 (see `PartMarker.attempt`).
        ensure_current: callback(), called before a part is completed. Raises StorageError if the run was replaced.
    """
    writer: PartWriter | None = None
    try:
        for one in labelled:
            chunk = one.key
            marker = None
            with timer.busy("write"):
                if writer is None:
                    writer = _new_part(chunk, folder, schema, fingerprint, attempt)
                _add(writer, one, schema, privacy)
                on_rows(chunk.row_batch.rows_read)
                if writer.due or chunk.closes:
                    marker, writer = _commit(writer, chunk.last, ensure_current), None
            if marker:
                yield marker
    except StopRequested:
        if writer:
            last, writer = _commit(writer, False, ensure_current), None
            yield last
        raise
    finally:
        if writer:
            writer.abandon()


def _new_part(chunk: Chunk, folder: AnyPath, schema: pa.Schema, fingerprint: str, attempt: int) -> PartWriter:
    first = chunk.row_batch.first_row
    return PartWriter(
        part_paths(folder, chunk.number, first, attempt), chunk.source, schema, fingerprint, first, attempt
    )


def _commit(writer: PartWriter, last: bool, ensure_current: Callable[[], None]) -> PartMarker:
    ensure_current()
    return writer.commit(last)


def _add(writer: PartWriter, labelled: Labelled[Chunk], schema: pa.Schema, privacy: Privacy) -> None:
    """Apply the privacy options to a labelled chunk, and add the chunk to the part."""
    chunk, row_batch = labelled.key, labelled.key.row_batch
    if writer.stop_row != row_batch.first_row:
        raise AssertionError(f"the chunk starts at row {row_batch.first_row}, not {writer.stop_row}")
    texts = row_batch.batch.column(privacy.text_column)
    counts = count_scored(labelled.scored, len(row_batch.rejects), labelled.tokens, texts)
    rows = with_labels(privacy.batch(row_batch.batch), labelled.scored, schema)
    writer.add(rows, counts, chunk.stop_row, privacy.rejects(row_batch.rejects))


class PartWriter:
    """Writes the rows of one part. Readers see the part only after `commit`.

    Attributes:
        first_row: Number (from 0) of the part's first row in the input.
        stop_row: Number (from 0) of the next input row to add.
        counts: Counts of the rows added so far.
    """

    def __init__(
        self,
        paths: PartPaths,
        source: Source,
        schema: pa.Schema,
        fingerprint: str,
        first_row: int,
        attempt: int = 1,
    ) -> None:
        self.first_row = self.stop_row = first_row
        self._attempt = attempt
        self.counts = Counts()
        self._paths, self._source, self._fingerprint = paths, source, fingerprint
        self._draft: atomic.Draft | None = None
        plain = schema_without_values(schema, keep_own=True)
        self._compact = plain.equals(schema_without_values(schema), check_metadata=True)
        self._schema = plain.with_metadata({**(plain.metadata or {}), b"emojob": part_metadata(fingerprint)})
        self._started = time.monotonic()
        self._waiting: list[pa.RecordBatch] = []
        self._rejects = RejectsWriter(paths.rejects, source.file.name)
        self._writer: pq.ParquetWriter | None = None
        # If True, each row batch is written alone, because the merged dictionary of several row batches may be too
        # large for an 8-bit or 16-bit index.
        self._narrow = any(pa.types.is_dictionary(f.type) and f.type.index_type.bit_width < 32 for f in schema)

    @property
    def due(self) -> bool:
        """Whether the part has at least PART_ROWS rows or was started at least PART_SECONDS ago."""
        return self.counts.read >= PART_ROWS or time.monotonic() - self._started >= PART_SECONDS

    def add(self, batch: pa.RecordBatch, counts: Counts, stop_row: int, rejects: list[Reject]) -> None:
        """Add a labelled row batch. Full row groups are written immediately.

        Args:
            batch: Labelled rows with the schema of the output.
            counts: Counts of the rows of the batch, including rejected rows.
            stop_row: Number (from 0) of the first input row after the batch.
            rejects: Rows that could not be read.
        """
        self._waiting.append(batch)
        self._rejects.add(rejects)
        self.counts.add(counts)
        self.stop_row = stop_row
        while sum(one.num_rows for one in self._waiting) >= ROW_GROUP:
            self._flush(ROW_GROUP)
        if self._narrow or sum(one.nbytes for one in self._waiting) >= _BUFFER_BYTES:
            self._flush(ROW_GROUP)

    def commit(self, last: bool) -> PartMarker:
        """Complete the part: move the part file to the final path, then write the completion marker.

        Args:
            last: Whether this is the last part of the input.
        """
        self._flush(ROW_GROUP)
        if self._writer is None:
            self._flush(0)
        assert self._writer is not None  # noqa: S101
        assert self._draft is not None  # noqa: S101
        self._writer.close()
        self._writer = None
        size = self._draft.commit()
        self._rejects.commit()
        marker = PartMarker(
            part=self._paths.part.name,
            part_bytes=size,
            input=self._source.file.name,
            input_bytes=self._source.size,
            input_sha256=self._source.sha256,
            encoding=self._source.encoding,
            first_row=self.first_row,
            stop_row=self.stop_row,
            last=last,
            fingerprint=self._fingerprint,
            counts=self.counts,
            attempt=self._attempt,
            columns=schema_name(self._schema),
            compact=self._compact,
            dialect=self._source.reading_key,
        )
        atomic.write_json(self._paths.marker, marker.as_json())
        return marker

    def abandon(self) -> None:
        """Remove the unfinished files of the part."""
        self._waiting.clear()
        if self._writer is not None:
            writer, self._writer = self._writer, None
            with contextlib.suppress(Exception):  # closing fails if the disk is full; the file is removed below
                writer.close()
        if self._draft:
            self._draft.discard()
        self._rejects.abandon()

    def _flush(self, rows: int) -> None:
        """Write at most `rows` waiting rows as a row group. If `rows` is 0, only open the file."""
        if self._writer is None and (self._waiting or not rows):
            self._draft = self._draft or atomic.Draft(self._paths.part)
            self._writer = open_writer(self._draft.sink, self._schema)
        if self._writer is None or not self._waiting:
            return
        table = pa.Table.from_batches(self._waiting, self._waiting[0].schema)
        self._waiting = table.slice(rows).to_batches()
        group = compacted(table.slice(0, rows))
        if group.num_rows:
            self._writer.write_table(group, row_group_size=rows)
