"""A DuckDB database of a labelled archive, for tools that know DuckDB: the view `labelled` and the aggregates."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import duckdb

from emojob.pipeline.output.labelled_archive import LabelledArchive
from emojob.pipeline.storage.atomic import commit, temporary_path
from emojob.pipeline.storage.object_store import ObjectPath
from emojob.pipeline.warehouse.aggregates import create_aggregates
from emojob.pipeline.warehouse.database import database_errors, settings
from emojob.pipeline.warehouse.views import create_views
from emojob.schemas.errors import OptionError, OutputError, StorageError


def export_database(archive: LabelledArchive, file: Path, copy: bool = False, time_zone: str | None = None) -> None:
    """Write the database `file`: `labelled` (with `copy`, the rows themselves) and the aggregates, each with a comment.

    A view reads the archive's parts where they lie now. Raises OutputError where `file` is something else than such a
    database, StorageError where it cannot be written, and what `open_database` raises.
    """
    if not copy and any(isinstance(part_file.file, ObjectPath) for part_file in archive.part_files):
        raise OptionError(
            f"--export {file}: a view of {archive.place} would need emojob's way to the store; add --copy, which "
            "puts the rows into the database"
        )
    if file.exists() and not _is_database(file):
        raise OutputError(f"--export {file} exists and is no DuckDB database; give another name")
    beside = temporary_path(file)
    beside.unlink(missing_ok=True)
    spill = str(file.parent)
    try:
        with (
            database_errors(archive, spill),
            _written(file),
            duckdb.connect(str(beside), config=settings(spill)) as db,
        ):
            create_views(db, archive, time_zone, copy)
            create_aggregates(db)
        commit(beside, file)
    finally:
        beside.unlink(missing_ok=True)


@contextlib.contextmanager
def _written(file: Path) -> Iterator[None]:
    """Turn what DuckDB makes of a disk that fails into StorageError."""
    try:
        yield
    except (duckdb.TransactionException, duckdb.FatalException) as error:
        raise StorageError(
            f"cannot write {file} ({type(error).__name__}): make room there or give the right to write, then try again"
        ) from error


def _is_database(file: Path) -> bool:
    with file.open("rb") as stream:
        return stream.read(12)[8:] == b"DUCK"
