"""Joins two columns to times: one with the day, one with the time of day. The SQL is in `day_and_clock.sql`."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
from duckdb import ConstantExpression, Expression, FunctionExpression, SQLExpression

# Share of the days that must have a time of day. Otherwise, only the days count.
_MOST = 0.5

# Share of the values that must be times of day, if the values are digits only.
_NEARLY_ALL = 0.95

_EVIDENCE = r"""
SELECT
    count(*) FILTER (coalesce(trim(day), '') <> '') AS days,
    count(*) FILTER (is_clock(alone) OR is_whole_time(alone)) AS clocks,
    count(*) FILTER (regexp_matches(alone, '^\d{1,6}$')) AS bare,
    count(*) FILTER (is_bare_clock(alone, 6)) AS six,
    count(*) FILTER (is_bare_clock(alone, 4)) AS four,
    max(TRY_CAST(alone AS INTEGER)) FILTER (regexp_matches(alone, '^\d{1,6}$')) AS highest
FROM (SELECT day, clock_alone(clock) AS alone FROM given)
"""


@dataclass(frozen=True)
class ClockReading:
    """How the column with the times of day is read.

    Attributes:
        is_used: Whether most values are times of day. If not, the column with the day alone tells the times.
        digits: 6 if digits only mean HHMMSS, such as 93005; 4 if they mean HHMM; 0 if they have no meaning.
    """

    is_used: bool
    digits: int = 0


def read_clocks(values: duckdb.DuckDBPyRelation) -> ClockReading:
    """Decide how the times of day are read. The macros of `day_and_clock.sql` must exist.

    Args:
        values: A relation with the columns `day` and `clock`, both texts.
    """
    result = values.query("given", _EVIDENCE)
    assert result is not None  # noqa: S101 - for the type checker
    days, clocks, bare, six, four, highest = result.fetchall()[0]
    digits = 0
    # Numbers below 100 may be hours, minutes or counts, so they tell nothing.
    if bare and highest >= 10_000 and six >= _NEARLY_ALL * bare:
        digits = 6
    elif bare and 100 <= highest < 10_000 and four >= _NEARLY_ALL * bare:
        digits = 4
    return ClockReading(days > 0 and clocks + (bare if digits else 0) >= _MOST * days, digits)


def text_of(value: Expression, kind: str) -> Expression:
    """Return the expression for the texts of a column with days or with times of day.

    Args:
        value: The SQL expression of the column.
        kind: DuckDB's name of the type of the column.
    """
    if kind.startswith("TIMESTAMP"):
        value = value.cast("TIMESTAMP")  # the local time, if the type has a time zone
    if kind == "DOUBLE":
        return FunctionExpression("text_of_double", value)
    if kind in ("LIST", "BLOB") or kind.startswith(("STRUCT", "MAP", "UNION")):
        return SQLExpression("NULL::VARCHAR")
    return value.cast("VARCHAR")


def joined(day: Expression, clock: Expression, reading: ClockReading) -> Expression:
    """Return the expression for the texts of whole times. `day` and `clock` are the results of `text_of`."""
    return (
        FunctionExpression("day_and_clock", day, clock, ConstantExpression(reading.digits)) if reading.is_used else day
    )
