"""Writes the rows that could not be read (rejected rows) to Parquet files. Only a few rows are in memory."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from emojob.pipeline.output.layout import REJECTS_FILE, marker_paths, rejects_beside
from emojob.pipeline.output.parts import damaged
from emojob.pipeline.reading.row_batches import Reject
from emojob.pipeline.storage import atomic
from emojob.pipeline.storage.paths import AnyPath, remove_all, seekable
from emojob.pipeline.storage.permissions import limit_permissions
from emojob.schemas.columns import REJECTS
from emojob.schemas.errors import DataError
from emojob.schemas.manifest import PartMarker

# Number of rejected rows, and of characters, that are kept in memory until they are written as a row group.
_ROWS, _CHARACTERS = 16_384, 4 << 20
_REASONS = 1_000  # maximum number of different reasons that are counted
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
        files: Files of `RejectsWriter`. Missing files are skipped.
        joined: The file to write.

    Raises:
        DataError: One of the files is damaged.
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


def most_frequent_reason(files: Sequence[AnyPath]) -> str:
    """Return the reason of most rejected rows in files of `RejectsWriter`; "" if there are no rejected rows."""
    rows: dict[str, int] = {}
    for file in files:
        with _opened(file) as parquet:
            for batch in parquet.iter_batches(_ROWS, columns=["reason"]) if parquet else ():
                for one in pc.value_counts(batch.column(0)).to_pylist():
                    if one["values"] in rows or len(rows) < _REASONS:
                        rows[one["values"]] = rows.get(one["values"], 0) + one["counts"]
    return max(rows, key=lambda reason: (rows[reason], reason), default="")


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
    """Copy the rows of a file, if the file exists. Raises DataError for a damaged file."""
    with _opened(file) as parquet:
        for batch in parquet.iter_batches(_JOINED_ROWS) if parquet else ():
            writer.write_table(pa.Table.from_batches([batch]).cast(writer.schema))


# -- removing texts ----------------------------------------------------------------------------------------------------
# A rejected row could not be read, so no SQL condition can select it. `emojob forget` removes the texts of all rejected
# rows.


def count_texts(out: AnyPath, markers: Sequence[PartMarker]) -> int:
    """Return the number of rejected rows of an archive folder that have a text.

    A damaged OUT/_emojob/rejects.parquet does not count: `join_rejects` makes it again.

    Args:
        out: OUT.
        markers: Completion markers of the parts.

    Raises:
        DataError: A file with the rejected rows of a part is damaged, or OUT/_emojob/rejects.parquet is a folder.
    """
    joined = out / REJECTS_FILE
    if isinstance(joined, Path) and joined.is_dir():
        raise DataError(f"{joined} is a folder, but must be a file: move the folder, then run the same command again")
    of_parts = sum(map(_count, _files(out, markers)))
    with contextlib.suppress(DataError):
        return max(of_parts, _count(joined))
    return of_parts


def remove_texts_in_folder(out: AnyPath, markers: Sequence[PartMarker]) -> None:
    """Remove the texts of the rejected rows of all parts. Input, position and reason of each row stay.

    Args:
        out: OUT.
        markers: Completion markers of the parts.

    Raises:
        DataError: A file is damaged.
    """
    for file in _files(out, markers):
        if _count(file):
            copy_without_texts(file, file)


def remove_texts_beside(file: AnyPath, writes: bool = True) -> int:
    """Remove the texts of the rejected rows of a single labelled file. Return their number.

    Args:
        file: The labelled file.
        writes: If false, only count the texts.

    Raises:
        DataError: The file with the rejected rows is damaged.
    """
    rejects = rejects_beside(file)
    texts = _count(rejects) if is_rejects_file(rejects) else 0
    if texts and writes:
        copy_without_texts(rejects, rejects)
    return texts


def is_rejects_file(file: AnyPath) -> bool:
    """Return whether a file contains rejected rows. A link, and a Parquet file with other columns, are the user's.

    Raises:
        DataError: The file is damaged, so it may contain rejected rows.
    """
    if not file.exists() or (isinstance(file, Path) and file.is_symlink()):
        return False
    try:
        return bool(pq.read_schema(seekable(file)).names == REJECTS.names)
    except pa.ArrowException as error:
        raise DataError(damaged(file, error)) from error


def copy_without_texts(file: AnyPath, copy: AnyPath) -> None:
    """Copy a file with rejected rows, with "" instead of the texts. The copy may replace the file.

    Raises:
        DataError: The file is no file of rejected rows.
    """

    def change(batch: pa.RecordBatch) -> pa.RecordBatch:
        return _with_column(batch, "raw", pa.array([""] * len(batch), pa.string()))

    _copy_changed(file, copy, change)


def rename_inputs(file: AnyPath, names: Mapping[str, str]) -> None:
    """Replace names of inputs in a file with rejected rows. Do nothing if the file is missing or has none of the names.

    Args:
        file: The file.
        names: {name of an input: new name}.

    Raises:
        DataError: The file is no file of rejected rows.
    """
    if not names or inputs_of(file).isdisjoint(names):
        return
    old, new = pa.array(list(names), pa.string()), pa.array(list(names.values()), pa.string())

    def change(batch: pa.RecordBatch) -> pa.RecordBatch:
        inputs = batch.column("input")
        return _with_column(batch, "input", pc.coalesce(new.take(pc.index_in(inputs, value_set=old)), inputs))

    _copy_changed(file, file, change)


def inputs_of(file: AnyPath) -> set[str]:
    """Return the names of the inputs in a file with rejected rows; an empty set if the file is missing."""
    found: set[str] = set()
    with _opened(file) as parquet:
        for batch in parquet.iter_batches(_JOINED_ROWS, columns=["input"]) if parquet else ():
            found.update(batch.column(0).unique().to_pylist())
    return found


def _copy_changed(file: AnyPath, copy: AnyPath, change: Callable[[pa.RecordBatch], pa.RecordBatch]) -> None:
    """Copy a file with rejected rows. `change` changes each batch. Raises DataError for another kind of file."""
    with (
        limit_permissions([file]),
        atomic.draft(copy) as draft,
        pq.ParquetFile(seekable(file), pre_buffer=False, buffer_size=1 << 20) as parquet,
        pq.ParquetWriter(
            draft.sink, REJECTS.with_metadata(parquet.schema_arrow.metadata), compression="zstd"
        ) as writer,
    ):
        if parquet.schema_arrow.names != REJECTS.names:
            raise DataError(damaged(file, pa.ArrowInvalid()))
        for batch in parquet.iter_batches(_JOINED_ROWS):
            writer.write_table(pa.Table.from_batches([change(batch)]).cast(writer.schema))


def _with_column(batch: pa.RecordBatch, name: str, column: pa.Array) -> pa.RecordBatch:
    return batch.set_column(batch.schema.get_field_index(name), name, column)


def _files(out: AnyPath, markers: Sequence[PartMarker]) -> list[AnyPath]:
    return [marker_paths(out, marker).rejects for marker in markers if marker.counts.rejected]


def _count(file: AnyPath) -> int:
    """Return the number of rejected rows with a text; 0 if the file is missing. Raises DataError for a damaged file."""
    with _opened(file) as parquet:
        batches = parquet.iter_batches(_JOINED_ROWS, columns=["raw"]) if parquet else ()
        return sum(_texts(batch.column(0)) for batch in batches)


@contextlib.contextmanager
def _opened(file: AnyPath) -> Iterator[pq.ParquetFile | None]:
    """Open a file with rejected rows. Yield None if the file is missing. Raises DataError for a damaged file."""
    try:
        with pq.ParquetFile(seekable(file), pre_buffer=False, buffer_size=1 << 20) as parquet:
            if parquet.schema_arrow.names != REJECTS.names:
                raise DataError(damaged(file, pa.ArrowInvalid()))
            yield parquet
    except FileNotFoundError:
        yield None
    except pa.ArrowException as error:
        raise DataError(damaged(file, error)) from error


def _texts(raw: pa.Array) -> int:
    """Return the number of values that are not empty."""
    return int(pc.sum(pc.greater(pc.binary_length(raw), 0)).as_py() or 0)
