"""Reads the values of a time column as moments. The order of day and month is chosen for the whole column.

DuckDB does the work, so other tools can also read the views of an exported database. `common_forms.sql` and
`all_forms.sql` contain the parser. `evidence.sql` collects what the values tell about the order.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import duckdb
import pyarrow as pa
from duckdb import ColumnExpression, ConstantExpression, Expression, FunctionExpression, SQLExpression

from emojob.pipeline.times.zones import DEFAULT_ZONE, region_names
from emojob.schemas.messages import counted
from emojob.schemas.options import check_date_order

# A date such as 26.11.23 begins or ends with the year. If the values do not tell which: the order with few years and a
# short span is chosen, if the other orders have at least _MORE_YEARS times as many years and _LONGER times the span.
_MORE_YEARS, _LONGER = 4, 5
_FEWEST_HOURS = 3  # different values such as 2026112306 from which on they are hours, and not seconds since 1970

# DuckDB must not load extensions from the network or from a folder.
_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False, "autoload_known_extensions": False, "python_enable_replacements": False
}  # fmt: skip

# Names of DuckDB's types begin with these words.
_TIMES = ("TIMESTAMP", "DATE")
_TEXTS = ("VARCHAR", "ENUM", "DECIMAL")
# Other names of types.
_INTEGERS = ("BIGINT", "INTEGER", "SMALLINT", "TINYINT", "HUGEINT")


@dataclass(frozen=True)
class TimeReading:
    """How the values of a time column are read.

    Attributes:
        short_order: Order of dates whose year has two digits: ymd, dmy, mdy; empty if unknown.
        long_order: Order of dates such as 03/04/2026: dmy, mdy; empty if unknown.
        ten_digits: Meaning of ten digits that may be a day and an hour: hours, seconds; empty if unknown.
        unread: Number of values that are not blank, but become null.
        undecided: Number of these values that are dates in an unknown order.
        is_common: Whether the parser of the common forms reads all values that are times.
    """

    short_order: str = ""
    long_order: str = ""
    ten_digits: str = ""
    unread: int = 0
    undecided: int = 0
    is_common: bool = False

    def note(self, column: str) -> str | None:
        """Return one line about the values that become null; None if there are none.

        Args:
            column: Name of the time column.
        """
        if not self.unread:
            return None
        if self.undecided:
            return (
                f"{counted(self.undecided, 'value')} of the column {column} can be read with the day, the month or the "
                "year first, so these times stay empty; give the order with --date-order ymd, mdy or dmy"
                + (f"; {counted(self.unread - self.undecided, 'other value')} are not times" if self.others else "")
            )
        verb = "is not a time" if self.unread == 1 else "are not times"
        return f"{counted(self.unread, 'value')} of the column {column} {verb}, so these times stay empty"

    @property
    def others(self) -> int:
        """Number of values that are not times in any order."""
        return self.unread - self.undecided


def create_parser(db: duckdb.DuckDBPyConnection) -> None:
    """Create the macros of the common forms in a database. `read_times` creates the other macros if necessary."""
    _create_macros(db, "common_forms")


def read_times(
    db: duckdb.DuckDBPyConnection, values: duckdb.DuckDBPyRelation, date_order: str | None = None
) -> TimeReading:
    """Choose how to read a time column. Reads a column of texts or numbers from one to three times.

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
            return TimeReading(unread=_count(values.filter(ColumnExpression("value").isnotnull())))
        except duckdb.ConversionException:  # parts with different types, so the column is unreadable
            return TimeReading(unread=_count(values))
    common = TimeReading(is_common=True)
    unread = _count(_with_moments(values, common).filter("is_unread(value, moment)"))
    if not unread:
        return common
    db.execute(f"CREATE MACRO region_names() AS {_literal(region_names(db))}")
    _create_macros(db, "all_forms")
    found = _collect(values, TimeReading())
    short, long = _orders(found)
    if date_order:
        short, long = date_order, (date_order if date_order != "ymd" else long)
    seconds = "seconds" if found["seconds"] else "hours" if found["hours"] >= _FEWEST_HOURS else ""
    if short or long or seconds:
        found = _collect(values, TimeReading(short, long, seconds))
    undecided = (0 if short else found["short"]["rows"]) + (0 if long else found["long"]["rows"])
    return TimeReading(short, long, seconds, found["unread"], undecided, found["unread"] == unread)


def moment_of(value: Expression, kind: str, reading: TimeReading) -> Expression:
    """Return the SQL expression for the moments of a column: a struct {stated, utc}, see common_forms.sql.

    Args:
        value: The SQL expression of the column.
        kind: DuckDB's name of the type of the column, from `kind_of`.
        reading: How the values are read, from `read_times`.
    """
    ten_digits = ConstantExpression(reading.ten_digits)
    if has_zone(kind):
        utc = FunctionExpression("timezone", ConstantExpression("UTC"), value)
        return FunctionExpression("in_utc", utc.cast("TIMESTAMP"))
    if kind.startswith(_TIMES):
        return FunctionExpression("without_zone", value.cast("TIMESTAMP"))
    if kind.lstrip("U") in _INTEGERS:
        if reading.is_common:
            return FunctionExpression("moment_of_common_integer", value)
        return FunctionExpression("moment_of_integer", value, ten_digits)
    text = _text_of(value, kind)
    if reading.is_common or not _may_have_times(kind):
        return FunctionExpression("moment_of_common", text)
    orders = ConstantExpression(reading.short_order), ConstantExpression(reading.long_order)
    return FunctionExpression("moment", text, *orders, ten_digits)


def has_zone(kind: str) -> bool:
    """Return whether DuckDB's type `kind` is a timestamp with a time zone."""
    return kind.startswith("TIMESTAMP") and ("TZ" in kind or "WITH TIME ZONE" in kind)


def kind_of(rows: duckdb.DuckDBPyRelation, column: str) -> str:
    """Return DuckDB's name of the type of a column; LIST for a list, whose name would be, for example, DATE[]."""
    kind = str(dict(zip(rows.columns, rows.types, strict=True))[column])
    return "LIST" if kind.endswith("]") else kind


def utc_times(values: pa.Array | pa.ChunkedArray, date_order: str | None = None) -> tuple[pa.Array, TimeReading]:
    """Return the moments of a column in memory, and how the values were read.

    Args:
        values: Texts, numbers, dates or timestamps.
        date_order: See `read_times`.

    Returns:
        (timestamp[us] in UTC [values], the reading). A value that is no time becomes null. A time without a zone is a
        time in Seoul.

    Raises:
        OptionError: `date_order` is unknown.
    """
    with duckdb.connect(config=_SETTINGS) as db:
        create_parser(db)
        rows = db.from_arrow(pa.table({"value": values}))
        reading = read_times(db, rows, date_order)
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


def _collect(values: duckdb.DuckDBPyRelation, reading: TimeReading) -> dict[str, Any]:
    """Return the row of evidence.sql."""
    result = _with_moments(values, reading).query("given", _read_sql("evidence"))
    assert result is not None  # noqa: S101 - for the type checker
    (row,) = result.fetchall()
    return dict(zip(result.columns, row, strict=True))


def _count(rows: duckdb.DuckDBPyRelation) -> int:
    return int(rows.aggregate("count(*)").fetchall()[0][0])


def _orders(found: dict[str, Any]) -> tuple[str, str]:
    """Return (order of short dates, order of long dates); an empty text if the order stays open."""
    short = [order for order in ("ymd", "dmy", "mdy") if found["short"]["fits"] == found["short"][order] > 0]
    long = [order for order in ("dmy", "mdy") if found["long"]["fits"] == found["long"][order] > 0]
    if found["long"]["fits"] and found["short"]["fits"]:  # day and month have the same order in the whole column
        if len(long) == 1 and short != ["ymd"]:
            short = [order for order in short if order in ("ymd", *long)] if set(long) & set(short) else []
        elif len(short) == 1 and short != ["ymd"]:
            long = [order for order in long if order in short]
    if len(short) > 1:
        short = [order for order in short if all(_is_denser(order, other, found) for other in short if other != order)]
    return (short[0] if len(short) == 1 else ""), (long[0] if len(long) == 1 else "")


def _is_denser(order: str, other: str, found: dict[str, Any]) -> bool:
    """Return whether the dates in `order` are so much closer together than in `other` that `other` is implausible."""
    years, spans = found["years"], found["spans"]
    return bool(years[other] >= _MORE_YEARS * years[order] and spans[other] >= _LONGER * max(1, spans[order]))


def _create_macros(db: duckdb.DuckDBPyConnection, name: str) -> None:
    for statement in db.extract_statements(_read_sql(name)):
        db.execute(statement)


def _read_sql(name: str) -> str:
    return (files("emojob.pipeline.times") / f"{name}.sql").read_text(encoding="utf-8")


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
