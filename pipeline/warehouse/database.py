"""Open a labelled archive as a DuckDB database in memory. The part files are read in place."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

from emojob.pipeline.output.labelled_archive import LabelledArchive
from emojob.pipeline.output.parts import damaged
from emojob.pipeline.system.hardware import cores
from emojob.pipeline.system.hardware import memory as machine_memory
from emojob.pipeline.warehouse.spill import spill_folder
from emojob.pipeline.warehouse.sql_text import read_sql
from emojob.pipeline.warehouse.views import create_views
from emojob.schemas.errors import DataError, Interrupted, StorageError

#: Bytes of memory that DuckDB uses before it spills to disk.
MEMORY = 3 << 30

_MEMORY_SHARE = 0.6  # of the machine's or the container's memory, at most


@contextlib.contextmanager
def open_database(
    archive: LabelledArchive, time_zone: str | None = None, memory: int = MEMORY, numbered: bool = False
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database in memory with the views `labelled` and `utterances`.

    Args:
        archive: The labelled archive.
        time_zone: Time zone of days and hours; None for the archive's own, or Korea's.
        memory: Bytes that DuckDB may use.
        numbered: Create the view `numbered` too (see `create_views`).

    Raises:
        OptionError: The time zone is unknown.
        DataError: A part cannot be read, at opening or within the block.
        StorageError: Memory or disk space does not suffice.
    """
    with (
        spill_folder(archive.path) as spill,
        database_errors(archive, spill),
        duckdb.connect(config=settings(spill, memory)) as db,
    ):
        create_views(db, archive, time_zone, numbered=numbered)
        yield db


def settings(spill: str, memory: int = MEMORY) -> dict[str, str | bool | int | float | list[str]]:
    """Return DuckDB's settings: within the limits of this machine or container, and without network access.

    Args:
        spill: Folder for temporary files.
        memory: Bytes that DuckDB may use.
    """
    return {
        "threads": cores(),
        "memory_limit": f"{memory_limit(memory) >> 20}MiB",
        "temp_directory": spill,
        "preserve_insertion_order": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "python_enable_replacements": False,
    }


def memory_limit(memory: int) -> int:
    """Return `memory` (bytes), or less if this machine or its control group has little."""
    return min(memory, int(_MEMORY_SHARE * (machine_memory() or 2 * memory)))


def run(db: duckdb.DuckDBPyConnection, name: str, values: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Run the query pipeline/warehouse/sql/NAME.sql.

    Args:
        db: The database.
        name: Name of the file without its suffix.
        values: Values of the query's parameters, by name.

    Returns:
        The rows as {column: value}.
    """
    return fetch_dicts(db.execute(read_sql(name), values or {}))


def fetch_dicts(result: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Return all rows of an executed query as {column: value}."""
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


# -- errors ------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def database_errors(archive: LabelledArchive, spill: str) -> Iterator[None]:
    """Turn DuckDB's errors into DataError for a damaged part, or StorageError for lack of memory or disk space.

    Args:
        archive: The labelled archive that is read.
        spill: Folder for temporary files.
    """
    try:
        with interruptible():
            yield
    except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
        of_a_disk = isinstance(error, duckdb.OutOfMemoryException) or "file" in str(error)  # else of a part's columns
        if not of_a_disk or any(str(part_file.file) in str(error) for part_file in archive.part_files):
            raise _unreadable(archive, error) from error
        raise StorageError(
            f"cannot work on {archive.path} ({type(error).__name__}): make room in memory or in the folder for "
            f"temporary files, {Path(spill).parent}"
        ) from error
    except duckdb.InterruptException:
        raise
    except (duckdb.Error, UnicodeDecodeError) as error:  # a query of emojob failed, or a part holds invalid UTF-8
        raise _unreadable(archive, error) from error


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Turn the RuntimeError that DuckDB raises on a signal into Interrupted."""
    try:
        yield
    except RuntimeError as error:
        if str(error) != "Query interrupted":
            raise
        raise Interrupted("interrupted: the same command begins again") from None


def _unreadable(archive: LabelledArchive, error: Exception) -> DataError:
    """The error for a part that is damaged or missing. DuckDB's message is left out: it may quote a value."""
    files = [part_file.file for part_file in archive.part_files]
    named = [file for file in files if str(file) in str(error)] or (files if len(files) == 1 else [])
    if named:
        return DataError(damaged(named[0], error))
    return DataError(
        f"a part of {archive.path} cannot be read ({type(error).__name__}): the same `emojob score` command writes "
        "missing parts again; add --fresh if a part is damaged"
    )
