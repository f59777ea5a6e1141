"""Opens a labelled archive as a DuckDB database in memory. The database contains views, but no copies of rows."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb

from emojob.pipeline.output.labelled_archive import LabelledArchive, changed
from emojob.pipeline.output.parts import damaged
from emojob.pipeline.storage.paths import AnyPath
from emojob.pipeline.system.hardware import cores
from emojob.pipeline.system.hardware import memory as machine_memory
from emojob.pipeline.times.time_reading import TimeReading
from emojob.pipeline.warehouse.part_files import PartFiles
from emojob.pipeline.warehouse.rejected_rows import rejects_of
from emojob.pipeline.warehouse.spill import spill_folder
from emojob.pipeline.warehouse.sql_text import read_sql
from emojob.pipeline.warehouse.views import Days, create_views
from emojob.schemas.errors import ColumnError, DataError, EmojobError, Interrupted, StorageError
from emojob.schemas.options import ConversationOptions

#: Maximum memory of DuckDB, in bytes. If a query needs more memory, DuckDB writes temporary files.
MEMORY = 3 << 30

_AGAIN = "interrupted: run the same command to start again"
_INTERRUPTED = re.compile(r"^(KeyboardInterrupt|\S*\bInterrupted)\b", re.MULTILINE)  # the end of a Python traceback

_CONFLICT = re.compile(r'failed to cast column "(.*?)" from type (.*?) to (.*?): : Unimplemented type for cast')

_MEMORY_SHARE = 0.6  # maximum share of the machine's memory that DuckDB uses


@contextlib.contextmanager
def open_database(
    archive: LabelledArchive,
    time_zone: str | None = None,
    memory: int = MEMORY,
    numbered: bool = False,
    conversations: ConversationOptions | None = None,
    days: Days = (None, None),
    date_order: str | None = None,
    on_times: Callable[[TimeReading], None] = lambda reading: None,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database in memory with the views `labelled` and `utterances`.

    Args:
        archive: The labelled archive.
        time_zone: Time zone for days and hours. If None, `archive_time_zone` is used.
        memory: Maximum memory that DuckDB uses, in bytes.
        numbered: Whether to also create the view `numbered`.
        conversations: Options of the figures about conversations. If None, the defaults are used.
        days: First and last day of the rows. None: no limit. With a limit, rows without a time are left out.
        date_order: Order of dates such as 03/04/26: ymd, mdy or dmy. None: the values of the column tell the order.
        on_times: callback(reading): how the time column is read.

    Raises:
        OptionError: The time zone, the order or a label that counts as negative is unknown, or the archive has no times
            for `days`.
        DataError: A part file cannot be read. Queries in the `with` block may also raise this error.
        ChangedError: Another command has removed or replaced a part file. Queries may also raise this error.
        StorageError: There is not enough memory or disk space.
    """
    with (
        contextlib.closing(PartFiles([*archive.part_files, *rejects_of(archive)])) as files,
        spill_folder(archive.path) as spill,
        database_errors(archive, spill, files),
        duckdb.connect(config=settings(spill, memory)) as db,
    ):
        files.register(db)
        parts = len(archive.part_files)
        on_times(
            create_views(db, archive, files.names[:parts], time_zone, False, numbered, conversations, days, date_order)
        )
        yield db


def settings(spill: str, memory: int = MEMORY) -> dict[str, str | bool | int | float | list[str]]:
    """Return the settings of DuckDB. The settings prevent automatic installation and loading of extensions.

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
    """Return `memory` (bytes), limited to 60 % of the machine's or container's memory."""
    return min(memory, int(_MEMORY_SHARE * (machine_memory() or 2 * memory)))


def run(db: duckdb.DuckDBPyConnection, name: str, values: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Run the query in pipeline/warehouse/sql/NAME.sql.

    Args:
        db: The database.
        name: NAME, the file name without .sql.
        values: Parameters of the query, as {name: value}.

    Returns:
        Each row as a dictionary {column: value}.
    """
    return fetch_dicts(db.execute(read_sql(name), values or {}))


def fetch_dicts(result: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Return each row of an executed query as a dictionary {column: value}."""
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


# -- errors ------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def database_errors(archive: LabelledArchive, spill: str, files: PartFiles) -> Iterator[None]:
    """Convert DuckDB errors to DataError (damaged part file) or StorageError (memory or disk is full).

    Args:
        archive: The labelled archive that DuckDB reads.
        spill: Folder for temporary files.
        files: The part files of the archive.
    """
    try:
        with interruptible():
            yield
    except duckdb.InterruptException:
        raise
    except (duckdb.Error, UnicodeDecodeError) as error:
        if files.failed:
            raise _failed(archive, *files.failed) from error
        if conflict := type_conflict(error):
            raise conflict from None
        if _INTERRUPTED.search(str(error)):
            raise Interrupted(_AGAIN) from None
        # An IOException about a disk contains the word "file". Other IOExceptions are about the columns of a part file.
        of_a_disk = isinstance(error, duckdb.OutOfMemoryException) or (
            isinstance(error, duckdb.IOException) and "file" in str(error)
        )
        if not of_a_disk or files.named_in(str(error)):
            # The SQL of emojob is valid, so a part file is damaged, for example by invalid UTF-8.
            raise _unreadable(archive, files, error) from error
        raise StorageError(
            f"cannot process {archive.path} ({type(error).__name__}): free some memory, or free disk space in "
            f"{Path(spill).parent} for DuckDB's temporary files"
        ) from error


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Convert DuckDB's RuntimeError about an interrupted query to Interrupted."""
    try:
        yield
    except RuntimeError as error:
        if str(error) != "Query interrupted":
            raise
        raise Interrupted(_AGAIN) from None


def type_conflict(error: Exception) -> ColumnError | None:
    """Return the error for a column whose types in two part files have no common type; None for any other error."""
    found = _CONFLICT.search(str(error))
    if found is None:
        return None
    return ColumnError(
        f"column {found[1]!r} has the type {found[2]} in some part files, but in others a type that needs {found[3]}, "
        "and no type holds all values: select the other columns, or convert the column in the inputs and score them "
        "again"
    )


def _failed(archive: LabelledArchive, file: AnyPath, error: BaseException) -> EmojobError:
    """Return the error for a part file that could not be read while DuckDB ran a query."""
    if isinstance(error, (KeyboardInterrupt, Interrupted)):
        return Interrupted(_AGAIN)
    if any(archive.is_replaced(part_file) for part_file in archive.part_files if part_file.file == file):
        return changed(archive.path)
    if isinstance(error, FileNotFoundError):
        return DataError(damaged(file, error))
    reason = getattr(error, "strerror", None)
    if not isinstance(error, OSError) or reason is None:
        return DataError(damaged(file, error))
    return DataError(f"{file} cannot be read: {reason}; check the disk or the object store, then try again")


def _unreadable(archive: LabelledArchive, files: PartFiles, error: Exception) -> DataError:
    """Return the error for a damaged part file.

    The error does not contain DuckDB's message, because DuckDB's message may contain dialogue.
    """
    named = files.named_in(str(error))
    if not named and len(archive.part_files) == 1:
        named = [archive.part_files[0].file]
    if named:
        return DataError(damaged(named[0], error))
    return DataError(
        f"a part file of {archive.path} cannot be read ({type(error).__name__}): run again the `emojob score` command "
        f"that wrote {archive.path}; if the error remains, add --fresh to the command"
    )
