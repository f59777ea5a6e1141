"""Merges the schemas of files into a common schema, and converts rows to the common schema.

- The inputs of a run get one schema. Conversion does not change any value.
- The part files of an archive may come from many runs, so their columns and types may differ.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from emojob.pipeline.reading.columns import Part
from emojob.pipeline.reading.common_types import common_type, possible_types, value_type
from emojob.pipeline.reading.files.input_file import InputFile
from emojob.schemas.arrow_text import is_string, usual_texts
from emojob.schemas.column_names import is_usual, shown
from emojob.schemas.columns import in_sql
from emojob.schemas.errors import ColumnError, DataError

#: check(file, column, type) returns whether the type holds all values of a column of a file unchanged.
Check = Callable[[InputFile, str, pa.DataType], bool]


def common_schema(
    parts: Sequence[Part], as_text: Collection[str] = (), check: Check = lambda file, name, kind: False
) -> pa.Schema:
    """Return a schema with the columns of all files, in the order of first occurrence.

    If all schemas are equal, the first schema is returned. Otherwise, each column gets the narrowest type that holds
    all values of the column unchanged. A column is nullable if it is missing in a file.

    Args:
        parts: (file, schema of the file) for each file.
        as_text: Names of columns that become text.
        check: Called if a type holds only some of the values that the type of a column in a file allows.

    Raises:
        ColumnError: No type holds all values of a column unchanged.
    """
    if not as_text and all(own.equals(parts[0][1], check_metadata=True) for _, own in parts):
        return parts[0][1]
    fields: dict[str, pa.Field] = {}
    kinds: dict[str, dict[pa.DataType, list[InputFile]]] = {}
    for file, own in parts:
        for field in own:
            known = fields.setdefault(field.name, field)
            fields[field.name] = known.with_nullable(known.nullable or field.nullable)
            kinds.setdefault(field.name, {}).setdefault(field.type, []).append(file)
    everywhere = set.intersection(*(set(own.names) for _, own in parts))
    for name, field in fields.items():
        kind = _text_kind(kinds[name]) if name in as_text else _column_type(name, kinds[name], check)
        field = field if kind.equals(field.type) else pa.field(name, kind, field.nullable, _plain_metadata(field))
        fields[name] = field if name in everywhere else field.with_nullable(True)
    return pa.schema(list(fields.values()), _common_metadata(parts))


def _plain_metadata(field: pa.Field) -> dict[bytes, bytes] | None:
    """Return the metadata of a field without the metadata about its type."""
    metadata = {key: value for key, value in (field.metadata or {}).items() if not key.startswith(b"ARROW:extension")}
    return metadata or None


def _text_kind(kinds: Iterable[pa.DataType]) -> pa.DataType:
    """Return the type of a column that becomes text: its own type if it is text in all files, otherwise string."""
    kind = reduce(lambda a, b: a and common_type(a, b), kinds)
    return kind if kind is not None and (is_string(kind) or pa.types.is_null(kind)) else pa.string()


def _column_type(name: str, kinds: dict[pa.DataType, list[InputFile]], check: Check) -> pa.DataType:
    """Return the type of a column. Raises ColumnError if no type holds all values.

    Args:
        name: Name of the column.
        kinds: {type: files in which the column has the type}.
        check: See `common_schema`.
    """
    kind = reduce(lambda a, b: a and common_type(a, b), kinds)
    if kind is not None:
        return kind
    tried = False
    for kind in possible_types(list(kinds)):
        tried = True
        doubtful = [own for own in kinds if not _holds(kind, own)]
        if all(check(file, name, kind) for own in doubtful for file in kinds[own]):
            return kind
    one, other = _conflict(list(kinds))
    why = ", and no type holds all values unchanged" if tried else ""
    given = shown(name) if is_usual(name) else "COLUMN"
    raise ColumnError(
        f"column {shown(name)} is {one} in {kinds[one][0].name}, but {other} in {kinds[other][0].name}{why}; read the "
        f"column as text with --as-text {given}, or score the two files separately"
    )


def _holds(kind: pa.DataType, own: pa.DataType) -> bool:
    common = common_type(kind, own)
    return common is not None and bool(common.equals(kind))


def _conflict(kinds: Sequence[pa.DataType]) -> tuple[pa.DataType, pa.DataType]:
    """Return the first two types that have no common type."""
    pairs = ((a, b) for i, b in enumerate(kinds) for a in kinds[:i])
    return next((pair for pair in pairs if common_type(*pair) is None), (kinds[0], kinds[-1]))


def _common_metadata(parts: Sequence[Part]) -> dict[bytes, bytes] | None:
    """Return the schema metadata that all files have in common, or None."""
    metadata = dict(parts[0][1].metadata or {})
    for _, own in parts:
        metadata = {key: value for key, value in metadata.items() if (own.metadata or {}).get(key) == value}
    return metadata or None


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
    a, b = value_type(a), value_type(b)
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
        return converted(array, field.type)
    except pa.ArrowException as error:
        raise DataError(
            f"column {shown(field.name)} of {file.name} cannot be converted to the type {field.type} of the dataset; "
            f"score this file separately"
        ) from error


def converted(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return a column with another type.

    Args:
        array: The column.
        kind: A type that holds the values of the column unchanged, or a string type. Values of other types than strings
            become the usual text (`usual_texts`).

    Raises:
        ArrowException: A value does not fit into the type.
    """
    if is_string(kind) and not is_string(value_type(array.type)):
        return usual_texts(array).cast(kind)
    return pc.cast(array, kind)
