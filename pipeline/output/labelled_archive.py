"""A labelled archive to be read: which of its files are complete, and what their columns mean."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from emojob.pipeline.output.archive_folder import ArchiveFolder
from emojob.pipeline.output.compatibility import is_archive
from emojob.pipeline.output.layout import RUN_FILE
from emojob.pipeline.output.parts import open_parquet
from emojob.pipeline.storage.object_store import ObjectPath
from emojob.pipeline.storage.paths import AnyPath, seekable
from emojob.schemas.columns import USUAL_CONVERSATION_COLUMNS, USUAL_SPEAKER_COLUMNS, USUAL_TIME_COLUMNS, of_usual_name
from emojob.schemas.errors import OutputError
from emojob.schemas.manifest import OUT_FORMAT

_BATCH_ROWS = 65_536
_TABLES = {"model", "engine", "options", "privacy", "counts", "all_counts", "versions"}  # of run.json
_USUAL = {
    "conversation": USUAL_CONVERSATION_COLUMNS,
    "time": USUAL_TIME_COLUMNS,
    "speaker": USUAL_SPEAKER_COLUMNS,
}


@dataclass(frozen=True)
class PartFile:
    """One complete file of the archive."""

    file: AnyPath
    input: str | None  # that its rows came from; None where it may hold those of several


@dataclass(frozen=True)
class LabelledArchive:
    """The rows of a labelled archive, numbered from 0 through all its pieces, and the names of its columns."""

    place: AnyPath
    part_files: tuple[PartFile, ...]
    labels: tuple[str, ...]  # in id order
    prefix: str
    text_column: str | None  # None: it was left out (--drop-text)
    columns: tuple[str, ...]  # of the input, in its order; a piece may lack some of them
    conversation_column: str | None = None  # these as the run was told, or of a usual name; None where there is none
    time_column: str | None = None
    speaker_column: str | None = None
    run: dict[str, Any] = field(default_factory=dict)  # run.json, as far as it is there

    @property
    def status_column(self) -> str:
        """The column that says what became of a row."""
        return f"{self.prefix}emotion_status"

    @property
    def probability_columns(self) -> list[str]:
        """One column for each label."""
        return [f"{self.prefix}prob_{label}" for label in self.labels]

    def batches(self, columns: Sequence[str]) -> Iterator[tuple[int, PartFile, pa.RecordBatch]]:
        """All rows in order, a batch at a time: (number of its first row, its piece, these columns).

        A column that a piece lacks is all null. Raises DataError where a file cannot be read.
        """
        first = 0
        for part_file in self.part_files:
            with open_parquet(part_file.file) as parquet:
                for batch in parquet.iter_batches(_BATCH_ROWS, columns=_present(parquet, columns)):
                    found = dict(zip(batch.schema.names, batch.columns, strict=True))
                    yield first, part_file, _with_all(found, columns, batch.num_rows)
                    first += batch.num_rows

    def rows(
        self, numbers: NDArray[np.int64], columns: Sequence[str]
    ) -> Iterator[tuple[NDArray[np.int64], pa.RecordBatch]]:
        """The rows of these numbers, in the archive's order: (numbers, these columns) for each row group that has any.

        Raises DataError where a file cannot be read.
        """
        wanted, first = np.unique(numbers), 0
        for part_file in self.part_files:
            with open_parquet(part_file.file) as parquet:
                for group in range(parquet.num_row_groups):
                    stop = first + parquet.read_row_group(group, []).num_rows
                    here = wanted[np.searchsorted(wanted, first) : np.searchsorted(wanted, stop)]
                    if len(here):
                        table = parquet.read_row_group(group, _present(parquet, columns))
                        taken = {name: table.column(name).take(pa.array(here - first)) for name in table.column_names}
                        yield here, _with_all(taken, columns, len(here))
                    first = stop


def open_labelled(out: AnyPath) -> LabelledArchive:
    """The labelled archive in the folder `out`, or in that one file: what is complete of it.

    Raises OutputError where it is no labelled archive, or nothing of it is complete.
    """
    try:
        if out.is_dir():
            part_files, run = _folder(out)
        elif out.exists():
            part_files, run = (PartFile(out, None),), _run_in(out)
        else:
            raise OutputError(f"{out} does not exist: give the folder or file that `emojob score` wrote")
    except OSError as error:
        raise OutputError(f"{out} cannot be read: {error.strerror or error}") from error
    run = {name: value for name, value in run.items() if name not in _TABLES or isinstance(value, dict)}
    options = run.get("options", {})
    text_column, prefix = run.get("text_column"), run.get("prefix", "")
    if not isinstance(text_column, str) or not isinstance(prefix, str):
        raise OutputError(
            f"{out}: {RUN_FILE}, which tells the columns, is missing or damaged: "
            f"run the same `emojob score` command again, it only writes that file"
        )
    with open_parquet(part_files[0].file) as parquet:
        names = parquet.schema_arrow.names
    labels = _labels(names, prefix)
    dropped = run.get("privacy", {}).get("drop_text") is True and text_column not in names
    if not labels or (text_column not in names and not dropped):
        raise OutputError(
            f"{part_files[0].file} lacks the column {text_column} or those of the labels ({prefix}prob_...): "
            f"label the archive anew with `emojob score --fresh`"
        )
    block = {f"{prefix}{name}" for name in ("emotion", "confidence", "emotion_status", *(f"prob_{x}" for x in labels))}
    columns = tuple(name for name in names if name not in block)
    told = {role: _name(run.get(f"{role}_column")) or _name(options.get(f"{role}_column")) for role in _USUAL}
    found = {f"{role}_column": told[role] or _usual(columns, role, text_column) for role in _USUAL}
    return LabelledArchive(out, part_files, labels, prefix, None if dropped else text_column, columns, run=run, **found)


def text_column_of(archive: LabelledArchive) -> str:
    """The column with the text. Raises OutputError where it was left out."""
    if archive.text_column is None:
        raise OutputError(f"{archive.place} was labelled with --drop-text and has no text to choose from")
    return archive.text_column


def _name(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _usual(columns: Sequence[str], role: str, text_column: str) -> str | None:
    return next(iter(of_usual_name([name for name in columns if name != text_column], _USUAL[role])), None)


def _folder(out: AnyPath) -> tuple[tuple[PartFile, ...], dict[str, Any]]:
    if not is_archive(out):
        raise OutputError(f"{out} is no labelled archive: give the folder or file that `emojob score` wrote")
    output = ArchiveFolder(out)
    output.read_markers()
    if not output.markers:
        raise OutputError(f"{out} holds no complete part yet: run `emojob score` first")
    markers = sorted(output.markers, key=lambda marker: marker.part)
    return tuple(PartFile(out / marker.part, marker.input) for marker in markers), output.run()


def _run_in(file: AnyPath) -> dict[str, Any]:
    """The run.json that a labelled file carries."""
    try:
        about = json.loads((pq.read_schema(seekable(file)).metadata or {})[b"emojob"])
        run, its_format = about["run"], int(about["format"])
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError, OSError, pa.ArrowException) as error:
        if isinstance(file, ObjectPath) and isinstance(error, OSError) and error.filename:
            raise
        raise OutputError(f"{file} is no labelled archive: give the folder or file that `emojob score` wrote") from None
    if its_format > OUT_FORMAT:
        raise OutputError(f"{file} was written by a newer emojob (format {its_format}): use that version")
    return run if isinstance(run, dict) else {}


def _labels(names: list[str], prefix: str) -> tuple[str, ...]:
    """The labels by the block of columns behind an input's own, which may have columns named like them."""
    confidence, status, beginning = f"{prefix}confidence", f"{prefix}emotion_status", f"{prefix}prob_"
    if confidence not in names or status not in names:
        return ()
    block = names[names.index(confidence) + 1 : names.index(status)]
    return tuple(name.removeprefix(beginning) for name in block) if all(n.startswith(beginning) for n in block) else ()


def _present(parquet: pq.ParquetFile, columns: Sequence[str]) -> list[str]:
    names = set(parquet.schema_arrow.names)
    return [name for name in columns if name in names]


def _with_all(found: dict[str, pa.Array | pa.ChunkedArray], columns: Sequence[str], rows: int) -> pa.RecordBatch:
    """A batch of these columns, in this order; all null where one was not found."""
    values = [found.get(name, pa.nulls(rows)) for name in columns]
    whole = [one.combine_chunks() if isinstance(one, pa.ChunkedArray) else one for one in values]
    return pa.RecordBatch.from_arrays(whole, names=list(columns))
