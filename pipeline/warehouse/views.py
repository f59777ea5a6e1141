"""Creates the DuckDB views of a labelled archive. Each view contains all rows of the archive.

- `labelled` has the columns of the archive, plus conversation_id, said_at, speaker and text.
- `utterances` has fixed columns, such as text and emotion. The aggregates read this view.
- `numbered` has the columns of `labelled`, plus part number and row number. `emojob forget` reads this view.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

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
from emojob.pipeline.storage.paths import seekable
from emojob.pipeline.times.time_column import (
    create_parser,
    has_zone,
    join_columns,
    joined_value,
    kind_of,
    moment_of,
    read_times,
)
from emojob.pipeline.times.time_reading import TimeReading
from emojob.pipeline.times.zones import DEFAULT_ZONE, check_zone, find_zone, is_utc
from emojob.pipeline.warehouse.conversations import (
    create_conversation_views,
    create_macros,
    input_names,
    rows_of_inputs,
)
from emojob.pipeline.warehouse.exact_texts import with_exact_texts
from emojob.pipeline.warehouse.sql_text import columns_of, free_names, identifier, literal, renamed_columns
from emojob.schemas.column_names import listed_columns
from emojob.schemas.columns import OF_DUCKDB, in_sql, same_names
from emojob.schemas.errors import ColumnError, OptionError
from emojob.schemas.labels import meaning_of
from emojob.schemas.messages import listed
from emojob.schemas.options import ConversationOptions, check_date_order

#: {column of `labelled`: attribute of `LabelledArchive` that contains the name of the source column}.
ROLES = {
    "conversation_id": "conversation_column",
    "said_at": "time_column",
    "speaker": "speaker_column",
    "text": "text_column",
}

# DuckDB's types that may contain the number of an utterance begin with these words.
_NUMBERS = ("VARCHAR", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "DOUBLE", "FLOAT", "DECIMAL")

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
    date_order: str | None = None,
) -> TimeReading:
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
        date_order: Order of dates such as 03/04/26: ymd, mdy or dmy. None: the values of the column tell the order.

    Returns how the time column is read.

    Raises:
        OptionError: The time zone, the order or a negative label is unknown, or no row has a time for `days`.
        ColumnError: A column of the archive has a name that DuckDB reserves.
        duckdb.Error: A part file cannot be read.
    """
    create_macros(db, archive, conversations)
    rows = _part_rows(db, archive, names)
    zone = ConstantExpression(_set_zone(db, archive, rows, time_zone))
    reading = _read_times(db, archive, rows, date_order)
    found, hidden = _with_hidden(rows, archive, reading, *map(ColumnExpression, OF_DUCKDB))
    rows = _of_days(with_exact_texts(db, found, archive, *hidden[1:]), archive, hidden, zone, days)
    columns = _labelled_columns(rows, archive, zone, hidden)
    if numbered:
        rows.select(*columns, *map(ColumnExpression, hidden[1:])).create_view("numbered")
    if copy:
        db.execute("SET preserve_insertion_order = true")
        rows.select(*columns).create("labelled")
        rows, hidden = _with_hidden(db.table("labelled"), archive, reading, ConstantExpression(0), _row_number(rows))
    else:
        rows.select(*columns).create_view("labelled")
    number = _input_number(archive, hidden, copy).alias("input_number")
    rows.select(*_utterance_columns(rows, archive, zone, hidden, conversations), number).create_view("utterances")
    create_conversation_views(db, _carried(archive))
    return reading


def _of_days(
    rows: duckdb.DuckDBPyRelation, archive: LabelledArchive, hidden: _Hidden, zone: Expression, days: Days
) -> duckdb.DuckDBPyRelation:
    """Return the rows of some days. Raises OptionError if there is a limit, but the archive has no times."""
    first, last = days
    if first is None and last is None:
        return rows
    if archive.time_column not in rows.columns:
        raise OptionError(
            "--from and --to need times, but the archive has no time column; label the input again with --time-column"
        )
    start = datetime.datetime.combine(first or datetime.date.min, datetime.time.min)
    stop = datetime.datetime.combine(last or datetime.date.max, datetime.time.max)
    return rows.filter(_local_time(hidden, zone).between(ConstantExpression(start), ConstantExpression(stop)))


# -- times ----------------------------------------------------------------------------------------------------------


def archive_time_zone(db: duckdb.DuckDBPyConnection, archive: LabelledArchive, rows: duckdb.DuckDBPyRelation) -> str:
    """Return the time zone of the time column, by DuckDB's name.

    If the time zone is missing, unknown or UTC, return DEFAULT_ZONE.

    Args:
        db: Any database.
        archive: The labelled archive.
        rows: The rows of the archive.
    """
    column = archive.time_column
    if column not in rows.columns or not has_zone(kind_of(rows, str(column))):
        return DEFAULT_ZONE
    for part_file in archive.part_files:
        with contextlib.suppress(OSError, pa.ArrowException, KeyError):
            zone = getattr(pq.read_schema(seekable(part_file.file)).field(column).type, "tz", None)
            if zone is not None:
                known = find_zone(db, zone)
                return DEFAULT_ZONE if known is None or is_utc(known) else known
    return DEFAULT_ZONE


def _set_zone(
    db: duckdb.DuckDBPyConnection, archive: LabelledArchive, rows: duckdb.DuckDBPyRelation, given: str | None
) -> str:
    """Return the time zone `given`, or else the time zone of the archive. Also set the time zone of the database."""
    zone = check_zone(db, given, "--time-zone") if given else archive_time_zone(db, archive, rows)
    # For dates and times without a zone that a query compares with times that have one, and for parts without a time
    # zone, if other parts have one. Without GLOBAL, cursors would use the time zone of the machine. PyArrow only knows
    # UTC and names with a /, not GMT+05:30.
    db.execute(f"SET GLOBAL TimeZone = {literal(zone if '/' in zone else 'UTC')}")
    return zone


def _read_times(
    db: duckdb.DuckDBPyConnection, archive: LabelledArchive, rows: duckdb.DuckDBPyRelation, date_order: str | None
) -> TimeReading:
    """Create the parser of times, and return how the time column is read."""
    check_date_order(date_order)
    create_parser(db)
    columns = columns_of(rows)
    day, clock = columns.get(archive.time_column or ""), columns.get(archive.clock_column or "")
    if day is None:
        return TimeReading()
    how = None if clock is None else join_columns(db, rows, day, clock, _time_kinds(rows, archive))
    value, _ = _time_value(rows, archive, TimeReading(clock=how))
    return replace(read_times(db, rows.select(value.alias("value")), date_order), clock=how)


def _time_value(
    rows: duckdb.DuckDBPyRelation, archive: LabelledArchive, reading: TimeReading
) -> tuple[Expression, str]:
    """Return (the expression of the values that are read as times, DuckDB's name of their type).

    The time column must exist.
    """
    columns, day = columns_of(rows), str(archive.time_column)
    if reading.clock is None or not reading.is_joined:
        return columns[day], kind_of(rows, day)
    clock = columns[str(archive.clock_column)]
    return joined_value(columns[day], clock, _time_kinds(rows, archive), reading.clock), "VARCHAR"


def _time_kinds(rows: duckdb.DuckDBPyRelation, archive: LabelledArchive) -> tuple[str, str]:
    return kind_of(rows, str(archive.time_column)), kind_of(rows, str(archive.clock_column))


# -- rows -----------------------------------------------------------------------------------------------------------


class _Hidden(NamedTuple):
    """Names of the columns that the views do not show: a struct (see common_forms.sql), and the position of the row."""

    moment: str
    part: str
    row: str


def _with_hidden(
    rows: duckdb.DuckDBPyRelation, archive: LabelledArchive, reading: TimeReading, part: Expression, row: Expression
) -> tuple[duckdb.DuckDBPyRelation, _Hidden]:
    """Add the columns of `_Hidden`. Without a time column, the struct is null."""
    moment = SQLExpression("nothing()")
    if archive.time_column in columns_of(rows):
        moment = moment_of(*_time_value(rows, archive, reading), reading)
    hidden = _Hidden(*free_names(rows.columns, ("emojob moment", "emojob part", "emojob row")))
    added = zip(hidden, (moment, part, row), strict=True)
    return rows.select(StarExpression(), *(expression.alias(name) for name, expression in added)), hidden


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
            f"{archive.path} has columns whose names are the same in SQL: {listed_columns(twins)}; rename these "
            "columns in the input, then run `emojob score` again with --fresh"
        )
    return rows


def _row_number(rows: duckdb.DuckDBPyRelation) -> Expression:
    """Return the number of a row of a table, from 0. `rows` has the columns of the table."""
    is_taken = "rowid" in map(in_sql, rows.columns)
    return SQLExpression("row_number() OVER () - 1") if is_taken else ColumnExpression("rowid")


def _input_number(archive: LabelledArchive, hidden: _Hidden, copy: bool) -> Expression:
    """Return the number of the input that contains a row: the index in `input_names`. 0 if the inputs are unknown.

    Args:
        archive: The labelled archive.
        hidden: Names of the columns with the number of the part file, and the number of the row in the part file; if
            `copy` is true, in the table.
        copy: Whether the rows of all part files are in one table.
    """
    names = {name: number for number, name in enumerate(input_names(archive))}
    if len(names) < 2:
        return ConstantExpression(0)
    rows_of = [(names[name], rows) for name, rows in rows_of_inputs(archive)]
    if not rows_of:
        numbers = [names.get(one.input or "", 0) for one in archive.part_files]
        if not copy:
            return SQLExpression(f"list_extract({numbers}, {identifier(hidden.part)}::BIGINT + 1)")
        for number, part_file in zip(numbers, archive.part_files, strict=True):
            with archive.open_part(part_file) as parquet:
                rows_of.append((number, parquet.metadata.num_rows))
    row = ColumnExpression(hidden.row)
    case, stop = CaseExpression(ConstantExpression(False), ConstantExpression(0)), 0
    for number, rows in rows_of:
        stop += rows
        case = case.when(row < ConstantExpression(stop), ConstantExpression(number))
    return case


def _labelled_columns(
    rows: duckdb.DuckDBPyRelation, archive: LabelledArchive, zone: Expression, hidden: _Hidden
) -> list[Expression]:
    """Return the columns of the view `labelled`."""
    taken, roles = {in_sql(name) for name in rows.columns}, _role_columns(rows, archive, zone, hidden)
    added = (value.alias(name) for name, value in roles.items() if name not in taken)
    return [StarExpression(exclude=hidden), *added]


def _utterance_columns(
    rows: duckdb.DuckDBPyRelation,
    archive: LabelledArchive,
    zone: Expression,
    hidden: _Hidden,
    conversations: ConversationOptions | None,
) -> list[Expression]:
    """Return the columns of the view `utterances`, except `input_number`."""
    columns, roles = columns_of(rows, archive.columns), _role_columns(rows, archive, zone, hidden)
    meaning = meaning_of(archive.labels, conversations.negative if conversations else ())
    text, emotion = archive.text_column, columns[f"{archive.prefix}emotion"]
    null = SQLExpression("NULL::VARCHAR")
    return [
        roles.get("conversation_id", null).alias("conversation"),
        roles.get("speaker", null).alias("speaker"),
        roles.get("said_at", SQLExpression("NULL::TIMESTAMP")).alias("said_at"),
        _within_years(FunctionExpression("utc_time", ColumnExpression(hidden.moment), zone)).alias("said_at_utc"),
        (null if text is None else columns[text].cast("VARCHAR")).alias("text"),
        emotion.alias("emotion"),
        _is_in(emotion, meaning.negative, meaning.unknown).alias("negative"),
        _is_in(emotion, meaning.alarming, meaning.unknown).alias("alarming"),
        columns[f"{archive.prefix}confidence"].alias("confidence"),
        columns[archive.status_column].alias("status"),
        ColumnExpression(hidden.part).alias("part"),
        ColumnExpression(hidden.row).alias("row"),
        _turn_number(rows, archive).alias("turn_number"),
        *_label_sets(columns, archive),
    ]


def _label_sets(columns: Mapping[str, Expression], archive: LabelledArchive) -> list[Expression]:
    """Return the columns of `utterances` for an archive whose rows can carry several labels; [] for another one."""
    own = archive.label_columns
    if own.label_set is None:
        return []
    probabilities = FunctionExpression("list_value", *(columns[name] for name in own.probabilities))
    return [columns[own.label_set].alias("label_set"), probabilities.alias("probabilities")]


def _carried(archive: LabelledArchive) -> str:
    """Return the query of the view `carried`.

    One row: a row of `utterances` and a label that it carries (`emotion`), with its probability (`confidence`).
    """
    if not archive.is_multi:
        return "SELECT part, row, said_at, emotion, confidence FROM utterances WHERE emotion IS NOT NULL"
    labels = ", ".join(map(literal, archive.labels))
    return f"""
        SELECT part, row, said_at, label AS emotion, probabilities[list_position([{labels}], label)] AS confidence
        FROM (SELECT part, row, said_at, probabilities, unnest(label_set) AS label FROM utterances)
    """  # noqa: S608 - the labels are literals


def _turn_number(rows: duckdb.DuckDBPyRelation, archive: LabelledArchive) -> Expression:
    """Return the number of an utterance in its conversation, from a column of the archive; null if there is none."""
    value = columns_of(rows).get(archive.number_column or "")
    if value is None or not kind_of(rows, str(archive.number_column)).lstrip("U").startswith(_NUMBERS):
        return SQLExpression("NULL::DOUBLE")
    return FunctionExpression("as_number", value)


def _is_in(value: Expression, labels: Sequence[str], unknown: Sequence[str]) -> Expression:
    """Return whether the label `value` is in `labels`; null if it is in `unknown`."""
    found = value.isin(*map(ConstantExpression, labels)) if labels else ConstantExpression(False)
    return CaseExpression(value.isnotin(*map(ConstantExpression, unknown)), found) if unknown else found


def _role_columns(
    rows: duckdb.DuckDBPyRelation, archive: LabelledArchive, zone: Expression, hidden: _Hidden
) -> dict[str, Expression]:
    """Return {name: SQL expression} for the columns conversation_id, said_at, speaker and text.

    A column that the archive does not have is omitted.
    """
    columns = columns_of(rows)
    found: dict[str, Expression] = {}
    for name, attribute in ROLES.items():
        column = getattr(archive, attribute)
        if column not in columns:
            continue
        if name == "said_at":
            found[name] = _local_time(hidden, zone)
        elif name == "text":
            found[name] = columns[column].cast("VARCHAR")
        else:
            found[name] = _name(columns[column], kind_of(rows, column))
    return found


def _name(value: Expression, kind: str) -> Expression:
    """Convert a column to a conversation ID or a speaker. Blank texts and NaN become null."""
    if kind in ("FLOAT", "DOUBLE"):
        return CaseExpression(~FunctionExpression("isnan", value), value.cast("VARCHAR"))
    return FunctionExpression("visible", value.cast("VARCHAR"))


def _local_time(hidden: _Hidden, zone: Expression) -> Expression:
    return _within_years(FunctionExpression("local_time", ColumnExpression(hidden.moment), zone))


def _within_years(moment: Expression) -> Expression:
    """Replace times that Python cannot represent, such as infinity, with null."""
    first, last = (ConstantExpression(one) for one in (datetime.datetime.min, datetime.datetime.max))
    return CaseExpression(moment.between(first, last), moment)
