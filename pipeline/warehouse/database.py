"""A labelled archive in DuckDB, read in place: the view `labelled`, and the aggregates that reports are made from.

labelled      every row of the complete parts with its own columns, and conversation_id, said_at, speaker
utterances    the same rows under names that do not depend on the archive; the aggregates read these
aggregates    pipeline/warehouse/sql/aggregates/NAME.sql, each of which says what one of its rows is
"""

from __future__ import annotations

import contextlib
import datetime
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from duckdb import (
    CaseExpression,
    ColumnExpression,
    ConstantExpression,
    Expression,
    FunctionExpression,
    SQLExpression,
    StarExpression,
)

from emojob.pipeline.output.labelled_archive import LabelledArchive
from emojob.pipeline.output.parts import damaged
from emojob.pipeline.storage.object_store import ObjectPath
from emojob.pipeline.storage.paths import seekable
from emojob.pipeline.system.hardware import cores
from emojob.pipeline.system.hardware import memory as machine_memory
from emojob.pipeline.warehouse.spill import spill_folder
from emojob.schemas.columns import OF_DUCKDB
from emojob.schemas.errors import ColumnError, DataError, Interrupted, OptionError, StorageError
from emojob.schemas.labels import ALARMING, NEGATIVE

#: Whose wall clock days and hours are of, where neither the archive nor the user says.
TIME_ZONE = "Asia/Seoul"

#: Bytes that DuckDB takes before it spills to disk.
MEMORY = 3 << 30

_SHARE = 0.6  # of the memory that may be used here, at most

#: The names that `labelled` gives to the columns whose part in a dialogue is known, and what `Warehouse` calls them.
ROLES = {"conversation_id": "conversation_column", "said_at": "time_column", "speaker": "speaker_column"}

#: The aggregates, each behind those that it is made from.
AGGREGATES = (
    "hours", "emotions", "days", "quality", "hours_of_day", "hours_of_week", "confidences", "lengths",
    "extremes", "typical", "uncertain", "talks", "turns", "transitions", "conversations", "conversation_emotions",
    "soured", "endings", "arcs",
)  # fmt: skip

#: The columns of the view `numbered` that say where a row lies.
NUMBERS = '"emojob part", "emojob row"'

_PART, _ROW = OF_DUCKDB


@contextlib.contextmanager
def open_database(
    archive: LabelledArchive, time_zone: str | None = None, memory: int = MEMORY, numbered: bool = False
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory with the views `labelled` and `utterances`.

    time_zone: whose wall clock days and hours are of; None: the archive's own, or Korea's. memory: bytes; numbered: as
    that of `create_views`. Raises
    OptionError where the zone is unknown, DataError where a part cannot be read, and what happens within as
    DataError or StorageError where it is of that kind.
    """
    with (
        spill_folder(archive.place) as spill,
        translated(archive, spill),
        duckdb.connect(config=settings(spill, memory)) as db,
    ):
        create_views(db, archive, time_zone, numbered=numbered)
        yield db


def settings(spill: str, memory: int = MEMORY) -> dict[str, str | bool | int | float | list[str]]:
    """DuckDB's settings: what this machine and container allow, and nothing from the network."""
    return {
        "threads": cores(),
        "memory_limit": f"{allowed(memory) >> 20}MiB",
        "temp_directory": spill,
        "preserve_insertion_order": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "python_enable_replacements": False,
    }


def allowed(memory: int) -> int:
    """So many bytes, or fewer where this machine or its control group has little."""
    return min(memory, int(_SHARE * (machine_memory() or 2 * memory)))


@contextlib.contextmanager
def translated(archive: LabelledArchive, spill: str) -> Iterator[None]:
    """Turn DuckDB's errors that are not of a query into ours."""
    try:
        with interruptible():
            yield
    except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
        of_a_disk = isinstance(error, duckdb.OutOfMemoryException) or "file" in str(error)  # else of a part's columns
        if not of_a_disk or any(str(part_file.file) in str(error) for part_file in archive.part_files):
            raise unreadable(archive, error) from error
        raise StorageError(
            f"cannot work on {archive.place} ({type(error).__name__}): make room in memory or in the folder for "
            f"temporary files, {Path(spill).parent}"
        ) from error
    except duckdb.InterruptException:
        raise
    except (duckdb.Error, UnicodeDecodeError) as error:  # of our own queries, or of what is no text in a part
        raise unreadable(archive, error) from error


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Turn what DuckDB raises in place of a signal's exception, a RuntimeError, into Interrupted."""
    try:
        yield
    except RuntimeError as error:
        if str(error) != "Query interrupted":
            raise
        raise Interrupted("interrupted: the same command begins again") from None


def unreadable(archive: LabelledArchive, error: Exception) -> DataError:
    """The error for a part that is damaged or has gone; DuckDB's words may name it, or hold a value of it."""
    files = [part_file.file for part_file in archive.part_files]
    named = [file for file in files if str(file) in str(error)] or (files if len(files) == 1 else [])
    if named:
        return DataError(damaged(named[0], error))
    return DataError(
        f"a part of {archive.place} cannot be read ({type(error).__name__}): the same `emojob score` command makes "
        "anew what has gone; add --fresh where something is damaged"
    )


def zone_of(archive: LabelledArchive) -> str:
    """The time zone that the archive's times bear; Korea's where they bear none, or UTC, which nobody lives by."""
    name = archive.time_column
    with contextlib.suppress(OSError, pa.ArrowException, KeyError):
        schema = pq.read_schema(seekable(archive.part_files[0].file))
        zone = getattr(schema.field(name).type, "tz", None) if name is not None else None
        whole_hours = re.fullmatch(r"([+-])0?(\d{1,2}):00", zone or "")
        if whole_hours:  # the names of such zones count the other way
            sign, hours = whole_hours.groups()
            zone = f"Etc/GMT{'-' if sign == '+' else '+'}{hours}"
        if zone and "/" in zone and zone not in ("Etc/UTC", "Etc/GMT-0", "Etc/GMT+0"):
            return str(zone)
    return TIME_ZONE


# -- views -------------------------------------------------------------------------------------------------------------


def create_views(
    db: duckdb.DuckDBPyConnection,
    archive: LabelledArchive,
    time_zone: str | None = None,
    copy: bool = False,
    numbered: bool = False,
) -> None:
    """Create `labelled` and `utterances`, and the macros that read times.

    copy: put the rows of `labelled` into a table; numbered: create the view `numbered`, which has NUMBERS as well.
    Raises OptionError where the zone is unknown, DataError or ColumnError where the parts cannot be read.
    """
    zone = ConstantExpression(_known(db, time_zone or zone_of(archive)))
    for statement in db.extract_statements(_sql("moments")):
        db.execute(statement)
    rows = _rows_in(db, archive)
    roles = _roles(rows, archive, zone)
    taken = {name.casefold() for name in rows.columns}
    own = [StarExpression(), *(value.alias(name) for name, value in roles.items() if name not in taken)]
    part, row = ColumnExpression(_PART), ColumnExpression(_ROW)
    if numbered:
        rows.select(*own, part.alias("emojob part"), row.alias("emojob row")).create_view("numbered")
    if copy:
        db.execute("SET preserve_insertion_order = true")
        rows.select(*own).create("labelled")
        rows, part, row = db.table("labelled"), ConstantExpression(0), ColumnExpression("rowid")
    else:
        rows.select(*own).create_view("labelled")
    text, emotion = archive.text_column, ColumnExpression(f"{archive.prefix}emotion")
    nothing = SQLExpression("NULL::VARCHAR")
    rows.select(
        roles.get("conversation_id", nothing).alias("conversation"),
        roles.get("speaker", nothing).alias("speaker"),
        roles.get("said_at", SQLExpression("NULL::TIMESTAMP")).alias("said_at"),
        (nothing if text is None else ColumnExpression(text).cast("VARCHAR")).alias("text"),
        emotion.alias("emotion"),
        _is_in(emotion, [label for label in archive.labels if label in NEGATIVE]).alias("negative"),
        _is_in(emotion, [label for label in archive.labels if label in ALARMING]).alias("alarming"),
        ColumnExpression(f"{archive.prefix}confidence").alias("confidence"),
        ColumnExpression(archive.status_column).alias("status"),
        part.alias("part"),
        row.alias("row"),
    ).create_view("utterances")


def _rows_in(db: duckdb.DuckDBPyConnection, archive: LabelledArchive) -> duckdb.DuckDBPyRelation:
    """The rows of all parts, read in place."""
    stored = [part_file.file for part_file in archive.part_files if isinstance(part_file.file, ObjectPath)]
    if stored:
        from emojob.pipeline.warehouse.object_files import Shelf

        db.register_filesystem(Shelf(stored))
        db.execute("SET parquet_metadata_cache = true")
    rows = db.read_parquet([str(part_file.file) for part_file in archive.part_files], union_by_name=True)
    clash = sorted({*OF_DUCKDB} & {name.casefold() for name in rows.columns})
    if clash:
        raise ColumnError(
            f"{archive.place} has a column called {', '.join(clash)}, a name that DuckDB needs itself; rename it and "
            "label the archive anew"
        )
    return rows


def _known(db: duckdb.DuckDBPyConnection, zone: str) -> str:
    try:
        db.execute("SELECT timezone($zone, now())::VARCHAR", {"zone": zone}).fetchall()
    except duckdb.Error:
        raise OptionError(f"--time-zone {zone!r} is unknown; give one such as {TIME_ZONE}") from None
    return zone


def _roles(rows: duckdb.DuckDBPyRelation, archive: LabelledArchive, zone: Expression) -> dict[str, Expression]:
    """The expressions of `conversation_id`, `said_at` and `speaker`, as far as the archive has what they stand for."""
    types = dict(zip(rows.columns, map(str, rows.types), strict=True))
    found: dict[str, Expression] = {}
    for name, role in ROLES.items():
        column = getattr(archive, role)
        if column in types:
            value = ColumnExpression(column)
            said = _within_years(_moment(value, types[column], zone)) if name == "said_at" else value.cast("VARCHAR")
            if said is not None:
                found[name] = said
    return found


def _moment(value: Expression, kind: str, zone: Expression) -> Expression | None:
    """A column of this type as a TIMESTAMP of the wall clock; None where it cannot be one."""
    if kind == "TIMESTAMP WITH TIME ZONE":
        return FunctionExpression("timezone", zone, value)
    if kind.startswith("TIMESTAMP") or kind == "DATE":
        return value.cast("TIMESTAMP")
    if kind in ("VARCHAR", "JSON"):
        return FunctionExpression("moment_of_text", value.cast("VARCHAR"), zone)
    if kind.lstrip("U") in ("BIGINT", "INTEGER", "SMALLINT", "TINYINT", "HUGEINT", "DOUBLE", "FLOAT"):
        return FunctionExpression("moment_of_number", value, zone)
    return None


def _within_years(moment: Expression | None) -> Expression | None:
    """Null for a moment that is in no year of Python's, infinity among them: nobody said anything then."""
    if moment is None:
        return None
    first, last = (ConstantExpression(one) for one in (datetime.datetime.min, datetime.datetime.max))
    return CaseExpression(moment.between(first, last), moment)


def _is_in(value: Expression, labels: list[str]) -> Expression:
    return value.isin(*map(ConstantExpression, labels)) if labels else ConstantExpression(False)


# -- aggregates --------------------------------------------------------------------------------------------------------


def aggregate(name: str) -> tuple[str, str]:
    """The query of an aggregate, and its comment: what one row of it is."""
    text = _sql(f"aggregates/{name}")
    comment = " ".join(line.removeprefix("--").strip() for line in text.splitlines() if line.startswith("--"))
    return text, comment


def create_aggregates(db: duckdb.DuckDBPyConnection) -> None:
    """Create a view of each aggregate, with its comment."""
    for name in AGGREGATES:
        query, comment = aggregate(name)
        db.execute(f"CREATE VIEW {name} AS {query}")
        db.execute(f"COMMENT ON VIEW {name} IS {literal(comment)}")


def literal(text: str) -> str:
    """A text as SQL writes it, for statements that take no bound values."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def store(db: duckdb.DuckDBPyConnection, name: str) -> None:
    """Compute an aggregate once, into a table of its name."""
    db.execute(f"CREATE TEMP TABLE {name} AS {aggregate(name)[0]}")


def rows_of(db: duckdb.DuckDBPyConnection, name: str) -> list[dict[str, Any]]:
    """The rows of an aggregate."""
    return _rows(db.execute(aggregate(name)[0]))


def run(db: duckdb.DuckDBPyConnection, name: str, values: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """The rows of the query pipeline/warehouse/sql/NAME.sql; values: what is bound in it, by name."""
    return _rows(db.execute(_sql(name), values or {}))


def _rows(found: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _sql(name: str) -> str:
    return (files("emojob.pipeline.warehouse") / "sql" / f"{name}.sql").read_text(encoding="utf-8")
