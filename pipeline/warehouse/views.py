"""Creates the DuckDB views of a labelled archive. Each view contains all rows of the archive.

- `labelled` has the columns of the archive, plus conversation_id, said_at and speaker.
- `utterances` has fixed columns, such as text and emotion. The aggregates read this view.
- `numbered` has the columns of `labelled`, plus part number and row number. `emojob forget` reads this view.
"""

from __future__ import annotations

import contextlib
import datetime
import re
from collections.abc import Sequence

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
from emojob.pipeline.output.parts import open_parquet
from emojob.pipeline.storage.paths import seekable
from emojob.pipeline.warehouse.conversations import (
    create_conversation_views,
    create_macros,
    input_names,
    rows_of_inputs,
)
from emojob.pipeline.warehouse.sql_text import columns_of, number_columns, read_sql, renamed_columns
from emojob.schemas.columns import OF_DUCKDB, in_sql, same_names
from emojob.schemas.errors import ColumnError, OptionError
from emojob.schemas.labels import meaning_of
from emojob.schemas.messages import listed
from emojob.schemas.options import ConversationOptions

#: Default time zone for days and hours.
TIME_ZONE = "Asia/Seoul"

#: {column of `labelled`: attribute of `LabelledArchive` that contains the name of the source column}.
ROLES = {"conversation_id": "conversation_column", "said_at": "time_column", "speaker": "speaker_column"}

_PART, _ROW = OF_DUCKDB

Days = tuple[datetime.date | None, datetime.date | None]


def create_views(
    db: duckdb.DuckDBPyConnection,
    archive: LabelledArchive,
    names: Sequence[str],
    time_zone: str | None = None,
    copy: bool = False,
    numbered: bool = False,
    conversations: ConversationOptions | None = None,
    days: Days = (None, None),
) -> None:
    """Create the views `labelled` and `utterances`, the views for conversations, and the macros that these views use.

    Args:
        db: A new database.
        archive: The labelled archive.
        names: The part files as DuckDB names them: `PartFiles.names`, or glob patterns.
        time_zone: Time zone for days and hours. If None, `archive_time_zone` is used.
        copy: Whether `labelled` is a table with a copy of the rows. Otherwise, `labelled` is a view.
        numbered: Whether to also create the view `numbered`.
        conversations: Options of the figures about conversations. If None, the defaults are used.
        days: First and last day of the rows. None: no limit. With a limit, rows without a time are left out.

    Raises:
        OptionError: The time zone or a label that counts as negative is unknown, or no row has a time for `days`.
        ColumnError: A column of the archive has a name that DuckDB reserves.
        duckdb.Error: A part file cannot be read.
    """
    zone = time_zone or archive_time_zone(archive)
    _check_time_zone(db, zone)
    for statement in db.extract_statements(read_sql("moments")):
        db.execute(statement)
    create_macros(db, archive, conversations)
    rows = _part_rows(db, archive, names)
    roles = _role_columns(rows, archive, ConstantExpression(zone))
    taken = {in_sql(name) for name in rows.columns}
    columns = [StarExpression(), *(value.alias(name) for name, value in roles.items() if name not in taken)]
    part, row = ColumnExpression(_PART), ColumnExpression(_ROW)
    if numbered:
        for_part, for_row = number_columns(rows.columns)
        rows.select(*columns, part.alias(for_part), row.alias(for_row)).create_view("numbered")
    if copy:
        db.execute("SET preserve_insertion_order = true")
        rows.select(*columns).create("labelled")
        rows, part, row = db.table("labelled"), ConstantExpression(0), _row_number(rows.columns)
    else:
        _of_days(rows.select(*columns), roles.get("said_at"), days).create_view("labelled")
    position = [part.alias("part"), row.alias("row"), _input_number(archive, row, copy).alias("input_number")]
    utterances = rows.select(*_utterance_columns(columns_of(rows), archive, roles, conversations), *position)
    _of_days(utterances, ColumnExpression("said_at"), days).create_view("utterances")
    create_conversation_views(db)


def _of_days(rows: duckdb.DuckDBPyRelation, moment: Expression | None, days: Days) -> duckdb.DuckDBPyRelation:
    """Return the rows of some days. Raises OptionError if there is a limit, but the archive has no times."""
    first, last = days
    if first is None and last is None:
        return rows
    if moment is None:
        raise OptionError(
            "--from and --to need times, but the archive has no time column; label the input again with --time-column"
        )
    start = datetime.datetime.combine(first or datetime.date.min, datetime.time.min)
    stop = datetime.datetime.combine(last or datetime.date.max, datetime.time.max)
    return rows.filter(moment.between(ConstantExpression(start), ConstantExpression(stop)))


def archive_time_zone(archive: LabelledArchive) -> str:
    """Return the time zone of the time column.

    If the time zone is missing or UTC, return TIME_ZONE.
    """
    name = archive.time_column
    with contextlib.suppress(OSError, pa.ArrowException, KeyError):
        schema = pq.read_schema(seekable(archive.part_files[0].file))
        zone = getattr(schema.field(name).type, "tz", None) if name is not None else None
        whole_hours = re.fullmatch(r"([+-])0?(\d{1,2}):00", zone or "")
        if whole_hours:  # names such as Etc/GMT-9 have a reversed sign: +09:00 is Etc/GMT-9
            sign, hours = whole_hours.groups()
            zone = f"Etc/GMT{'-' if sign == '+' else '+'}{hours}"
        if zone and "/" in zone and zone not in ("Etc/UTC", "Etc/GMT-0", "Etc/GMT+0"):
            return str(zone)
    return TIME_ZONE


def _check_time_zone(db: duckdb.DuckDBPyConnection, zone: str) -> None:
    try:
        db.execute("SELECT timezone($zone, now())::VARCHAR", {"zone": zone}).fetchall()
    except duckdb.Error:
        raise OptionError(f"--time-zone {zone!r} is unknown; give a name such as {TIME_ZONE}") from None


def _part_rows(
    db: duckdb.DuckDBPyConnection, archive: LabelledArchive, names: Sequence[str]
) -> duckdb.DuckDBPyRelation:
    """Return a relation with the rows of all part files. Raises ColumnError if SQL cannot tell the columns apart."""
    rows = db.read_parquet(list(names), union_by_name=True, hive_partitioning=False)
    clash = sorted({*OF_DUCKDB} & {in_sql(name) for name in rows.columns})
    if clash:
        raise ColumnError(
            f"{archive.path} has column names that DuckDB reserves: {listed(clash)}; rename these columns in the "
            "input, then run `emojob score` again"
        )
    twins = same_names(rows.columns, in_sql) or renamed_columns(db, names, rows.columns)
    if twins:
        raise ColumnError(
            f"{archive.path} has columns whose names are the same in SQL: {listed(twins)}; rename these columns in the "
            "input, then run `emojob score` again with --fresh"
        )
    return rows


def _row_number(names: Sequence[str]) -> Expression:
    """Return the number of a row of a table, from 0. `names` are the names of the columns of the table."""
    is_taken = "rowid" in map(in_sql, names)
    return SQLExpression("row_number() OVER () - 1") if is_taken else ColumnExpression("rowid")


def _input_number(archive: LabelledArchive, row: Expression, copy: bool) -> Expression:
    """Return the number of the input that contains a row: the index in `input_names`. 0 if the inputs are unknown.

    Args:
        archive: The labelled archive.
        row: Number of the row in the part file; if `copy` is true, in the table.
        copy: Whether the rows of all part files are in one table.
    """
    names = {name: number for number, name in enumerate(input_names(archive))}
    if len(names) < 2:
        return ConstantExpression(0)
    rows_of = [(names[name], rows) for name, rows in rows_of_inputs(archive)]
    if not rows_of:
        numbers = [names.get(one.input or "", 0) for one in archive.part_files]
        if not copy:
            return SQLExpression(f"list_extract({numbers}, {_PART}::BIGINT + 1)")
        for number, part_file in zip(numbers, archive.part_files, strict=True):
            with open_parquet(part_file.file) as parquet:
                rows_of.append((number, parquet.metadata.num_rows))
    case, stop = CaseExpression(ConstantExpression(False), ConstantExpression(0)), 0
    for number, rows in rows_of:
        stop += rows
        case = case.when(row < ConstantExpression(stop), ConstantExpression(number))
    return case


def _utterance_columns(
    columns: dict[str, Expression],
    archive: LabelledArchive,
    roles: dict[str, Expression],
    conversations: ConversationOptions | None,
) -> list[Expression]:
    """Return the columns of the view `utterances`, except `part`, `row` and `input_number`."""
    meaning = meaning_of(archive.labels, conversations.negative if conversations else ())
    text, emotion = archive.text_column, columns[f"{archive.prefix}emotion"]
    null = SQLExpression("NULL::VARCHAR")
    return [
        roles.get("conversation_id", null).alias("conversation"),
        roles.get("speaker", null).alias("speaker"),
        roles.get("said_at", SQLExpression("NULL::TIMESTAMP")).alias("said_at"),
        (null if text is None else columns[text].cast("VARCHAR")).alias("text"),
        emotion.alias("emotion"),
        _is_in(emotion, meaning.negative, meaning.unknown).alias("negative"),
        _is_in(emotion, meaning.alarming, meaning.unknown).alias("alarming"),
        columns[f"{archive.prefix}confidence"].alias("confidence"),
        columns[archive.status_column].alias("status"),
    ]


def _is_in(value: Expression, labels: Sequence[str], unknown: Sequence[str]) -> Expression:
    """Return whether the label `value` is in `labels`; null if it is in `unknown`."""
    found = value.isin(*map(ConstantExpression, labels)) if labels else ConstantExpression(False)
    return CaseExpression(value.isnotin(*map(ConstantExpression, unknown)), found) if unknown else found


def _role_columns(rows: duckdb.DuckDBPyRelation, archive: LabelledArchive, zone: Expression) -> dict[str, Expression]:
    """Return {name: SQL expression} for the columns conversation_id, said_at and speaker.

    A column that the archive does not have is omitted.
    """
    types = dict(zip(rows.columns, map(str, rows.types), strict=True))
    columns = columns_of(rows)
    found: dict[str, Expression] = {}
    for name, attribute in ROLES.items():
        column = getattr(archive, attribute)
        if column not in types:
            continue
        value = columns[column]
        role = _within_years(_moment(value, types[column], zone)) if name == "said_at" else _name(value, types[column])
        if role is not None:
            found[name] = role
    return found


def _name(value: Expression, kind: str) -> Expression:
    """Convert a column to a conversation ID or a speaker. Blank texts and NaN become null."""
    if kind in ("FLOAT", "DOUBLE"):
        return CaseExpression(~FunctionExpression("isnan", value), value.cast("VARCHAR"))
    return FunctionExpression("visible", value.cast("VARCHAR"))


def _moment(value: Expression, kind: str, zone: Expression) -> Expression | None:
    """Convert a column to local time. Return None if a column of the DuckDB type `kind` cannot contain times."""
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
    """Replace times that Python cannot represent, such as infinity, with null."""
    if moment is None:
        return None
    first, last = (ConstantExpression(one) for one in (datetime.datetime.min, datetime.datetime.max))
    return CaseExpression(moment.between(first, last), moment)
