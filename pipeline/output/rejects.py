"""Writes the rows that could not be read (rejected rows) to Parquet files. Only a few rows are in memory."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from emojob.pipeline.reading.row_batches import Reject
from emojob.pipeline.storage import atomic
from emojob.pipeline.storage.paths import AnyPath, remove_all, seekable
from emojob.pipeline.storage.permissions import limit_permissions
from emojob.schemas.columns import REJECTS

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
            with pq.ParquetFile(seekable(file), pre_buffer=False, buffer_size=1 << 20) as parquet:
                for batch in parquet.iter_batches(_JOINED_ROWS):
                    writer.write_table(pa.Table.from_batches([batch]).cast(REJECTS))


def copy_rejects(file: AnyPath, copy: AnyPath) -> None:
    """Copy a file with rejected rows. No user can read the copy who cannot read `file`."""
    with limit_permissions([file]):
        atomic.copy_file(file, copy)
