"""Shows the values of some columns as text, because DuckDB would change them.

- DuckDB reads decimals with more than 38 digits as floating-point numbers.
- If a column has integers in some part files and floating-point numbers in others, DuckDB rounds large integers. The
  same is true for decimals.
- If the fields of a struct have names that differ only in upper and lower case, DuckDB renames a field, and reads
  another field than the one that a query names.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence

import duckdb
import numpy as np
import pyarrow as pa
from duckdb import ColumnExpression, ConstantExpression, Expression, FunctionExpression
from duckdb.func import ARROW, SPECIAL
from duckdb.sqltypes import BIGINT, INTEGER, VARCHAR

from emojob.pipeline.output.labelled_archive import LabelledArchive
from emojob.pipeline.reading.schema import own_names
from emojob.pipeline.warehouse.sql_text import identifier, literal
from emojob.schemas.arrow_text import usual_texts
from emojob.schemas.column_names import is_usual, listed_columns, may_be_values, shown
from emojob.schemas.columns import in_sql, same_names

_FUNCTION = "emojob_exact_text"
_MOST_DIGITS = 38  # of DuckDB's DECIMAL
_CACHED = 32  # row groups


def inexact_columns(archive: LabelledArchive) -> list[str]:
    """Return the names of the columns whose values DuckDB would change."""
    found = []
    for name in archive.columns:
        kinds = _kinds(archive, name)
        if twin_fields(kinds)[1] or any(map(_has_wide_decimal, kinds)) or _is_mixed(archive, name, kinds):
            found.append(name)
    return found


def nested_texts(archive: LabelledArchive) -> dict[str, str]:
    """Return {column of structs, lists or maps that is shown as text: the message that refuses other uses of it}."""
    found = {}
    for name in inexact_columns(archive):
        kinds = _kinds(archive, name)
        if not any(map(pa.types.is_nested, kinds)):
            continue
        path, twins = twin_fields(kinds)
        why = f"has fields whose names are the same in SQL: {listed_columns(twins)}" if twins else "has large decimals"
        column = identifier(name) if is_usual(name) else "COLUMN"
        example = literal(f'{path}."{twins[-1]}"') if twins and not may_be_values(twins) else "'$.FIELD'"
        part = f"; for a part of it, write for example json_extract_string({column}, {example})"
        if twins and len(set(twins)) < len(twins):
            part = "; rename these fields in the input, then run `emojob score` again with --fresh"
        found[name] = f"the column {shown(name)} {why}; DuckDB would change it, so it is shown as text (JSON){part}"
    return found


def twin_fields(kinds: Sequence[pa.DataType], path: str = "$") -> tuple[str, list[str]]:
    """Return the names of the first fields of a struct that SQL cannot tell apart; [] if there are none.

    Args:
        kinds: The types of a column in several files. A struct may have other fields in each file.
        path: JSON path of the column.

    Returns:
        (JSON path of the struct, names).
    """
    fields: dict[str, list[pa.Field]] = {}
    inner: dict[str, list[pa.DataType]] = {}
    for kind in kinds:
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        own = [kind.field(i) for i in range(kind.num_fields)]
        if pa.types.is_struct(kind):
            if twins := same_names([field.name for field in own], in_sql):
                return path, twins
            for field in own:
                fields.setdefault(in_sql(field.name), []).append(field)
        elif pa.types.is_map(kind):  # in JSON, a map is a list of pairs
            inner.setdefault(f"{path}[0][0]", []).append(kind.key_type)
            inner.setdefault(f"{path}[0][1]", []).append(kind.item_type)
        elif own:
            inner.setdefault(f"{path}[0]", []).extend(field.type for field in own)
    for same in fields.values():
        names = list(dict.fromkeys(field.name for field in same))
        if len(names) > 1:
            return path, names
        inner[f'{path}."{names[0]}"'] = [field.type for field in same]
    found = (twin_fields(types, one) for one, types in inner.items())
    return next((one for one in found if one[1]), (path, []))


def _kinds(archive: LabelledArchive, name: str) -> list[pa.DataType]:
    return [schema.field(own[name]).type for schema in archive.schemas if (own := own_names(schema, [name]))]


def with_exact_texts(
    db: duckdb.DuckDBPyConnection, rows: duckdb.DuckDBPyRelation, archive: LabelledArchive, part: str, row: str
) -> duckdb.DuckDBPyRelation:
    """Return the rows with text in the columns whose values DuckDB would change.

    Args:
        db: The database.
        rows: The rows of the archive.
        archive: The labelled archive.
        part: Name of the column with the number of the part file.
        row: Name of the column with the number of the row in the part file.
    """
    names = inexact_columns(archive)
    if not names:
        return rows
    texts = _Texts(archive, names)
    db.create_function(_FUNCTION, texts.of, [INTEGER, BIGINT, BIGINT], VARCHAR, type=ARROW, null_handling=SPECIAL)
    numbers = {name: number for number, name in enumerate(names)}
    columns: list[Expression] = []
    for name in rows.columns:
        if name in numbers:
            place = [ColumnExpression(one).cast(BIGINT) for one in (part, row)]
            columns.append(FunctionExpression(_FUNCTION, ConstantExpression(numbers[name]), *place).alias(name))
        else:
            columns.append(ColumnExpression(name))
    return rows.select(*columns)


def _has_wide_decimal(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_decimal(kind):
        return bool(kind.precision > _MOST_DIGITS)
    return any(_has_wide_decimal(kind.field(i).type) for i in range(kind.num_fields))


def _is_mixed(archive: LabelledArchive, name: str, kinds: list[pa.DataType]) -> bool:
    """Return whether DuckDB would round numbers of a column, because the part files have other types of numbers."""
    decimals = [kind for kind in kinds if pa.types.is_decimal(kind)]
    floats = [kind for kind in kinds if pa.types.is_floating(kind)]
    if decimals:
        whole, scale = (max(sizes) for sizes in zip(*((d.precision - d.scale, d.scale) for d in decimals), strict=True))
        return bool(floats) or whole + scale > _MOST_DIGITS
    if not floats or not any(map(pa.types.is_integer, kinds)):
        return False
    most = 2**53 if any(map(pa.types.is_float64, floats)) else 2**24
    return any(not -most <= end <= most for end in _ends(archive, name))


def _ends(archive: LabelledArchive, name: str) -> Iterator[float]:
    """Yield the least and the greatest integer of a column in each row group; infinity if they are not known."""
    for part_file in archive.part_files:
        with archive.open_part(part_file) as parquet:
            own = own_names(parquet.schema_arrow, [name]).get(name)
            if own is None or not pa.types.is_integer(parquet.schema_arrow.field(own).type):
                continue
            paths = [parquet.schema.column(i).path for i in range(len(parquet.schema.names))]
            for group in map(parquet.metadata.row_group, range(parquet.metadata.num_row_groups)):
                statistics = group.column(paths.index(own)).statistics
                if statistics is not None and statistics.null_count == group.num_rows:
                    continue
                known = statistics is not None and statistics.has_min_max
                yield from (statistics.min, statistics.max) if known else (float("inf"),)


class _Texts:
    """Reads the values of columns as text, a row group at a time. DuckDB calls `of` from several threads."""

    def __init__(self, archive: LabelledArchive, names: list[str]) -> None:
        self._archive, self._names = archive, names
        self._lock = threading.Lock()
        self._groups: OrderedDict[tuple[int, int, int], pa.Array] = OrderedDict()
        self._starts: dict[int, np.ndarray] = {}

    def of(self, columns: pa.Array, parts: pa.Array, rows: pa.Array) -> pa.Array:
        """Return the text of each value.

        Args:
            columns: Number of the column. int32 [values].
            parts: Number of the part file. int64 [values].
            rows: Number of the row in the part file. int64 [values].
        """
        keys = [
            np.asarray(one.combine_chunks() if isinstance(one, pa.ChunkedArray) else one)
            for one in (columns, parts, rows)
        ]
        found = np.empty(len(keys[0]), object)
        for column, part in {*zip(keys[0].tolist(), keys[1].tolist(), strict=True)}:
            at = np.flatnonzero((keys[0] == column) & (keys[1] == part))
            starts = self._starts_of(part)
            groups = np.searchsorted(starts, keys[2][at], "right") - 1
            for group in np.unique(groups).tolist():
                here = at[groups == group]
                texts = self._texts(column, part, group)
                found[here] = texts.take(pa.array(keys[2][here] - starts[group])).to_pylist()
        return pa.array(found.tolist(), pa.string())

    def _starts_of(self, part: int) -> np.ndarray:
        """Return the number of the first row of each row group. int64 [row groups]."""
        with self._lock:
            if part not in self._starts:
                with self._archive.open_part(self._archive.part_files[part]) as parquet:
                    sizes = [parquet.metadata.row_group(i).num_rows for i in range(parquet.metadata.num_row_groups)]
                self._starts[part] = np.cumsum([0, *sizes[:-1]])
            return self._starts[part]

    def _texts(self, column: int, part: int, group: int) -> pa.Array:
        key = (column, part, group)
        with self._lock:
            if key not in self._groups:
                with self._archive.open_part(self._archive.part_files[part]) as parquet:
                    name = own_names(parquet.schema_arrow, [self._names[column]]).get(self._names[column])
                    rows = parquet.metadata.row_group(group).num_rows
                    values = parquet.read_row_group(group, [name])[name].combine_chunks() if name else pa.nulls(rows)
                self._groups[key] = usual_texts(values)
                if len(self._groups) > _CACHED:
                    self._groups.popitem(last=False)
            self._groups.move_to_end(key)
            return self._groups[key]
