"""Opens a labelled archive (OUT) for reading: finds the part files and the names of the columns."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from emojob.pipeline.output.archive_folder import ArchiveFolder
from emojob.pipeline.output.compatibility import is_archive
from emojob.pipeline.output.identity import Identity, read_identity
from emojob.pipeline.output.layout import RUN_FILE, PartPaths
from emojob.pipeline.output.parts import open_parquet, read_schemas
from emojob.pipeline.reading.schema import own_names, united_names
from emojob.pipeline.storage import atomic
from emojob.pipeline.storage.object_errors import is_object_error
from emojob.pipeline.storage.object_store import ObjectPath
from emojob.pipeline.storage.paths import AnyPath, list_files, modified_ns, no_archive, seekable
from emojob.schemas.columns import DEFAULT_THRESHOLD, PAIR_MARK, LabelColumns, find_roles
from emojob.schemas.errors import ChangedError, DataError, InputError, OutputError
from emojob.schemas.manifest import OUT_FORMAT, PartMarker

_BATCH_ROWS = 65_536
_TRIES = 20  # maximum number of times that an archive is opened, if other commands change the archive
# Keys of run.json that must have a dict as value.
_OBJECTS = {"model", "engine", "options", "privacy", "counts", "all_counts", "versions"}


@dataclass(frozen=True)
class PartFile:
    """A part file of an archive, or a single labelled file.

    Attributes:
        file: Path of the Parquet file.
        input: Name of the labelled input. None for a single labelled file, because the rows may come from several
            inputs.
        bytes: Size of the file in bytes.
        modified: Modification time of a single labelled file, in nanoseconds since 1970. 0 for a part file, because the
            content of a part file never changes, and for an object.
    """

    file: AnyPath
    input: str | None
    bytes: int
    modified: int = 0

    def is_current(self) -> bool:
        """Return whether the file still exists and is unchanged."""
        try:
            return self.file.stat().st_size == self.bytes and self.modified in (0, modified_ns(self.file))
        except FileNotFoundError:
            return False


@dataclass(frozen=True)
class LabelledArchive:
    """A labelled archive that is open for reading. Rows are numbered from 0 across all part files.

    Attributes:
        path: Path of OUT: a folder or a single file.
        part_files: The part files, in row order.
        labels: Labels of the model, in id order.
        prefix: Prefix of the label columns.
        text_column: Column with the text; None after --drop-text.
        columns: Names of the input columns of all part files, in the order of first occurrence. A part file may lack
            some columns. Names that DuckDB regards as equal, such as Text and text, are one column.
        conversation_column: Column with the conversation IDs: the column that run.json names, else the first column
            with a usual name (`USUAL_CONVERSATION_COLUMNS`), else None.
        time_column: Column with the time of an utterance, or only with its day (see `clock_column`), chosen like
            `conversation_column`.
        clock_column: Column with the time of day, if `time_column` has only the day; otherwise None.
        speaker_column: Column that identifies speakers, chosen like `conversation_column`.
        number_column: Column with the number of an utterance in its conversation; None if no column has a usual name.
        run: Contents of run.json.
        schemas: The schemas of the part files, each one once.
        is_multi: Whether a row can carry several labels.
        identity: Identity of the archive before the part files were listed; None for an archive of an earlier version.
    """

    path: AnyPath
    part_files: tuple[PartFile, ...]
    labels: tuple[str, ...]
    prefix: str
    text_column: str | None
    columns: tuple[str, ...]
    conversation_column: str | None = None
    time_column: str | None = None
    clock_column: str | None = None
    speaker_column: str | None = None
    number_column: str | None = None
    run: dict[str, Any] = field(default_factory=dict)
    identity: Identity | None = None
    schemas: tuple[pa.Schema, ...] = ()
    is_multi: bool = False

    def is_current(self) -> bool:
        """Return whether the archive still has the part files. False after `emojob forget`, for example."""
        if self.path.is_dir():
            sizes = list_files(self.path, ())
            return all(sizes.get(part_file.file.name) == part_file.bytes for part_file in self.part_files)
        return self.part_files[0].is_current()

    def is_replaced(self, part_file: PartFile) -> bool:
        """Return whether another command has removed or replaced a part file together with its completion marker."""
        if part_file.is_current():
            return False
        if self.path.is_dir():
            marker = atomic.read_json(PartPaths(self.path, part_file.file.stem).marker)
            return marker.get("part_bytes") != part_file.bytes
        return self.path.exists()

    @contextlib.contextmanager
    def open_part(self, part_file: PartFile) -> Iterator[pq.ParquetFile]:
        """Open a part file for reading.

        Raises:
            ChangedError: Another command has removed or replaced the part file.
            DataError: The file cannot be read.
        """
        try:
            if isinstance(part_file.file, Path) and self.is_replaced(part_file):
                raise changed(self.path)
            with open_parquet(part_file.file) as parquet:
                yield parquet
        except DataError as error:
            if not self.is_replaced(part_file):
                raise
            raise changed(self.path) from error

    @property
    def spellings(self) -> tuple[str, ...]:
        """All column names, exactly as the part files have them, also of the label columns."""
        return tuple(dict.fromkeys(name for schema in self.schemas for name in schema.names))

    @property
    def object_paths(self) -> list[ObjectPath]:
        """Paths of the part files, if the archive is in an object store; else []."""
        return [part_file.file for part_file in self.part_files if isinstance(part_file.file, ObjectPath)]

    @property
    def time_columns(self) -> str | None:
        """The columns with the time of an utterance as --time-column names them: `sent_at`, or `date+time`."""
        return PAIR_MARK.join(filter(None, (self.time_column, self.clock_column))) or None

    @property
    def label_columns(self) -> LabelColumns:
        """Names of the label columns."""
        return LabelColumns(self.labels, self.prefix, self.is_multi)

    @property
    def thresholds(self) -> tuple[float, ...] | None:
        """The probability at which a row carries each label, in id order; None if a row has exactly one label."""
        if not self.is_multi:
            return None
        given = self.run.get("model", {}).get("thresholds")
        if isinstance(given, list) and len(given) == len(self.labels) and all(isinstance(one, float) for one in given):
            return tuple(given)
        return (DEFAULT_THRESHOLD,) * len(self.labels)

    @property
    def status_column(self) -> str:
        """Name of the column with the status of each row."""
        return self.label_columns.status

    @property
    def probability_columns(self) -> list[str]:
        """Names of the probability columns, in the order of `labels`."""
        return self.label_columns.probabilities

    def batches(self, columns: Sequence[str]) -> Iterator[tuple[int, PartFile, pa.RecordBatch]]:
        """Yield all rows in order, one batch at a time.

        Args:
            columns: Names of the columns to read. If a part file lacks a column, the rows of this file have null there.

        Yields:
            (number of the first row, part file, batch with `columns`).

        Raises:
            ChangedError: Another command has removed or replaced a part file.
            DataError: A file cannot be read.
        """
        first = 0
        for part_file in self.part_files:
            with self.open_part(part_file) as parquet:
                own = own_names(parquet.schema_arrow, columns)
                for batch in parquet.iter_batches(_BATCH_ROWS, columns=list(own.values())):
                    found = {name: batch.column(its) for name, its in own.items()}
                    yield first, part_file, _with_all(found, columns, batch.num_rows)
                    first += batch.num_rows

    def rows(
        self, numbers: NDArray[np.int64], columns: Sequence[str]
    ) -> Iterator[tuple[NDArray[np.int64], pa.RecordBatch]]:
        """Yield selected rows in the order of the archive, one batch per row group.

        Args:
            numbers: Numbers of the rows to select, in any order. int64 [rows].
            columns: Names of the columns to read. If a part file lacks a column, the rows of this file have null there.

        Yields:
            (row numbers int64 [rows], batch with `columns`).

        Raises:
            ChangedError: Another command has removed or replaced a part file.
            DataError: A file cannot be read.
        """
        wanted, first = np.unique(numbers), 0
        for part_file in self.part_files:
            with self.open_part(part_file) as parquet:
                for group in range(parquet.num_row_groups):
                    stop = first + parquet.read_row_group(group, []).num_rows
                    here = wanted[np.searchsorted(wanted, first) : np.searchsorted(wanted, stop)]
                    if len(here):
                        own = own_names(parquet.schema_arrow, columns)
                        table = parquet.read_row_group(group, list(own.values()))
                        taken = {name: table.column(its).take(pa.array(here - first)) for name, its in own.items()}
                        yield here, _with_all(taken, columns, len(here))
                    first = stop


def open_labelled(out: AnyPath) -> LabelledArchive:
    """Open a labelled archive for reading.

    Args:
        out: The folder or the single file that `emojob score` wrote.

    Raises:
        OutputError: `out` is not a labelled archive, has no complete part file, or has a damaged run.json.
        DataError: A part file cannot be read.
        BusyError: Another command changed `out` again and again.
    """
    for _ in range(_TRIES):
        identity = _identity(out)  # read first: if rows leave the archive while it is opened, the identity is outdated
        found = _part_files(out)
        try:
            return _opened(out, identity, *found)
        except InputError:
            if all(part_file.is_current() for part_file in found[0]):
                raise
    raise changed(out)


def changed(out: AnyPath) -> ChangedError:
    """Return the error for an archive that another command changes while this command reads it."""
    return ChangedError(f"{out} was changed by another command while it was read: run the same command again")


def _opened(
    out: AnyPath,
    identity: Identity | None,
    part_files: tuple[PartFile, ...],
    run: dict[str, Any],
    markers: Sequence[PartMarker],
) -> LabelledArchive:
    run = {name: value for name, value in run.items() if name not in _OBJECTS or isinstance(value, dict)}
    text_column, prefix = run.get("text_column"), run.get("prefix", "")
    if not isinstance(text_column, str) or not isinstance(prefix, str):
        raise OutputError(
            f"{RUN_FILE} of {out} is missing or damaged, so the text column is unknown: run the same `emojob score` "
            f"command again. Rows that are already labelled are not labelled again"
        )
    schemas = _schemas(part_files, markers)
    label_columns = _label_columns(next(iter(schemas.values())), prefix)
    is_dropped = run.get("privacy", {}).get("drop_text") is True
    dropped = is_dropped and not any(text_column in schema.names for schema in schemas.values())
    for file, schema in schemas.items():
        is_same = label_columns is not None and _label_columns(schema, prefix) == label_columns
        if not is_same or (text_column not in schema.names and not dropped):
            missing = f"column {text_column}" if label_columns else f"label columns ({prefix}emotion, {prefix}prob_...)"
            raise OutputError(f"{file} has no {missing}: label the input again with `emojob score --fresh`")
    assert label_columns is not None  # noqa: S101 - there is at least one part file
    added = {field.name for field in label_columns.fields()}
    columns = tuple(name for name in united_names(schemas.values()) if name not in added)
    roles = _role_columns(run, columns, text_column)
    text = None if dropped else text_column
    found = tuple(schemas.values())
    return LabelledArchive(
        out, part_files, label_columns.labels, prefix, text, columns, run=run, identity=identity, schemas=found,
        is_multi=label_columns.is_multi, **roles,
    )  # fmt: skip


def _schemas(part_files: Sequence[PartFile], markers: Sequence[PartMarker]) -> dict[AnyPath, pa.Schema]:
    """Return {part file: schema}, with the first part file of each schema, in the order of the part files.

    A completion marker names the schema of its part file, so that emojob opens few part files. The completion markers
    of earlier versions do not: then each part file is opened.
    """
    names = [marker.columns for marker in markers] or [None]  # a single file has no completion marker
    known = set[str]()
    files = []
    for part_file, name in zip(part_files, names, strict=True):
        if name is None or name not in known:
            files.append(part_file.file)
        known.add(name or "")
    return dict(zip(files, read_schemas(files), strict=True))


def text_column_of(archive: LabelledArchive) -> str:
    """Return the name of the text column. Raises OutputError if the archive was labelled with --drop-text."""
    if archive.text_column is None:
        raise OutputError(
            f"{archive.path} has no texts, because --drop-text was used: give another archive, or label the input "
            f"again without --drop-text"
        )
    return archive.text_column


def _role_columns(run: dict[str, Any], columns: Sequence[str], text_column: str) -> dict[str, str | None]:
    """Return the names of the columns with a role (see `LabelledArchive`)."""
    options = run.get("options", {})
    given = {
        role: _name(run.get(f"{role}_column")) or _name(options.get(f"{role}_column"))
        for role in ("conversation", "time", "speaker")
    }
    roles = find_roles(columns, text_column, **given)
    return {
        "conversation_column": roles.conversation,
        "time_column": roles.times[0] if roles.times else None,
        "clock_column": roles.times[1] if len(roles.times) > 1 else None,
        "speaker_column": roles.speaker,
        "number_column": roles.number,
    }


def _identity(out: AnyPath) -> Identity | None:
    try:
        return read_identity(out)
    except OSError:  # the code that reads the part files reports this error
        return None


def _name(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


_Found = tuple[tuple[PartFile, ...], dict[str, Any], list[PartMarker]]


def _part_files(out: AnyPath) -> _Found:
    """Return (part files, contents of run.json, completion markers). A single file has no completion markers."""
    try:
        if out.is_dir():
            return _in_folder(out)
        if out.exists():
            return (PartFile(out, None, out.stat().st_size, modified_ns(out)),), _run_in(out), []
    except OSError as error:
        raise OutputError(
            f"{out} cannot be read: {error.strerror or error}. Check the path and your read permission"
        ) from error
    raise no_archive(out)


def _in_folder(out: AnyPath) -> _Found:
    if not is_archive(out):
        raise OutputError(f"{out} is not a labelled archive: give the folder or file that `emojob score` wrote")
    output = ArchiveFolder(out)
    output.read_markers()
    if not output.markers:
        raise OutputError(f"{out} contains no labelled rows yet: run `emojob score` with -o {out} first")
    markers = sorted(output.markers, key=lambda marker: marker.part)
    part_files = tuple(PartFile(out / marker.part, marker.input, marker.part_bytes) for marker in markers)
    return part_files, output.run(), markers


def _run_in(file: AnyPath) -> dict[str, Any]:
    """Return the contents of run.json from the Parquet metadata of a single labelled file."""
    try:
        about = json.loads((pq.read_schema(seekable(file)).metadata or {})[b"emojob"])
        run, its_format = about["run"], int(about["format"])
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError, OSError, pa.ArrowException) as error:
        if is_object_error(error):
            raise
        raise OutputError(
            f"{file} is not a labelled archive: give the folder or file that `emojob score` wrote"
        ) from None
    if its_format > OUT_FORMAT:
        raise OutputError(
            f"{file} was written by a newer emojob (it has format {its_format}, but this emojob reads at most "
            f"{OUT_FORMAT}): update emojob"
        )
    return run if isinstance(run, dict) else {}


def _label_columns(schema: pa.Schema, prefix: str) -> LabelColumns | None:
    """Return the label columns; None if there are none.

    The labels are read from the names of the columns between the confidence and the status column. Columns elsewhere
    are ignored, because the name of an input column may also start with prob_.
    """
    names, own = schema.names, LabelColumns((), prefix, is_multi=True)
    start = f"{prefix}prob_"
    if own.confidence not in names or own.status not in names:
        return None
    end = names.index(own.status)
    block = names[names.index(own.confidence) + 1 : end]
    if not block or not all(name.startswith(start) for name in block):
        return None
    return LabelColumns(
        tuple(name.removeprefix(start) for name in block), prefix, names[end + 1 : end + 2] == [own.label_set]
    )


def _with_all(found: dict[str, pa.Array | pa.ChunkedArray], columns: Sequence[str], rows: int) -> pa.RecordBatch:
    """Return a batch with `columns` in this order. If a column is not in `found`, all values are null."""
    values = [found.get(name, pa.nulls(rows)) for name in columns]
    whole = [one.combine_chunks() if isinstance(one, pa.ChunkedArray) else one for one in values]
    return pa.RecordBatch.from_arrays(whole, names=list(columns))
