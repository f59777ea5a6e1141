"""Writes the rows that could not be read (rejected rows) to Parquet files. Only a few rows are in memory."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from emojob.pipeline.output.layout import REJECTS_FILE, marker_paths, rejects_beside
from emojob.pipeline.reading.row_batches import Reject
from emojob.pipeline.storage import atomic
from emojob.pipeline.storage.paths import AnyPath, remove_all, seekable
from emojob.pipeline.storage.permissions import limit_permissions
from emojob.schemas.columns import REJECTS
from emojob.schemas.manifest import PartMarker

# Number of rejected rows, and of characters, that are kept in memory until they are written as a row group.
_ROWS, _CHARACTERS = 16_384, 4 << 20
_JOINED_ROWS = 2_048  # number of rejected rows that are copied at a time


class RejectsWriter:
    """Writes the rejected rows of one part. The file appears when `commit` is called, if there are any rows."""

    def __init__(self, path: AnyPath, input_name: str) -> None:
        """Prepare the file.

        Args:
            path: The file to write.
            input_name: Name of the input with the rejected rows.
        """
        self._path, self._input = path, input_name
        self._waiting: list[Reject] = []
        self._characters = 0
        self._draft: atomic.Draft | None = None
        self._writer: pq.ParquetWriter | None = None

    def add(self, rejects: Sequence[Reject]) -> None:
        """Add rejected rows."""
        for one in rejects:
            self._waiting.append(one)
            self._characters += len(one.raw)
            if len(self._waiting) >= _ROWS or self._characters >= _CHARACTERS:
                self._flush()

    def commit(self) -> None:
        """Complete the file. Do nothing if no rows were added."""
        self._flush()
        if self._writer is None or self._draft is None:
            return
        writer, self._writer = self._writer, None
        writer.close()
        self._draft.commit()

    def abandon(self) -> None:
        """Remove the incomplete file."""
        self._waiting.clear()
        if self._writer is not None:
            writer, self._writer = self._writer, None
            with contextlib.suppress(Exception):  # closing fails if the disk is full; the file is removed below
                writer.close()
        if self._draft:
            self._draft.discard()

    def _flush(self) -> None:
        if not self._waiting:
            return
        if self._writer is None:
            self._draft = self._draft or atomic.Draft(self._path)
            self._writer = pq.ParquetWriter(self._draft.sink, REJECTS, compression="zstd")
        columns = [
            [self._input] * len(self._waiting),
            [one.position for one in self._waiting],
            [one.reason for one in self._waiting],
            [one.raw for one in self._waiting],
        ]
        self._writer.write_table(pa.table(columns, schema=REJECTS))
        self._waiting, self._characters = [], 0


def join_rejects(files: Sequence[AnyPath], joined: AnyPath) -> None:
    """Join the rejected rows of all parts into one file. Remove the file if there are no rejected rows.

    No user can read the joined file who cannot read all of `files`.

    Args:
        files: Files of `RejectsWriter`.
        joined: The file to write.
    """
    if not files:
        remove_all([joined])
        return
    with (
        limit_permissions(files),
        atomic.draft(joined) as draft,
        pq.ParquetWriter(draft.sink, REJECTS, compression="zstd") as writer,
    ):
        for file in files:
            _copy_rows(file, writer)


def copy_rejects(file: AnyPath, copy: AnyPath, metadata: dict[str, str] | None = None) -> None:
    """Copy a file with rejected rows. No user can read the copy who cannot read `file`.

    Args:
        file: The file.
        copy: The file to write.
        metadata: Parquet metadata of the copy.
    """
    with (
        limit_permissions([file]),
        atomic.draft(copy) as draft,
        pq.ParquetWriter(draft.sink, REJECTS.with_metadata(metadata), compression="zstd") as writer,
    ):
        _copy_rows(file, writer)


def _copy_rows(file: AnyPath, writer: pq.ParquetWriter) -> None:
    with pq.ParquetFile(seekable(file), pre_buffer=False, buffer_size=1 << 20) as parquet:
        for batch in parquet.iter_batches(_JOINED_ROWS):
            writer.write_table(pa.Table.from_batches([batch]).cast(writer.schema))


# -- removing texts ----------------------------------------------------------------------------------------------------
# A rejected row could not be read, so no SQL condition can select it. `emojob forget` removes the texts of all rejected
# rows.


def remove_texts_in_folder(out: AnyPath, markers: list[PartMarker], writes: bool = True) -> int:
    """Remove the texts of the rejected rows of an archive folder. Input, position and reason of each row stay.

    Args:
        out: OUT.
        markers: Completion markers of the parts.
        writes: If false, only count the texts.

    Returns:
        Number of removed texts.
    """
    files = [marker_paths(out, marker).rejects for marker in markers if marker.counts.rejected]
    removed = sum(_remove_texts(file, writes) for file in files)
    return max(removed, _remove_texts(out / REJECTS_FILE, writes))


def remove_texts_beside(file: AnyPath, writes: bool = True) -> int:
    """Remove the texts of the rejected rows of a single labelled file (see `remove_texts_in_folder`)."""
    rejects = rejects_beside(file)
    return 0 if rejects.resolve() != rejects.parent.resolve() / rejects.name else _remove_texts(rejects, writes)


def _remove_texts(file: AnyPath, writes: bool) -> int:
    """Replace the texts in a file of rejected rows with "". Return the number of texts.

    A file that is missing, or is not a file of rejected rows, is not changed.
    """
    with contextlib.suppress(FileNotFoundError, pa.ArrowInvalid):
        with pq.ParquetFile(seekable(file), pre_buffer=False, buffer_size=1 << 20) as parquet:
            if parquet.schema_arrow.names != REJECTS.names:
                return 0
            texts = sum(_texts(batch.column(0)) for batch in parquet.iter_batches(_JOINED_ROWS, columns=["raw"]))
        if texts and writes:
            with limit_permissions([file]), atomic.draft(file) as draft:
                _write_without_texts(file, draft)
        return texts
    return 0


def _write_without_texts(file: AnyPath, draft: atomic.Draft) -> None:
    with (
        pq.ParquetFile(seekable(file), pre_buffer=False, buffer_size=1 << 20) as parquet,
        pq.ParquetWriter(
            draft.sink, REJECTS.with_metadata(parquet.schema_arrow.metadata), compression="zstd"
        ) as writer,
    ):
        for batch in parquet.iter_batches(_JOINED_ROWS):
            empty = pa.array([""] * len(batch), pa.string())
            columns = [empty if field.name == "raw" else batch[field.name] for field in REJECTS]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=writer.schema))


def _texts(raw: pa.Array) -> int:
    """Return the number of values that are not empty."""
    return int(pc.sum(pc.greater(pc.binary_length(raw), 0)).as_py() or 0)
