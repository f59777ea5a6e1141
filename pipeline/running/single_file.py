"""Writes the output as one Parquet file (-o X.parquet), and checks whether an existing file is complete.

A run first writes part files to a hidden folder next to X.parquet, so that an interrupted run can continue. At the end,
the run joins the part files into X.parquet.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from emojob.pipeline.output.archive_folder import ArchiveFolder, is_archive_file, open_output
from emojob.pipeline.output.compatibility import ensure_same_placeholders, ensure_same_privacy
from emojob.pipeline.output.derived.marks import KEY
from emojob.pipeline.output.dictionaries import compacted, schema_without_values
from emojob.pipeline.output.identity import Identity, at_place, names_of_hidden, new_identity, read_identity
from emojob.pipeline.output.layout import DONE_FILE, LOCK_FILE, REJECTS_FILE, STATE_FOLDERS, rejects_beside
from emojob.pipeline.output.parts import ROW_GROUP, open_parquet, open_writer, row_groups
from emojob.pipeline.output.rejects import copy_rejects
from emojob.pipeline.privacy.policy import Privacy
from emojob.pipeline.reading.dataset import Dataset
from emojob.pipeline.reading.inputs import input_path
from emojob.pipeline.reading.schema import as_type, own_names
from emojob.pipeline.storage import atomic
from emojob.pipeline.storage.object_store import ObjectPath
from emojob.pipeline.storage.paths import AnyPath, list_files, remove_all, seekable
from emojob.pipeline.storage.permissions import limit_permissions
from emojob.schemas.columns import REJECTS
from emojob.schemas.errors import OutputError, WorkerError
from emojob.schemas.manifest import OUT_FORMAT, Counts, PartMarker
from emojob.schemas.messages import listed


@dataclass(frozen=True)
class Earlier:
    """The settings and counts of an existing labelled file, from the metadata of the file.

    Attributes:
        run: Contents of run.json.
        counts: Counts of the rows of all inputs.
        fingerprint: Fingerprint of the model.
        text_column: Name of the text column.
        conversation_column: Name of the column that identifies conversations; None without --context.
        prefix: Prefix of the label columns.
        privacy: Privacy options, as returned by `Privacy.as_json()`.
        files: (name, size in bytes, SHA-256, encoding, dialect) of each input.
        limit: Value of --limit; None if --limit was not given.
        file: The labelled file.
    """

    run: dict[str, Any]
    counts: Counts
    fingerprint: str
    text_column: str
    conversation_column: str | None
    prefix: str
    privacy: object
    files: list[tuple[str, int, str, str | None, str | None]]
    limit: int | None
    file: AnyPath

    def recognize(self, inputs: Iterable[str]) -> Earlier:
        """Return a copy that shows the names of known inputs, also if `emojob forget` has hidden the names."""
        names = names_of_hidden(self.file, (name for name, *_ in self.files), inputs)
        return replace(self, files=[(names.get(one[0], one[0]), *one[1:]) for one in self.files])


def read_earlier(file: AnyPath, inputs: Sequence[str]) -> Earlier | None:
    """Return the settings and counts of an existing labelled file; None if the file does not exist.

    Raises:
        OutputError: The file is an input, is not from emojob, or is from a newer version of emojob.
    """
    rejects = rejects_beside(file)
    if file in {input_path(one).resolve() for one in inputs}:
        raise OutputError(f"-o {file} is also an input: choose another name for -o")
    if rejects.exists() and not _has_columns(rejects, REJECTS.names):
        raise OutputError(
            f"{rejects} was not written by emojob, but this run would write rejected rows to this file: choose "
            f"another name for -o"
        )
    if not file.exists():
        return None
    try:
        return _earlier(file)
    except (KeyError, TypeError, ValueError, RecursionError, AttributeError, OSError, pa.ArrowException) as error:
        if isinstance(file, ObjectPath) and isinstance(error, OSError) and error.filename:
            raise
        raise OutputError(f"-o {file} exists and was not written by emojob: choose another name for -o") from None


def ensure_compatible(
    file: AnyPath, earlier: Earlier, fingerprint: str, dataset: Dataset, prefix: str, privacy: Privacy
) -> None:
    """Raise OutputError if the file was written with another model, other inputs or other options."""
    now = {
        "model": fingerprint,
        "text column": dataset.text_column,
        "conversation column": dataset.conversation_column,
        "prefix": prefix,
        "inputs": [source.file.name for source in dataset.sources],
    }
    then = {
        "model": earlier.fingerprint,
        "text column": earlier.text_column,
        "conversation column": earlier.conversation_column,
        "prefix": earlier.prefix,
        "inputs": [name for name, *_ in earlier.files],
    }
    for what, value in now.items():
        if value != then[what]:
            raise OutputError(
                f"-o {file} was written with {what} {_shown(then[what])}, but this run has {what} {_shown(value)}: "
                f"choose another name for -o, or replace the file with --fresh"
            )
    ensure_same_placeholders(f"-o {file}", dataset.placeholders, earlier.run)
    ensure_same_privacy(f"-o {file}", privacy.as_json(), earlier.privacy)


def holds_all(earlier: Earlier, dataset: Dataset, limit: int | None) -> bool:
    """Return whether the labelled file was written from the same inputs with the same limit, and so has all rows."""
    files = [(s.file.name, s.size, s.sha256, s.encoding, s.reading_key) for s in dataset.sources]
    return files == earlier.files and limit == earlier.limit


def holds_parts(work: AnyPath) -> bool:
    """Return whether the folder of part files holds the work of an interrupted run."""
    files = list_files(work, STATE_FOLDERS)
    return DONE_FILE not in files and any(name != LOCK_FILE for name in files)


def finish_removal(work: AnyPath, note: Callable[[str], None] = lambda text: None) -> None:
    """Finish the removal of a folder of part files, if a run was killed during the removal."""
    if work.exists() and not holds_parts(work):
        with open_output(work, note, is_work_folder=True) as output:
            if (work / DONE_FILE).exists():
                _remove(output)
    if isinstance(work, Path):
        _remove_earlier(work.with_name(f"{work.name}.done"))


def join_parts(output: ArchiveFolder, file: AnyPath, run: dict[str, Any], counts: Counts, schema: pa.Schema) -> None:
    """Join the part files into one file, and remove the folder of the part files.

    Args:
        output: Folder of the part files. The caller must hold the lock of the folder.
        file: File to write.
        run: Contents of run.json, for the metadata of the file.
        counts: Counts of the rows of all inputs.
        schema: Schema of the file.

    Raises:
        WorkerError: The part files do not contain exactly the counted rows.
    """
    work, rejects = output.folder, rejects_beside(file)
    output.ensure_lock_held()
    _join(output, file, run, counts, schema)
    if counts.rejected:
        identity = read_identity(file)
        copy_rejects(work / REJECTS_FILE, rejects, {KEY: str(identity.mark)} if identity else None)
    else:
        remove_all([rejects])
    output.ensure_lock_held()
    _remove(output)


def _earlier(file: AnyPath) -> Earlier:
    about = json.loads((pq.read_schema(seekable(file)).metadata or {})[b"emojob"])
    run = about["run"]
    if about["format"] > OUT_FORMAT:
        raise OutputError(
            f"-o {file} was written by a newer version of emojob (file format {about['format']}, but this "
            f"version reads only formats up to {OUT_FORMAT}): install the newer version, or choose another name for -o"
        )
    return Earlier(
        run=run,
        counts=Counts.from_json(run["all_counts"]),
        fingerprint=run["model"]["fingerprint"],
        text_column=run["text_column"],
        conversation_column=run.get("conversation_column"),  # earlier versions did not write this key
        prefix=run["prefix"],
        privacy=run.get("privacy"),
        files=[
            (one["name"], one["bytes"], one["sha256"], one["encoding"], one.get("dialect")) for one in run["inputs"]
        ],
        limit=run["options"].get("limit"),
        file=file,
    )


def _remove(output: ArchiveFolder) -> None:
    """Remove the part files and the state files of a folder. Files that emojob did not write stay.

    First, the folder gets the file DONE_FILE. So a later run does not use a folder that is only partly removed.
    `open_output` removes the empty folder.
    """
    mark = output.folder / DONE_FILE
    atomic.write_bytes(mark, b"")
    output.remove_all_files()
    remove_all([mark])


def _remove_earlier(done: Path) -> None:
    """Remove a folder that an earlier version of emojob renamed for the removal, if the folder has no other files."""
    if done.is_symlink() or not done.is_dir():
        return
    folders = [done, *(done / name for name in STATE_FOLDERS)]
    found = list_files(done, STATE_FOLDERS)
    if sum(len(list(folder.iterdir())) for folder in folders if folder.is_dir()) > len(found) + 2:
        return
    if all(map(is_archive_file, found)):
        remove_all([done / name for name in found])
        for folder in reversed(folders):
            with contextlib.suppress(OSError):  # the folder is missing, or not empty
                folder.rmdir()


def _has_columns(file: AnyPath, names: list[str]) -> bool:
    with contextlib.suppress(pa.ArrowException):
        return list(pq.read_schema(seekable(file)).names) == names
    return False


def _shown(value: object) -> str:
    return listed(value) if isinstance(value, list) else repr(value)


def _join(output: ArchiveFolder, file: AnyPath, run: dict[str, Any], counts: Counts, schema: pa.Schema) -> None:
    """Write all part files into one file, in the order of the inputs.

    Raises WorkerError if the part files do not contain exactly the counted rows. Then an existing file stays unchanged.
    """
    order = {one["name"]: i for i, one in enumerate(run["inputs"])}
    markers = sorted((m for m in output.markers if m.input in order), key=lambda m: (order[m.input], m.first_row))
    run = {**run, "all_counts": counts.as_json(), "inputs": _with_rows(output, markers, run["inputs"])}
    identity = _identity(file, output.folder).as_json()
    about = json.dumps(
        {"format": OUT_FORMAT, "fingerprint": run["model"]["fingerprint"], "run": run, "archive": identity},
        ensure_ascii=False,
    )
    schema = schema_without_values(schema, keep_own=True)
    schema = schema.with_metadata({**(schema.metadata or {}), b"emojob": about.encode()})
    with (
        limit_permissions(output.folder / marker.part for marker in markers),
        atomic.draft(file) as draft,
        open_writer(draft.sink, schema) as writer,
    ):
        rows = 0
        for marker in markers:
            for table in row_groups(output.folder / marker.part):
                aligned = compacted(_aligned(table, schema))
                writer.write_table(aligned, row_group_size=ROW_GROUP)
                rows += len(aligned)
        if rows != counts.written:
            raise WorkerError(
                f"{file} is not written, because the part files contain {rows:,} rows instead of {counts.written:,}: "
                "run the same command again"
            )


def _identity(file: AnyPath, work: AnyPath) -> Identity:
    """Return the identity of the new file. If an existing file is replaced, its identity is kept."""
    earlier = read_identity(file)
    if earlier is None:
        return at_place(read_identity(work) or new_identity(file), file)
    return at_place(replace(earlier, replacements=earlier.replacements + file.exists()), file)


def _with_rows(
    output: ArchiveFolder, markers: Sequence[PartMarker], inputs: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return the inputs of run.json with the number of rows of each input in the joined file (`rows`)."""
    rows = dict.fromkeys((one["name"] for one in inputs), 0)
    for marker in markers:
        with open_parquet(output.folder / marker.part) as parquet:
            rows[marker.input] += parquet.metadata.num_rows
    return [{**one, "rows": rows[one["name"]]} for one in inputs]


def _aligned(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Add the columns that a part file lacks, filled with null.

    A part file lacks a column if only inputs of later runs have the column. Raises ColumnError if the values of a
    column do not fit into the type of `schema`.
    """
    own = own_names(table.schema, schema.names)
    return pa.table([as_type(table, own.get(field.name), field) for field in schema], schema=schema)
