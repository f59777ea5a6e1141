"""One labelled Parquet file: made from a folder of parts, and recognised when it is complete already.

A run works in a hidden folder beside the file, so that an interrupted run goes on from there.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from emojob.pipeline.output.archive_folder import ArchiveFolder, open_output
from emojob.pipeline.output.compatibility import ensure_same_privacy
from emojob.pipeline.output.layout import DONE_FILE, LOCK_FILE, REJECTS_FILE, rejects_beside
from emojob.pipeline.output.parts import ROW_GROUP, row_groups
from emojob.pipeline.privacy.policy import Privacy
from emojob.pipeline.reading.dataset import Dataset
from emojob.pipeline.reading.inputs import input_path
from emojob.pipeline.storage import atomic
from emojob.pipeline.storage.object_store import ObjectPath
from emojob.pipeline.storage.paths import AnyPath, remove_all, seekable
from emojob.schemas.columns import REJECTS
from emojob.schemas.errors import OutputError
from emojob.schemas.manifest import OUT_FORMAT, Counts
from emojob.schemas.messages import listed


@dataclass(frozen=True)
class Earlier:
    """What an existing labelled file says about how it was made.

    Attributes:
        run: The run.json of the run that wrote it.
        counts: The counts of all its rows.
        files: (name, bytes, sha256, encoding) of each input.
    """

    run: dict[str, Any]
    counts: Counts
    fingerprint: str
    text_column: str
    conversation_column: str | None
    prefix: str
    privacy: object
    files: list[tuple[str, int, str, str | None]]
    limit: int | None


def read_earlier(file: AnyPath, inputs: Sequence[str]) -> Earlier | None:
    """Return what an existing file says about its making; None if there is no file.

    Raises:
        OutputError: The file is an input, or was not written by emojob.
    """
    rejects = rejects_beside(file)
    if file in {input_path(one).resolve() for one in inputs}:
        raise OutputError(f"-o {file} is an input itself: give another name")
    if rejects.exists() and not _has_columns(rejects, REJECTS.names):
        raise OutputError(f"{rejects}, where unreadable rows would go, was not written by emojob: give -o another name")
    if not file.exists():
        return None
    try:
        return _earlier(file)
    except (KeyError, TypeError, ValueError, RecursionError, AttributeError, OSError, pa.ArrowException) as error:
        if isinstance(file, ObjectPath) and isinstance(error, OSError) and error.filename:
            raise
        raise OutputError(f"-o {file} is there already and was not written by emojob: give another name") from None


def ensure_compatible(
    file: AnyPath, earlier: Earlier, fingerprint: str, dataset: Dataset, prefix: str, privacy: Privacy
) -> None:
    """Raise OutputError if the file was made with another model, other columns, inputs or privacy options."""
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
                f"-o {file} was made with another {what} ({_shown(then[what])}) than this one ({_shown(value)}): "
                f"give another name, or --fresh to make it anew"
            )
    ensure_same_privacy(f"-o {file}", privacy.as_json(), earlier.privacy)


def holds_all(earlier: Earlier, dataset: Dataset, limit: int | None) -> bool:
    """Return whether the file was made from exactly these files, up to the same limit."""
    files = [(s.file.name, s.size, s.sha256, s.encoding) for s in dataset.sources]
    return files == earlier.files and limit == earlier.limit


def finish_removal(work: AnyPath) -> None:
    """Remove what a run left that was killed while it removed the folder of parts."""
    if isinstance(work, Path):
        shutil.rmtree(_being_removed(work), ignore_errors=True)
    elif (work / DONE_FILE).exists():
        with open_output(work):
            _remove(work)


def join_parts(output: ArchiveFolder, file: AnyPath, run: dict[str, Any], counts: Counts, schema: pa.Schema) -> None:
    """Make the file from the parts of this run, and remove the folder of the parts.

    Args:
        output: The locked folder of the parts.
        file: The file to write.
        run: The run's run.json, which the file carries.
        counts: The counts of all inputs.
        schema: The schema of the file.
    """
    work, rejects = output.folder, rejects_beside(file)
    output.ensure_lock_held()
    _join(output, file, run, counts, schema)
    if counts.rejected:
        atomic.write_bytes(rejects, (work / REJECTS_FILE).read_bytes())
    else:
        rejects.unlink(missing_ok=True)
    output.ensure_lock_held()
    _remove(work)


def _earlier(file: AnyPath) -> Earlier:
    about = json.loads((pq.read_schema(seekable(file)).metadata or {})[b"emojob"])
    run = about["run"]
    if about["format"] > OUT_FORMAT:
        raise OutputError(f"-o {file} was written by a newer emojob (format {about['format']}): use that version")
    return Earlier(
        run=run,
        counts=Counts.from_json(run["all_counts"]),
        fingerprint=run["model"]["fingerprint"],
        text_column=run["text_column"],
        conversation_column=run.get("conversation_column"),  # missing in what earlier versions wrote
        prefix=run["prefix"],
        privacy=run.get("privacy"),
        files=[(one["name"], one["bytes"], one["sha256"], one["encoding"]) for one in run["inputs"]],
        limit=run["options"].get("limit"),
    )


def _remove(work: AnyPath) -> None:
    """Remove the folder of parts. If this is interrupted, no run takes what is left for an unfinished run."""
    if isinstance(work, ObjectPath):
        mark = work / DONE_FILE
        mark.write_bytes(b"")
        remove_all([path for path in work.list_objects() if path not in (mark, work / LOCK_FILE)])
        mark.unlink()
        return
    done = _being_removed(work)
    shutil.rmtree(done, ignore_errors=True)
    work.rename(done)
    shutil.rmtree(done)


def _being_removed(work: Path) -> Path:
    """The name of the folder of parts while it is removed."""
    return work.with_name(f"{work.name}.done")


def _has_columns(file: AnyPath, names: list[str]) -> bool:
    with contextlib.suppress(pa.ArrowException):
        return list(pq.read_schema(seekable(file)).names) == names
    return False


def _shown(value: object) -> str:
    return listed(value) if isinstance(value, list) else repr(value)


def _join(output: ArchiveFolder, file: AnyPath, run: dict[str, Any], counts: Counts, schema: pa.Schema) -> None:
    """Write the parts of this run's inputs to one file, in the inputs' order."""
    order = {one["name"]: i for i, one in enumerate(run["inputs"])}
    markers = sorted((m for m in output.markers if m.input in order), key=lambda m: (order[m.input], m.first_row))
    run = {**run, "all_counts": counts.as_json()}
    about = json.dumps(
        {"format": OUT_FORMAT, "fingerprint": run["model"]["fingerprint"], "run": run}, ensure_ascii=False
    )
    schema = schema.with_metadata({**(schema.metadata or {}), b"emojob": about.encode()})
    with (
        atomic.draft(file) as draft,
        pq.ParquetWriter(draft.sink, schema, compression="zstd", version="2.6") as writer,
    ):
        for marker in markers:
            for table in row_groups(output.folder / marker.part):
                writer.write_table(_aligned(table, schema), row_group_size=ROW_GROUP)


def _aligned(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Add the columns that a part lacks because an input with more columns was added after it was written."""
    columns = [
        table.column(field.name).cast(field.type)
        if field.name in table.schema.names
        else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)
