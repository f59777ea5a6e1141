"""Exports a labelled archive as a DuckDB database file for other tools."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import duckdb

from emojob.pipeline.output.derived.marks import comment
from emojob.pipeline.output.derived.records import DATABASE
from emojob.pipeline.output.derived.writing import DerivedFile
from emojob.pipeline.output.labelled_archive import LabelledArchive, PartFile
from emojob.pipeline.storage.atomic import commit
from emojob.pipeline.storage.temporary import temporary_folder
from emojob.pipeline.warehouse.aggregates import AggregateViews
from emojob.pipeline.warehouse.database import database_errors, settings
from emojob.pipeline.warehouse.exact_texts import inexact_columns
from emojob.pipeline.warehouse.part_files import PartFiles
from emojob.pipeline.warehouse.rejected_rows import create_rejects, rejects_of
from emojob.pipeline.warehouse.sql_text import literal
from emojob.pipeline.warehouse.views import create_views
from emojob.schemas.column_names import listed_columns
from emojob.schemas.errors import OptionError, StorageError
from emojob.schemas.options import ConversationOptions

_GLOB = re.compile(r"([\[*?])")  # characters that have a meaning in DuckDB's glob patterns


def export_database(
    archive: LabelledArchive,
    file: Path,
    copy: bool = False,
    time_zone: str | None = None,
    conversations: ConversationOptions | None = None,
    note: Callable[[str], None] = lambda text: None,
    date_order: str | None = None,
) -> None:
    """Write a DuckDB database file that contains `labelled` and the aggregates.

    Args:
        archive: The labelled archive.
        file: Path of the database file. An existing file is replaced (see `check_replaceable`).
        copy: If true, `labelled` is a table with a copy of the rows. Otherwise, `labelled` is a view that reads the
            part files of the archive.
        time_zone: Time zone for days and hours. If None, `archive_time_zone` is used.
        conversations: Options of the views about conversations. If None, the defaults are used.
        note: callback(message) for messages to the user.
        date_order: Order of dates such as 03/04/26: ymd, mdy or dmy. None: the values of the column tell the order.

    Raises:
        ChangedError: Rows left the archive during the export.
        OptionError: The time zone, the order or a negative label is unknown; or `copy` is false, and the archive is in
            an object store or has a path that DuckDB cannot read.
        StorageError: `file` cannot be written.
        DataError: A part file cannot be read.
    """
    _check(archive, file, copy)
    derived = DerivedFile(archive, file, DATABASE, note)
    rejects, parts = rejects_of(archive), len(archive.part_files)
    files = PartFiles([*archive.part_files, *rejects])
    with contextlib.closing(files), temporary_folder(file.parent, file.name) as folder:  # DuckDB writes several files
        draft = folder / "export.duckdb"
        with (
            database_errors(archive, str(folder), files),
            _write_errors(file),
            duckdb.connect(str(draft), config=settings(str(folder))) as db,
        ):
            files.register(db)  # without `copy`, the database contains the names of the inputs and files, but no rows
            names = files.names if copy else _names_on_disk(db, archive, [*archive.part_files, *rejects], file)
            days = (None, None)
            times = create_views(db, archive, names[:parts], time_zone, copy, False, conversations, days, date_order)
            AggregateViews(db).create_all()
            create_rejects(db, rejects, names[parts:], copy)
            db.execute(f"COMMENT ON {'TABLE' if copy else 'VIEW'} labelled IS {literal(comment(derived.mark))}")
        with derived.committing():
            commit(draft, file)
    if unread := times.note(archive.time_columns or ""):
        note(unread)


def _check(archive: LabelledArchive, file: Path, copy: bool) -> None:
    """Raise OptionError if other tools could not read the rows."""
    if not copy and archive.object_paths:
        raise OptionError(
            f"--export {file}: {archive.path} is in an object store, so other tools cannot read the rows; with --copy, "
            f"emojob writes the rows into {file}"
        )
    if not copy and (names := inexact_columns(archive)):
        raise OptionError(
            f"--export {file}: other tools would change values of {listed_columns(names)} (large numbers, or fields "
            f"whose names are the same in SQL); with --copy, emojob writes the rows into {file}, and these values as "
            "text"
        )


def _names_on_disk(
    db: duckdb.DuckDBPyConnection, archive: LabelledArchive, part_files: Sequence[PartFile], file: Path
) -> list[str]:
    """Return the absolute paths of files as DuckDB's glob patterns that match exactly one file each.

    Raises OptionError if DuckDB cannot name the files.
    """
    paths = [str(Path(str(part_file.file)).absolute()) for part_file in part_files]
    names = [_GLOB.sub(r"[\1]", path) for path in paths]
    try:
        found = db.execute("SELECT file FROM glob($names)", {"names": names}).fetchall()
    except (duckdb.Error, UnicodeError):
        found = []
    if sorted(paths) != sorted(name for (name,) in found):
        raise OptionError(
            f"--export {file}: other tools cannot find the part files of {archive.path} by their names; with --copy, "
            f"emojob writes the rows into {file}"
        )
    return names


@contextlib.contextmanager
def _write_errors(file: Path) -> Iterator[None]:
    """Convert DuckDB's errors about a full or failing disk to StorageError."""
    try:
        yield
    except (duckdb.TransactionException, duckdb.FatalException) as error:
        raise StorageError(
            f"cannot write {file} ({type(error).__name__}): check the free disk space and the permissions of "
            f"{file.parent}, then try again"
        ) from error
