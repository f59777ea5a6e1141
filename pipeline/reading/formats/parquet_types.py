"""Keeps types of Parquet that Arrow does not have, and refuses files whose values would come back as another type."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from emojob.pipeline.reading.files.input_file import InputFile
from emojob.pipeline.reading.formats.parquet_metadata import UTC_TIME, plain_metadata
from emojob.schemas.column_names import is_usual, listed_columns, shown
from emojob.schemas.errors import ColumnError, DataError

_ROWS = 61_440
_VARIANT = re.compile(r"^ +\w+ group field_id=\S+ (.*) \(Variant\(\d+\)\) \{$", re.MULTILINE)
_PLAIN_NAME = re.compile(r"[^\W\d]\w*")  # a name that needs no quotes in SQL


def schema_of(file: InputFile, parquet: pq.ParquetFile) -> pa.Schema:
    """Return the schema in which the values of a Parquet file are kept unchanged.

    It differs from PyArrow's schema: a time of day in UTC is marked (`UTC_TIME`), an ENUM is a string, and the metadata
    of GeoParquet contains no values. Views of strings and bytes are plain strings and bytes, because Arrow cannot
    filter views.

    Raises:
        ColumnError: A column has a type that PyArrow cannot write: INTERVAL, VARIANT, GEOMETRY or GEOGRAPHY.
        DataError: PyArrow cannot decompress the file.
    """
    schema = parquet.schema_arrow
    _check_codecs(file, parquet.metadata)
    kinds: dict[str, set[str]] = {}
    for i in range(len(parquet.schema.names)):
        leaf = parquet.schema.column(i)
        kinds.setdefault(_column_of(leaf.path, schema), set()).add(_kind(leaf))
    _refuse(file, "INTERVAL", _of_kind(kinds, "INTERVAL"), "VARCHAR")
    _refuse(file, "VARIANT", _VARIANT.findall(str(parquet.schema)), "JSON")
    _refuse(file, "GEOMETRY", [*_of_kind(kinds, "GEOMETRY"), *_of_kind(kinds, "GEOGRAPHY")], None)
    utc, local = _of_kind(kinds, "TIME UTC"), _of_kind(kinds, "TIME")
    if utc and local:
        raise ColumnError(
            f"{file.name} has times of day in UTC ({listed_columns(utc)}) and without a time zone "
            f"({listed_columns(local)}), and emojob can write only one of the two; write the file again: "
            f"{_copy(file, utc[0], 'VARCHAR')}"
        )
    for name in utc:
        schema = _with_field(schema, name, lambda field: field.with_metadata({**(field.metadata or {}), **UTC_TIME}))
    for name in _of_kind(kinds, "ENUM"):
        if pa.types.is_binary(schema.field(name).type):
            schema = _with_field(schema, name, lambda field: field.with_type(pa.string()))
    schema = without_views(schema)
    return schema.with_metadata(plain_metadata(schema.metadata))


def check_lists(file: InputFile, parquet: pq.ParquetFile) -> None:
    """Raise ColumnError if the lists in a file of DuckDB cannot be read: DuckDB writes a null ARRAY with values.

    All lists are read, so that the file is refused before anything is written.
    """
    if not (parquet.metadata.created_by or "").startswith("DuckDB"):
        return
    leaves = map(parquet.schema.column, range(len(parquet.schema.names)))
    names = [_column_of(leaf.path, parquet.schema_arrow) for leaf in leaves if leaf.max_repetition_level]
    for name in dict.fromkeys(names):
        try:
            for _ in parquet.iter_batches(_ROWS, columns=[name], use_threads=False):
                pass
        except pa.ArrowInvalid as error:
            raise ColumnError(
                f"column {shown(name)} of {file.name} is an ARRAY with null, which Arrow cannot read as DuckDB writes "
                f"it; write the file again: {_copy(file)}"
            ) from error


def wide_integers(file: InputFile) -> str:
    """Return a message about the columns of integers of 128 bits, which polars writes; "" if there are none."""
    import polars as pl

    if not isinstance(file.path, Path):
        return ""
    try:
        names = [name for name, kind in pl.read_parquet_schema(file.path).items() if kind in (pl.Int128, pl.UInt128)]
    except (pl.exceptions.PolarsError, OSError):
        return ""
    if not names:
        return ""
    code = (
        "import polars as p, sys; f = p.read_parquet(sys.argv[1]); "
        "f.with_columns(p.col(p.Int128, p.UInt128).cast(p.String)).write_parquet(sys.argv[2])"
    )
    copy = shlex.quote(str(file.path.with_name(f"copy of {file.path.name}")))
    return (
        f"column {shown(names[0])} of {file.name} has integers of 128 bits, which emojob cannot read; write them as "
        f"text: python -c {shlex.quote(code)} {shlex.quote(str(file.path))} {copy}"
    )


def _column_of(path: str, schema: pa.Schema) -> str:
    """Return the name of the column to which a path such as `a.list.element` belongs."""
    names = [name for name in schema.names if path == name or path.startswith(f"{name}.")]
    return max(names, key=len, default=path)


def _kind(leaf: pq.ColumnSchema) -> str:
    kind = str(leaf.logical_type.type)
    if kind == "TIME" and json.loads(leaf.logical_type.to_json()).get("isAdjustedToUTC"):
        return "TIME UTC"
    return "INTERVAL" if leaf.converted_type == "INTERVAL" else kind


def _of_kind(kinds: dict[str, set[str]], kind: str) -> list[str]:
    return [name for name, found in kinds.items() if kind in found]


def _check_codecs(file: InputFile, metadata: pq.FileMetaData) -> None:
    if not metadata.num_row_groups:
        return
    group = metadata.row_group(0)
    for codec in {group.column(i).compression for i in range(group.num_columns)} - {"UNCOMPRESSED"}:
        if not pa.Codec.is_available(codec.lower()):
            raise DataError(
                f"{file.name} is compressed with {codec}, which emojob cannot read; write the file again with ZSTD"
            )


def _refuse(file: InputFile, kind: str, names: Iterable[str], cast: str | None) -> None:
    names = list(names)
    if names:
        raise ColumnError(
            f"column {shown(names[0])} of {file.name} has the Parquet type {kind}, which emojob cannot write; write "
            f"the file again: {_copy(file, names[0], cast)}"
        )


def _copy(file: InputFile, name: str | None = None, cast: str | None = None) -> str:
    """Return the SQL statement of DuckDB that writes a file again, with a column cast to another type."""
    column = name if name and is_usual(name) and _PLAIN_NAME.fullmatch(name) else "COLUMN"
    chosen = f"SELECT * REPLACE ({column}::{cast} AS {column}) " if cast else ""
    rows = f"({chosen}FROM '{file.path.name}')"
    options = " (GEOPARQUET_VERSION 'V1')" if name and not cast else ""
    return f"COPY {rows} TO 'copy.parquet'{options} (in DuckDB)"


def _with_field(schema: pa.Schema, name: str, change: Callable[[pa.Field], pa.Field]) -> pa.Schema:
    at = schema.get_field_index(name)
    return schema if at < 0 else schema.set(at, change(schema.field(at)))


def without_views(schema: pa.Schema) -> pa.Schema:
    """Return a schema with strings and bytes instead of views of them, at each level, also in dictionaries."""
    return pa.schema(list(map(_plain_field, schema)), schema.metadata)


def _without_views(kind: pa.DataType) -> pa.DataType:
    """Return a type with strings and bytes instead of views of them, at each level. Arrow can filter views of lists."""
    if pa.types.is_string_view(kind) or pa.types.is_binary_view(kind):
        return pa.string() if pa.types.is_string_view(kind) else pa.binary()
    if pa.types.is_dictionary(kind):
        return pa.dictionary(kind.index_type, _without_views(kind.value_type), kind.ordered)
    if pa.types.is_struct(kind):
        return pa.struct([_plain_field(kind.field(i)) for i in range(kind.num_fields)])
    if pa.types.is_map(kind):
        return pa.map_(_plain_field(kind.key_field), _plain_field(kind.item_field), kind.keys_sorted)
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(_plain_field(kind.value_field), kind.list_size)
    if pa.types.is_large_list(kind):
        return pa.large_list(_plain_field(kind.value_field))
    return pa.list_(_plain_field(kind.value_field)) if pa.types.is_list(kind) else kind


def _plain_field(field: pa.Field) -> pa.Field:
    return field.with_type(_without_views(field.type))
