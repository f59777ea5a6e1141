"""Opens a labelled archive as a DuckDB database in memory. DuckDB reads the part files without copying them."""

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

#: Maximum memory of DuckDB in bytes. If a query needs more, DuckDB writes temporary files.
MEMORY = 3 << 30

_MEMORY_SHARE = 0.6  # maximum share of the machine's or container's memory that DuckDB uses


@contextlib.contextmanager
def open_database(
    archive: LabelledArchive, time_zone: str | None = None, memory: int = MEMORY, numbered: bool = False
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database in memory with the views `labelled` and `utterances`.

    Args:
        archive: The labelled archive.
        time_zone: Time zone of days and hours. If None, the archive's time zone is used, or Asia/Seoul if the
            archive has no time zone.
        memory: Maximum memory that DuckDB uses, in bytes.
        numbered: Whether to create the view `numbered`, too (see `create_views`).

    Raises:
        OptionError: The time zone is unknown.
        DataError: A part file cannot be read. This error may also be raised within the `with` block.
        StorageError: There is not enough memory or disk space.
    """
    with (
        spill_folder(archive.path) as spill,
        database_errors(archive, spill),
        duckdb.connect(config=settings(spill, memory)) as db,
    ):
        create_views(db, archive, time_zone, numbered=numbered)
        yield db


def settings(spill: str, memory: int = MEMORY) -> dict[str, str | bool | int | float | list[str]]:
    """Return DuckDB's settings: CPU cores, memory limit, folder for temporary files, and no extensions.

    Args:
        spill: Folder for temporary files.
        memory: Maximum memory that DuckDB uses, in bytes.
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
    """Return the smaller of `memory` (bytes) and 60 % of the memory of this machine or container."""
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
    """Convert errors of DuckDB to DataError (a part file is damaged) or StorageError (memory or disk is full).

    Args:
        archive: The labelled archive that DuckDB reads.
        spill: Folder for temporary files.
    """
    try:
        with interruptible():
            yield
    except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
        # An IOException without "file" in its message is about the columns of a part file.
        of_a_disk = isinstance(error, duckdb.OutOfMemoryException) or "file" in str(error)
        if not of_a_disk or any(str(part_file.file) in str(error) for part_file in archive.part_files):
            raise _unreadable(archive, error) from error
        raise StorageError(
            f"cannot process {archive.path} ({type(error).__name__}): free some memory, or free some disk space in "
            f"{Path(spill).parent}, because DuckDB writes temporary files there"
        ) from error
    except duckdb.InterruptException:
        raise
    except (duckdb.Error, UnicodeDecodeError) as error:  # emojob's own query failed, or a part file has invalid UTF-8
        raise _unreadable(archive, error) from error


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Raise Interrupted instead of the RuntimeError that DuckDB raises when a signal interrupts a query."""
    try:
        yield
    except RuntimeError as error:
        if str(error) != "Query interrupted":
            raise
        raise Interrupted("interrupted: run the same command to start again") from None


def _unreadable(archive: LabelledArchive, error: Exception) -> DataError:
    """Return the error for a damaged or missing part file.

    DuckDB's message is left out, because it may quote a value of the archive.
    """
    files = [part_file.file for part_file in archive.part_files]
    named = [file for file in files if str(file) in str(error)] or (files if len(files) == 1 else [])
    if named:
        return DataError(damaged(named[0], error))
    return DataError(
        f"a part file of {archive.path} cannot be read ({type(error).__name__}): run the `emojob score` command of "
        "this archive again to replace missing part files; if a part file is damaged, add --fresh to this command"
    )
