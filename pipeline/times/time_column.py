"""Reads the values of a time column as moments. The order of day and month is chosen for the whole column.

DuckDB does the work, so other tools can also read the views of an exported database. `common_forms.sql`, `digits.sql`
and `all_forms.sql` contain the parser. `evidence.sql` and `digit_evidence.sql` collect what the values tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from typing import Any

import duckdb
import pyarrow as pa
from duckdb import ColumnExpression, ConstantExpression, Expression, FunctionExpression, SQLExpression

from emojob.pipeline.times.day_and_clock import ClockReading, joined, read_clocks, text_of
from emojob.pipeline.times.evidence import orders, unclear_dates, unclear_digits
from emojob.pipeline.times.time_reading import TimeReading
from emojob.pipeline.times.zones import DEFAULT_ZONE, region_names
from emojob.schemas.options import check_date_order

# DuckDB must not load extensions from the network or from a folder.
_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False, "autoload_known_extensions": False, "python_enable_replacements": False
}  # fmt: skip

# Names of DuckDB's types begin with these words.
_TIMES = ("TIMESTAMP", "DATE")
_TEXTS = ("VARCHAR", "ENUM", "DECIMAL")
# Other names of types.
_INTEGERS = ("BIGINT", "INTEGER", "SMALLINT", "TINYINT", "HUGEINT")


def create_parser(db: duckdb.DuckDBPyConnection, all_forms: bool = False, two_columns: bool = False) -> None:
    """Create the macros of the common forms in a database. `read_times` creates the other macros if necessary.

    Args:
        db: The database.
        all_forms: Whether to also create the other macros.
        two_columns: Whether to also create the macros for times in two columns.
    """
    _create_macros(db, "common_forms")
    if two_columns:
        _create_macros(db, "day_and_clock")
    if all_forms:
        _create_macros_of_all_forms(db)


def _create_macros_of_all_forms(db: duckdb.DuckDBPyConnection) -> None:
    db.execute(f"CREATE MACRO region_names() AS {_literal(region_names(db))}")
    for name in ("digits", "all_forms", "evidence_macros"):
        _create_macros(db, name)


def read_times(
    db: duckdb.DuckDBPyConnection, values: duckdb.DuckDBPyRelation, date_order: str | None = None
) -> TimeReading:
    """Choose how to read a time column. Reads a column of texts or numbers from one to five times.

    Args:
        db: A database after `create_parser`.
        values: A relation of the same database. Its only column is the time column, with the name `value`.
        date_order: Order of dates such as 03/04/26: ymd, mdy or dmy. None: the values tell the order.

    Raises:
        OptionError: `date_order` is unknown.
    """
    check_date_order(date_order)
    kind = kind_of(values, "value")
    if kind.startswith(_TIMES):
        return TimeReading()
    if not _may_have_times(kind):
        try:
            unread = _count(values.filter(ColumnExpression("value").isnotnull()))
        except duckdb.ConversionException:  # parts with different types, so the column is unreadable
            unread = _count(values)
        return TimeReading(unread=unread, values=unread)
    unread, epochs, stamps = _count_common(values, kind)
    if not unread and stamps <= epochs // 10:
        return TimeReading(is_common=True)
    _create_macros_of_all_forms(db)
    unclear = unclear_digits(_collect(values, TimeReading(), "digit_evidence"), date_order == "ymd")
    reading = TimeReading(refused=_refused(unclear))
    (found,) = _collect(values, reading, "evidence")
    if found["year_day_month"] and date_order != "ymd":
        unclear = _sum(unclear, unclear_dates(found["year_day_month"], _count_shapes(values, reading)))
        reading = TimeReading(refused=_refused(unclear))
    short, long = orders(found)
    if date_order:
        short, long = date_order, (date_order if date_order != "ymd" else long)
    if short or long or reading.refused:
        reading = TimeReading(short, long, reading.refused)
        (found,) = _collect(values, reading, "evidence")
    undecided = (0 if short else found["short"]["rows"]) + (0 if long else found["long"]["rows"])
    is_common = found["unread"] == unread and not reading.refused
    looks = _collect(values, reading, "unread")[0] if found["unread"] else {}
    return replace(
        reading,
        unread=found["unread"],
        undecided=undecided,
        unclear=sum(unclear.values()),
        is_common=is_common,
        **looks,
    )


def moment_of(value: Expression, kind: str, reading: TimeReading) -> Expression:
    """Return the SQL expression for the moments of a column: a struct {stated, utc}, see common_forms.sql.

    Args:
        value: The SQL expression of the column.
        kind: DuckDB's name of the type of the column, from `kind_of`.
        reading: How the values are read, from `read_times`.
    """
    refused = ConstantExpression(reading.refused)
    if has_zone(kind):
        utc = FunctionExpression("timezone", ConstantExpression("UTC"), value)
        return FunctionExpression("in_utc", utc.cast("TIMESTAMP"))
    if kind.startswith(_TIMES):
        return FunctionExpression("without_zone", value.cast("TIMESTAMP"))
    if kind.lstrip("U") in _INTEGERS:
        if reading.is_common:
            return FunctionExpression("moment_of_common_integer", value)
        return FunctionExpression("moment_of_integer", value, refused)
    text = _text_of(value, kind)
    if reading.is_common or not _may_have_times(kind):
        return FunctionExpression("moment_of_common", text)
    orders = ConstantExpression(reading.short_order), ConstantExpression(reading.long_order)
    return FunctionExpression("moment", text, *orders, refused)


def has_zone(kind: str) -> bool:
    """Return whether DuckDB's type `kind` is a timestamp with a time zone."""
    return kind.startswith("TIMESTAMP") and ("TZ" in kind or "WITH TIME ZONE" in kind)


def kind_of(rows: duckdb.DuckDBPyRelation, column: str) -> str:
    """Return DuckDB's name of the type of a column; LIST for a list, whose name would be, for example, DATE[]."""
    kind = str(dict(zip(rows.columns, rows.types, strict=True))[column])
    return "LIST" if kind.endswith("]") else kind


def join_columns(
    db: duckdb.DuckDBPyConnection,
    rows: duckdb.DuckDBPyRelation,
    day: Expression,
    clock: Expression,
    kinds: Sequence[str],
) -> ClockReading:
    """Create the macros for times in two columns, and return how the times of day are read.

    Args:
        db: A database after `create_parser`.
        rows: The rows.
        day: The SQL expression of the column with the days.
        clock: The SQL expression of the column with the times of day.
        kinds: DuckDB's names of the types of the two columns.
    """
    _create_macros(db, "day_and_clock")
    texts = (text_of(day, kinds[0]).alias("day"), text_of(clock, kinds[1]).alias("clock"))
    return read_clocks(rows.select(*texts))


def joined_value(day: Expression, clock: Expression, kinds: Sequence[str], reading: ClockReading) -> Expression:
    """Return the SQL expression for the texts of times in two columns. The arguments are those of `join_columns`."""
    return joined(text_of(day, kinds[0]), text_of(clock, kinds[1]), reading)


def utc_times(
    values: pa.Array | pa.ChunkedArray, date_order: str | None = None, clocks: pa.Array | pa.ChunkedArray | None = None
) -> tuple[pa.Array, TimeReading]:
    """Return the moments of a column in memory, and how the values were read.

    Args:
        values: Texts, numbers, dates or timestamps.
        date_order: See `read_times`.
        clocks: Times of day of the same rows, if `values` has only the days.

    Returns:
        (timestamp[us] in UTC [values], the reading). A value that is no time becomes null. A time without a zone is a
        time in Seoul.

    Raises:
        OptionError: `date_order` is unknown.
    """
    with duckdb.connect(config=_SETTINGS) as db:
        create_parser(db)
        rows, how = db.from_arrow(pa.table({"value": values, **({} if clocks is None else {"clock": clocks})})), None
        if clocks is not None:
            day, clock = ColumnExpression("value"), ColumnExpression("clock")
            kinds = (kind_of(rows, "value"), kind_of(rows, "clock"))
            how = join_columns(db, rows, day, clock, kinds)
            if how.is_used:
                rows = rows.select(joined_value(day, clock, kinds, how).alias("value"))
        rows = rows.select(ColumnExpression("value"))
        reading = replace(read_times(db, rows, date_order), clock=how)
        moment = moment_of(ColumnExpression("value"), kind_of(rows, "value"), reading)
        utc = FunctionExpression("utc_time", moment, ConstantExpression(DEFAULT_ZONE))
        found = rows.select(utc.alias("utc")).to_arrow_table()
    return found.column(0).combine_chunks(), reading


def _may_have_times(kind: str) -> bool:
    return kind.startswith(_TEXTS) or kind.lstrip("U") in _INTEGERS or kind in ("JSON", "DOUBLE")


def _text_of(value: Expression, kind: str) -> Expression:
    """Return the expression for the texts of a column. For a type that cannot contain times, the texts are null.

    FLOAT has too few digits for a time.
    """
    if kind.startswith(_TEXTS) or kind.lstrip("U") in _INTEGERS:
        return value.cast("VARCHAR")
    if kind == "JSON":
        return FunctionExpression("json_extract_string", value, ConstantExpression("$"))
    if kind == "DOUBLE":
        return FunctionExpression("text_of_double", value)
    return SQLExpression("NULL::VARCHAR")


def _with_moments(values: duckdb.DuckDBPyRelation, reading: TimeReading) -> duckdb.DuckDBPyRelation:
    """Return the columns `value` (text) and `moment` (struct)."""
    value, kind = ColumnExpression("value"), kind_of(values, "value")
    return values.select(_text_of(value, kind).alias("value"), moment_of(value, kind, reading).alias("moment"))


def _count_common(values: duckdb.DuckDBPyRelation, kind: str) -> tuple[int, int, int]:
    """Return the numbers of values that the parser of the common forms does not read, or reads as time since 1970.

    The third number counts the times since 1970 that may have another form.
    """
    if kind.lstrip("U") in _INTEGERS:
        odd = values.filter("NOT is_epoch_integer(value) OR is_stamp_integer(value)")
        (row,) = odd.aggregate("count(*) FILTER (NOT is_epoch_integer(value)), count(*)").fetchall()
        return row[0], _count(values.filter("value IS NOT NULL")) - row[0], row[1] - row[0]
    rows = _with_moments(values, TimeReading(is_common=True)).filter(
        "moment.stated IS NULL AND (moment.utc IS NULL OR NOT contains(value, ':'))"
    )
    is_epoch = "moment.utc IS NOT NULL"
    names = ("is_unread(value, moment)", is_epoch, f"{is_epoch} AND is_stamp(value)")
    (row,) = rows.aggregate(", ".join(f"count(*) FILTER ({name})" for name in names)).fetchall()
    return row[0], row[1], row[2]


def _collect(values: duckdb.DuckDBPyRelation, reading: TimeReading, name: str) -> list[dict[str, Any]]:
    """Return the rows of evidence.sql or another query."""
    result = _with_moments(values, reading).query("given", _read_sql(name))
    assert result is not None  # noqa: S101 - for the type checker
    return [dict(zip(result.columns, row, strict=True)) for row in result.fetchall()]


def _count_shapes(values: duckdb.DuckDBPyRelation, reading: TimeReading) -> dict[str, int]:
    """Return {shape of dates: number of values that are read}."""
    read = _with_moments(values, reading).filter("moment.stated IS NOT NULL OR moment.utc IS NOT NULL")
    return dict(read.aggregate("shape_of_read(value) AS shape, count(*)", "shape").fetchall())


def _refused(unclear: dict[str, int]) -> str:
    return f",{','.join(unclear)}," if unclear else ""


def _sum(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return {shape: one.get(shape, 0) + other.get(shape, 0) for shape in (*one, *other)}


def _count(rows: duckdb.DuckDBPyRelation) -> int:
    return int(rows.aggregate("count(*)").fetchall()[0][0])


def _create_macros(db: duckdb.DuckDBPyConnection, name: str) -> None:
    for statement in db.extract_statements(_read_sql(name)):
        db.execute(statement)


def _read_sql(name: str) -> str:
    return (files("emojob.pipeline.times") / f"{name}.sql").read_text(encoding="utf-8")


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
