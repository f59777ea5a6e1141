"""Removes values that no row uses, before rows are written to a file.

A dictionary array can contain values that none of its rows uses. For example, each slice of a batch has the dictionary
of the whole batch. Parquet files store the whole dictionary. So without `compacted`, a file could contain values of
rows that are in other files, or of rows that `emojob forget` removed. The metadata of an input can contain values, too.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa

from emojob.pipeline.reading.formats.parquet_metadata import UTC_TIME, plain_metadata

# Metadata of a column that contains no values: the column number, the names of Arrow's own extension types, UTC.
_FIELD_KEYS = (b"PARQUET:field_id", b"ARROW:extension:name", b"ARROW:extension:metadata", *UTC_TIME)
_STATUS = "emotion_status"
# Parts of the pandas metadata that describe the columns. `attributes` is left out, because it may contain values.
_PANDAS_KEYS = ("index_columns", "column_indexes", "columns", "creator", "pandas_version")


def compacted(table: pa.Table) -> pa.Table:
    """Return the same rows, with dictionaries that contain only the values of these rows.

    Dictionaries inside lists, maps, structs and extension types are compacted, too. The schema stays the same. The
    dictionaries of the columns that emojob adds stay complete, because they contain only labels and statuses.
    """
    ours = _columns_of_emojob(table.schema)
    columns = [
        column if name in ours or not _has_dictionary(column.type) else _compacted_column(column)
        for name, column in zip(table.column_names, table.columns, strict=True)
    ]
    return pa.table(columns, schema=table.schema)


def schema_without_values(schema: pa.Schema, keep_own: bool = False) -> pa.Schema:
    """Return a schema whose metadata contains no values of rows.

    These metadata stay: the key `emojob`, the description of the columns by pandas and GeoParquet, column numbers, and
    the names of Arrow's extension types. All other metadata of columns is removed: for example, Polars stores all
    values of an Enum column there.

    Args:
        schema: Schema of a table or a Parquet file.
        keep_own: Whether to keep the other keys of the schema metadata, which the owner of the input chose.
    """
    metadata = dict[bytes, bytes]()
    for key, value in (plain_metadata(schema.metadata) or {}).items():
        if key == b"pandas":
            metadata |= _pandas_columns(value)
        elif key in (b"emojob", b"geo") or keep_own:
            metadata[key] = value
    return pa.schema(list(map(_plain_field, schema)), metadata or None)


def may_hold_other_values(schema: pa.Schema) -> bool:
    """Return whether a part file of an earlier version, with this schema, may contain values of other rows."""
    ours = _columns_of_emojob(schema)
    kinds = [field.type for field in schema if field.name not in ours]
    return any(map(_has_dictionary, kinds)) or not schema.equals(schema_without_values(schema), check_metadata=True)


def _columns_of_emojob(schema: pa.Schema) -> set[str]:
    """Return the names of the label and the status column of a part file, which ends with the status column."""
    if not schema.names or not schema.names[-1].endswith(_STATUS):
        return set()
    return {schema.names[-1], schema.names[-1].removesuffix(_STATUS) + "emotion"}


def _has_dictionary(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return True
    if isinstance(kind, pa.BaseExtensionType):
        return _has_dictionary(kind.storage_type)
    return any(_has_dictionary(kind.field(i).type) for i in range(kind.num_fields))


def _compacted_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not column.num_chunks:
        return column
    try:
        chunks = [pa.concat_arrays(column.chunks)]  # one dictionary for all rows
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):  # the index type is too small for one dictionary
        chunks = column.chunks
    return pa.chunked_array(list(map(_compacted, chunks)), column.type)


def _compacted(array: pa.Array) -> pa.Array:
    kind = array.type
    if not _has_dictionary(kind):
        return array
    if pa.types.is_dictionary(kind):
        return _compacted_dictionary(array)
    if isinstance(kind, pa.BaseExtensionType):
        return kind.wrap_array(_compacted(array.storage))
    missing = array.is_null()
    if pa.types.is_struct(kind):
        # `flatten` sets the fields of a missing struct to null, so that their values do not count as used
        fields = [kind.field(i) for i in range(kind.num_fields)]
        return pa.StructArray.from_arrays(list(map(_compacted, array.flatten())), fields=fields, mask=missing)
    if pa.types.is_fixed_size_list(kind):
        return _compacted_fixed_size(array, missing)
    return _compacted_list(array, missing)


def _compacted_dictionary(array: pa.DictionaryArray) -> pa.DictionaryArray:
    """Return the array with a dictionary of the used values, in the order of the old dictionary."""
    kind = array.type
    used = np.unique(array.indices.drop_null().to_numpy(zero_copy_only=False)).astype(np.int64)
    new_index = np.zeros(len(array.dictionary), np.int64)
    new_index[used] = np.arange(len(used))
    old = array.indices.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    new = new_index[old] if len(new_index) else np.zeros(len(old), np.int64)
    indices = pa.array(new, mask=array.indices.is_null().to_numpy(zero_copy_only=False)).cast(kind.index_type)
    return pa.DictionaryArray.from_arrays(indices, array.dictionary.take(pa.array(used)), ordered=kind.ordered)


def _compacted_fixed_size(array: pa.FixedSizeListArray, missing: pa.Array) -> pa.Array:
    size, present = array.type.list_size, ~missing.to_numpy(zero_copy_only=False)
    position = np.cumsum(present) - 1  # `flatten` leaves out the values of missing lists
    places = (position[:, None] * size + np.arange(size)).ravel()
    values = array.flatten().take(pa.array(places, mask=np.repeat(~present, size)))
    return pa.FixedSizeListArray.from_arrays(_compacted(values), type=array.type, mask=missing)


def _compacted_list(array: Any, missing: pa.Array) -> pa.Array:
    """Compact a list, a large list, a list view, a large list view or a map."""
    kind = array.type
    if pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind):
        return _compacted_view(array, missing)
    if pa.types.is_map(kind):
        array = _as_list(array)
    is_present = ~missing.to_numpy(zero_copy_only=False)
    offsets = array.offsets.to_numpy(zero_copy_only=False)
    lengths = np.where(is_present, np.diff(offsets), 0)
    width = pa.int64() if pa.types.is_large_list(kind) else pa.int32()
    begins = pa.array(np.concatenate([[0], np.cumsum(lengths)]), width)
    values = _compacted(array.flatten())  # without the values of missing lists
    validity = pa.array(is_present).buffers()[1] if missing.true_count else None
    return pa.Array.from_buffers(kind, len(array), [validity, begins.buffers()[1]], children=[values])


def _compacted_view(array: Any, missing: pa.Array) -> pa.Array:
    kind = array.type
    large = pa.types.is_large_list_view(kind)
    sizes = np.where(missing.to_numpy(zero_copy_only=False), 0, array.sizes.to_numpy(zero_copy_only=False))
    width, view = (pa.int64(), pa.LargeListViewArray) if large else (pa.int32(), pa.ListViewArray)
    begins = pa.array(np.cumsum(sizes) - sizes, width)
    values = _compacted(array.flatten())  # in the order of the lists
    return view.from_arrays(begins, pa.array(sizes, width), values, type=kind, mask=missing)


def _as_list(array: pa.MapArray) -> pa.ListArray:
    """Return a map as a list of structs with a key and an item."""
    whole = pa.concat_arrays([array])  # without an offset, because `keys` and `items` ignore the offset
    entries = pa.struct([whole.type.key_field, whole.type.item_field])
    values = pa.StructArray.from_arrays([whole.keys, whole.items], fields=list(entries))
    return pa.Array.from_buffers(pa.list_(entries), len(whole), whole.buffers()[:2], children=[values])


def _plain_field(field: pa.Field) -> pa.Field:
    metadata = {key: value for key, value in (field.metadata or {}).items() if key in _FIELD_KEYS}
    if not metadata.get(b"ARROW:extension:name", b"arrow.").startswith(b"arrow."):
        metadata = {key: value for key, value in metadata.items() if key in (b"PARQUET:field_id", *UTC_TIME)}
    return field.with_type(_plain_type(field.type)).with_metadata(metadata or None)


def _plain_type(kind: pa.DataType) -> pa.DataType:
    """Return a type whose fields have no metadata with values."""
    if isinstance(kind, pa.BaseExtensionType) or not kind.num_fields:
        return kind
    if pa.types.is_struct(kind):
        return pa.struct([_plain_field(kind.field(i)) for i in range(kind.num_fields)])
    if pa.types.is_map(kind):
        return pa.map_(_plain_field(kind.key_field), _plain_field(kind.item_field), kind.keys_sorted)
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(_plain_field(kind.value_field), kind.list_size)
    for is_kind, make in _LISTS:
        if is_kind(kind):
            return make(_plain_field(kind.value_field))
    return kind


_LISTS = (
    (pa.types.is_list, pa.list_),
    (pa.types.is_large_list, pa.large_list),
    (pa.types.is_list_view, pa.list_view),
    (pa.types.is_large_list_view, pa.large_list_view),
)


def _pandas_columns(value: bytes) -> dict[bytes, bytes]:
    """Return the pandas metadata without `attributes`; {} if the metadata is malformed."""
    try:
        plain = json.loads(value)
        return {b"pandas": json.dumps({key: plain[key] for key in _PANDAS_KEYS if key in plain}).encode()}
    except (ValueError, TypeError, RecursionError):
        return {}
