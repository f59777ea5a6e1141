"""Evaluates the condition of `emojob forget` a second time, before a row is removed.

The second reader shares no view with the first one: PyArrow reads each part file, the columns are taken by their exact
names, and a new database evaluates the condition.
"""

from __future__ import annotations

import datetime
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from duckdb import (
    CaseExpression,
    ColumnExpression,
    ConstantExpression,
    Expression,
    FunctionExpression,
    SQLExpression,
)
from numpy.typing import NDArray

from emojob.pipeline.output.labelled_archive import LabelledArchive
from emojob.pipeline.output.parts import open_parquet, row_groups
from emojob.pipeline.reading.schema import own_names
from emojob.pipeline.storage.paths import AnyPath
from emojob.pipeline.times.time_column import create_parser, joined_value, kind_of, moment_of
from emojob.pipeline.warehouse.database import interruptible
from emojob.pipeline.warehouse.exact_texts import inexact_columns
from emojob.pipeline.warehouse.queries.condition import Condition
from emojob.pipeline.warehouse.query import SessionTypes
from emojob.pipeline.warehouse.sql_text import free_names, identifier, literal
from emojob.pipeline.warehouse.views import ROLES
from emojob.schemas.arrow_text import usual_texts
from emojob.schemas.blank import NOT_BLANK
from emojob.schemas.columns import in_sql
from emojob.schemas.errors import EmojobError

Rows = NDArray[np.int64]


class SecondReader:
    """Checks the rows of `emojob forget`. Close it after use.

    Attributes:
        is_able: Whether the second reader can evaluate the condition. False for a condition with a subquery, for
            example.
    """

    def __init__(self, archive: LabelledArchive, condition: Condition, view: str, first: SessionTypes) -> None:
        """Prepare the database.

        Args:
            archive: The labelled archive.
            condition: The condition.
            view: Name of the view whose columns the condition names.
            first: How the first reader reads the columns.
        """
        self._condition, self._view, self._first = condition, view, first
        self._known = set(map(in_sql, archive.spellings))
        self._types = {in_sql(name): kind for name, kind in first.types.items()}
        self._roles = {name: getattr(archive, attribute) for name, attribute in ROLES.items()}
        self._roles["clock"] = archive.clock_column
        (self._clock,) = free_names(condition.names, ["emojob clock"])
        self._texts = set(map(in_sql, inexact_columns(archive)))  # the first reader shows them as text
        self.is_able = condition.is_plain
        self._db = duckdb.connect(config={"autoinstall_known_extensions": False, "python_enable_replacements": False})
        self._db.execute(f"SET TimeZone = {literal(first.session_zone)}")
        if any(in_sql(name) == "said_at" for name in condition.names):
            create_parser(self._db, not first.reading.is_common, first.reading.is_joined)

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def check(self, file: AnyPath, removed: Rows, path: Path | None = None, rows: int | None = None) -> None:
        """Check that exactly these rows of a labelled file match the condition.

        Args:
            file: The file, for the error message.
            removed: Sorted numbers of the matching rows. int64 [rows].
            path: The file to read, if it is not yet at its place. None: `file`.
            rows: Expected number of rows of the file. None: any number.

        Raises:
            EmojobError: Other rows match, or the number of rows is wrong. Nothing was removed.
        """
        where = path or file
        with open_parquet(where) as parquet:
            schema, count = parquet.schema_arrow, parquet.metadata.num_rows
        if rows is not None and count != rows:
            raise _difference(file, f"has {count:,} rows instead of {rows:,}")
        columns = self._columns(schema) if self.is_able else {}
        if not self.is_able:
            return
        first = 0
        names = list(dict.fromkeys(own for own, _ in columns.values() if own is not None))
        for table in row_groups(where, names):
            stop = first + len(table)
            expected = removed[np.searchsorted(removed, first) : np.searchsorted(removed, stop)] - first
            found = self._matching(table, names, columns)
            if found is None:
                self.is_able = False
                return
            if not np.array_equal(found, expected):
                raise _difference(file, f"differs in {len(np.setxor1d(found, expected)):,} rows")
            first = stop

    def _columns(self, schema: pa.Schema) -> dict[str, tuple[str | None, str]]:
        """Return {name in the condition: (column of the file or None, name of a column in `_VALUES`)}."""
        found: dict[str, tuple[str | None, str]] = {}
        for name in self._condition.names:
            is_own = in_sql(name) in self._known
            column = name if is_own else self._roles.get(in_sql(name))
            if column is None:
                continue  # the parameter of a lambda
            own = own_names(schema, [column]).get(column)
            twin = next((one for one in found if in_sql(one) == in_sql(name)), None)
            if twin is not None:
                self.is_able = self.is_able and found[twin][0] == own
                continue
            found[name] = (own, "" if is_own else in_sql(name))
        clock = self._roles["clock"]
        if self._first.reading.is_joined and any(role == "said_at" for _, role in found.values()):
            found[self._clock] = (own_names(schema, [str(clock)]).get(str(clock)), "clock")
        return found

    def _matching(self, table: pa.Table, names: list[str], columns: dict[str, tuple[str | None, str]]) -> Rows | None:
        """Return the sorted numbers of the matching rows of a table; None if the condition cannot be evaluated."""
        (index,) = free_names(list(columns), ["emojob index"])
        arrays = [self._values(table.column(name), name) for name in names]
        rows = pa.table([*arrays, np.arange(len(table))], names=[*(f"c{i}" for i in range(len(names))), "i"])
        try:
            with interruptible():
                self._db.register("arrow_rows", rows)
                typed = self._typed(names, columns)
                chosen = [self._value(typed, name, role).alias(name) for name, (_, role) in columns.items()]
                typed.select(*chosen, SQLExpression("i").alias(index)).create_view(self._view)
                query = (
                    f"SELECT {identifier(index)} FROM {identifier(self._view)} "  # noqa: S608 - the rows are in memory
                    f"WHERE ({self._condition.text}\n)"
                )
                found = self._db.sql(query).to_arrow_table().column(0)
        except (duckdb.Error, pa.ArrowException, NotImplementedError, TypeError, ValueError):
            return None
        return np.sort(found.to_numpy().astype(np.int64))

    def _values(self, column: pa.ChunkedArray, name: str) -> pa.ChunkedArray | pa.Array:
        return usual_texts(column.combine_chunks()) if in_sql(name) in self._texts else _without_dictionary(column)

    def _typed(self, names: list[str], columns: dict[str, tuple[str | None, str]]) -> duckdb.DuckDBPyRelation:
        """Return the columns with the types of the first reader, under the names in the condition."""
        chosen = []
        for name, (own, role) in columns.items():
            value = SQLExpression("NULL") if own is None else ColumnExpression(f"c{names.index(own)}")
            kind = self._types[in_sql(name if not role else self._roles[role] or "")]
            chosen.append(value.cast(duckdb.type(kind)).alias(name))
        return self._db.view("arrow_rows").select(*chosen, ColumnExpression("i"))

    def _value(self, rows: duckdb.DuckDBPyRelation, name: str, role: str) -> Expression:
        """Return the expression of a column of the condition."""
        value, kind = SQLExpression(f"#{rows.columns.index(name) + 1}"), kind_of(rows, name)
        if role in ("", "clock"):
            return value
        if role == "said_at":
            return self._said_at(rows, value, kind)
        text = value.cast("VARCHAR")
        if role == "text":
            return text
        if kind in ("FLOAT", "DOUBLE"):
            return CaseExpression(~FunctionExpression("isnan", value), text)
        return CaseExpression(FunctionExpression("regexp_matches", text, ConstantExpression(NOT_BLANK)), text)

    def _said_at(self, rows: duckdb.DuckDBPyRelation, value: Expression, kind: str) -> Expression:
        reading = self._first.reading
        if reading.clock is not None and reading.is_joined:
            clock = SQLExpression(f"#{rows.columns.index(self._clock) + 1}")
            value, kind = joined_value(value, clock, (kind, kind_of(rows, self._clock)), reading.clock), "VARCHAR"
        moment = moment_of(value, kind, reading)
        time = FunctionExpression("local_time", moment, ConstantExpression(self._first.zone))
        first, last = (ConstantExpression(one) for one in (datetime.datetime.min, datetime.datetime.max))
        return CaseExpression(time.between(first, last), time)


def _without_dictionary(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _difference(file: AnyPath, what: str) -> EmojobError:
    return EmojobError(
        f"nothing was removed: emojob evaluates --where twice, and the second result for {file} {what}; write the "
        "condition differently, and report this error to the developers of emojob"
    )
