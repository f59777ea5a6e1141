"""Merges the schemas of files into a common schema, and converts rows to the common schema.

- The inputs of a run get one schema. Conversion does not change any value.
- The part files of an archive may come from many runs, so their columns and types may differ.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from emojob.pipeline.reading.columns import Part
from emojob.pipeline.reading.inputs import InputFile
from emojob.schemas.arrow_text import is_string
from emojob.schemas.column_names import shown
from emojob.schemas.columns import in_sql
from emojob.schemas.errors import ColumnError, DataError


def common_schema(parts: Sequence[Part]) -> pa.Schema:
    """Return a schema with the columns of all files, in the order of first occurrence.

    If all schemas are equal, the first schema is returned. Otherwise, each column gets the narrowest type that holds
    all values of the column unchanged. A column is nullable if it is missing in a file.

    Raises:
        ColumnError: No type holds all values of a column unchanged.
    """
    if all(own.equals(parts[0][1], check_metadata=True) for _, own in parts):
        return parts[0][1]
    fields: dict[str, pa.Field] = {}
    first: dict[str, InputFile] = {}
    for file, own in parts:
        for field in own:
            known = fields.setdefault(field.name, field)
            kind = common_type(known.type, field.type)
            if kind is None:
                raise ColumnError(
                    f"column {shown(field.name)} is {known.type} in {first[field.name].name}, but {field.type} in "
                    f"{file.name}; score the two files separately, or convert the column in one of them"
                )
            first.setdefault(field.name, file)
            fields[field.name] = known.with_type(kind).with_nullable(known.nullable or field.nullable)
    everywhere = set.intersection(*(set(own.names) for _, own in parts))
    for name, field in fields.items():
        if name not in everywhere:
            fields[name] = field.with_nullable(True)
    return pa.schema(list(fields.values()), _common_metadata(parts))


def _common_metadata(parts: Sequence[Part]) -> dict[bytes, bytes] | None:
    """Return the schema metadata that all files have in common, or None."""
    metadata = dict(parts[0][1].metadata or {})
    for _, own in parts:
        metadata = {key: value for key, value in metadata.items() if (own.metadata or {}).get(key) == value}
    return metadata or None


def common_type(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    """Return the narrowest type that holds the values of types `a` and `b` unchanged; None if there is none."""
    if a.equals(b) or pa.types.is_null(b):
        return a
    if pa.types.is_null(a):
        return b
    if pa.types.is_dictionary(a) or pa.types.is_dictionary(b):
        return common_type(_values(a), _values(b))
    for family in (_text_type, _number_type, _time_type, _decimal_type):
        kind = family(a, b)
        if kind is not None:
            return kind
    lists = (pa.types.is_list, pa.types.is_large_list)
    if any(is_list(a) for is_list in lists) and any(is_list(b) for is_list in lists):
        inner = common_type(a.value_type, b.value_type)
        large = pa.types.is_large_list(a) or pa.types.is_large_list(b)
        return inner and (pa.large_list(inner) if large else pa.list_(inner))
    return None


def _values(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _text_type(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    if is_string(a) and is_string(b):
        return pa.large_string() if pa.large_string() in (a, b) else pa.string()
    if {a, b} == {pa.binary(), pa.large_binary()}:
        return pa.large_binary()
    return None


def _number_type(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    """Return the narrowest number type that holds the values of `a` and `b` exactly; None if there is none."""
    order = (
        pa.uint8(), pa.int8(), pa.uint16(), pa.int16(), pa.uint32(), pa.int32(), pa.uint64(), pa.int64(),
        pa.float16(), pa.float32(), pa.float64(),
    )  # fmt: skip
    if a not in order or b not in order:
        return None
    return next((kind for kind in order if _fits(a, kind) and _fits(b, kind)), None)


def _fits(kind: pa.DataType, into: pa.DataType) -> bool:
    """Return whether the number type `into` holds every value of type `kind` exactly."""
    if pa.types.is_floating(into):
        # a float holds every integer of up to this number of bits exactly
        exact = {16: 11, 32: 24, 64: 53}[into.bit_width]
        return bool(kind.bit_width <= into.bit_width if pa.types.is_floating(kind) else kind.bit_width <= exact)
    if pa.types.is_floating(kind):
        return False
    if pa.types.is_signed_integer(kind) == pa.types.is_signed_integer(into):
        return bool(kind.bit_width <= into.bit_width)
    return bool(pa.types.is_signed_integer(into) and kind.bit_width < into.bit_width)


def _time_type(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    """Return the timestamp type with the finer unit; None unless `a` and `b` are timestamps of the same time zone.

    If a unit is nanoseconds, the result is None, because Arrow cannot store times after the year 2262 in nanoseconds.
    """
    if not (pa.types.is_timestamp(a) and pa.types.is_timestamp(b) and a.tz == b.tz) or "ns" in (a.unit, b.unit):
        return None
    return max(a, b, key=lambda kind: ("s", "ms", "us").index(kind.unit))


def _decimal_type(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    if pa.types.is_decimal128(a) and pa.types.is_decimal128(b) and a.scale == b.scale:
        return max(a, b, key=lambda kind: kind.precision)
    return None


# -- tables of one archive ---------------------------------------------------------------------------------------------


def united_names(schemas: Iterable[pa.Schema]) -> tuple[str, ...]:
    """Return the column names of all schemas, in the order of first occurrence.

    Names that differ only in the case of ASCII letters are one column, as in DuckDB. The first spelling is returned.
    """
    names: dict[str, str] = {}
    for schema in schemas:
        for name in schema.names:
            names.setdefault(in_sql(name), name)
    return tuple(names.values())


def own_names(schema: pa.Schema, names: Iterable[str]) -> dict[str, str]:
    """Return {name: name of the same column in `schema`}, without the columns that `schema` lacks."""
    exact, folded = set(schema.names), {in_sql(name): name for name in reversed(schema.names)}
    found = {name: name if name in exact else folded.get(in_sql(name)) for name in names}
    return {name: own for name, own in found.items() if own is not None}


def united(tables: Sequence[pa.Table]) -> pa.Table:
    """Return the rows of all tables. A column that a table lacks is null in its rows.

    If the types of a column differ, the column gets a type that holds all values, as in DuckDB: for example, numbers
    become texts if another table has texts.

    Raises:
        ColumnError: No type holds all values of a column.
    """
    if all(table.schema.equals(tables[0].schema) for table in tables):
        return pa.concat_tables(tables)
    names = united_names(table.schema for table in tables)
    fields, owns = [], [own_names(table.schema, names) for table in tables]
    for name in names:
        kinds = [table.schema.field(own[name]).type for table, own in zip(tables, owns, strict=True) if name in own]
        kind: pa.DataType | None = kinds[0]
        for other in kinds[1:]:
            together = kind and _united_type(kind, other)
            if together is None:
                raise _no_common_type(name, kind, other)
            kind = together
        fields.append(pa.field(name, kind))
    found = []
    for table, own in zip(tables, owns, strict=True):
        columns = [as_type(table, own.get(field.name), field) for field in fields]
        found.append(pa.table(columns, schema=pa.schema(fields)))
    return pa.concat_tables(found)


def _united_type(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    """Return a type for the values of both types; None if there is none."""
    if (kind := common_type(a, b)) is not None:
        return kind
    a, b = _values(a), _values(b)
    for one, other in ((a, b), (b, a)):
        if is_string(one) and (pa.types.is_integer(other) or pa.types.is_boolean(other) or pa.types.is_date(other)):
            return pa.large_string()
        if pa.types.is_boolean(one) and pa.types.is_integer(other):
            return other
        if pa.types.is_date(one) and pa.types.is_timestamp(other) and other.tz is None:
            return other
        if pa.types.is_integer(one) and pa.types.is_floating(other):
            return pa.float64()
    if pa.types.is_timestamp(a) and pa.types.is_timestamp(b) and a.tz and b.tz:
        return pa.timestamp(max(a.unit, b.unit, key=("s", "ms", "us", "ns").index), a.tz)
    with contextlib.suppress(pa.ArrowException):
        pair = [pa.schema([pa.field("x", kind)]) for kind in (a, b)]
        return pa.unify_schemas(pair, promote_options="permissive").field(0).type
    return None


def as_type(table: pa.Table, own: str | None, field: pa.Field) -> pa.ChunkedArray:
    """Return a column of a table with the type of `field`, or nulls.

    Args:
        table: The table.
        own: Name of the column in the table. None: return nulls.
        field: Name and type of the result.

    Raises:
        ColumnError: A value does not fit into the type.
    """
    if own is None:
        return pa.chunked_array([pa.nulls(len(table), field.type)])
    column = table.column(own)
    if column.type.equals(field.type):
        return column
    try:
        return column.cast(field.type)
    except pa.ArrowException as error:
        raise _no_common_type(field.name, column.type, field.type) from error


def _no_common_type(name: str, a: pa.DataType | None, b: pa.DataType) -> ColumnError:
    return ColumnError(
        f"column {name!r} has the type {a} in some part files, but {b} in others, and no type holds all values: select "
        f"the other columns with an SQL query"
    )


# -- batches of a file -------------------------------------------------------------------------------------------------


def align(batch: pa.RecordBatch, file: InputFile, schema: pa.Schema) -> pa.RecordBatch:
    """Return the rows of a file in the schema of the dataset. Missing columns are filled with nulls.

    Args:
        batch: Rows of the file.
        file: The file. Each partition (key=value folder) becomes a column with one value.
        schema: Schema of the dataset.

    Raises:
        DataError: A value does not fit into the type of its column.
    """
    if batch.schema.equals(schema, check_metadata=True):
        return batch
    partitions, own, arrays = dict(file.partitions), set(batch.schema.names), []
    for field in schema:
        if field.name in own:
            array = batch.column(field.name)
            arrays.append(array if array.type.equals(field.type) else _widened(array, field, file))
        elif partitions.get(field.name) is not None:
            constant = pa.repeat(pa.scalar(partitions[field.name], pa.string()), batch.num_rows)
            arrays.append(constant if constant.type.equals(field.type) else _widened(constant, field, file))
        else:
            arrays.append(pa.nulls(batch.num_rows, field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _widened(array: pa.Array, field: pa.Field, file: InputFile) -> pa.Array:
    try:
        return pc.cast(array, field.type)
    except pa.ArrowException as error:
        raise DataError(
            f"column {shown(field.name)} of {file.name} cannot be converted to the type {field.type} of the dataset; "
            f"score this file separately"
        ) from error
