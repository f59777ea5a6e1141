"""Finds the Arrow type of each JSON column by merging the kinds of all its values in all files.

A kind is an Arrow type, or None if the values have no common type. Null merges with every kind. Integers and floats are
merged into floats. To merge two lists, the kinds of their values are merged. To merge two objects, the kinds of each
field are merged. Strings and numbers have no common type. Floats have no common type with integers that a double cannot
hold exactly. A column of kind None is kept as JSON text.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

Kinds = dict[str, pa.DataType | None]

# Kinds of integers until all files are read: NARROW if a double holds the value exactly, WIDE for every other int64.
NARROW, WIDE = pa.int32(), pa.int64()
_NARROW_LIMIT, _WIDE_LIMIT = 1 << 53, 1 << 63

DEEPEST = 64  # maximum levels of lists and objects; a column of deeper values is kept as JSON text
_MOST_FIELDS = 1000  # maximum fields of an object; a column of larger objects is kept as JSON text


class Disagreement(Exception):
    """Raised if no Arrow type holds all values unchanged."""


def kind_of(value: Any, depth: int = 0) -> pa.DataType:
    """Return the kind of one JSON value.

    Args:
        value: Value from `json.loads`.
        depth: Number of lists and objects that contain the value.

    Raises:
        Disagreement: The value has no Arrow type, or is nested deeper than DEEPEST.
    """
    if value is None:
        return pa.null()
    if isinstance(value, bool):
        return pa.bool_()
    if isinstance(value, int):
        if not -_WIDE_LIMIT <= value < _WIDE_LIMIT:
            raise Disagreement
        return NARROW if abs(value) <= _NARROW_LIMIT else WIDE
    if isinstance(value, float):
        return pa.float64()
    if isinstance(value, str):
        return pa.string()
    if depth == DEEPEST:
        raise Disagreement
    if isinstance(value, list):
        inner = pa.null()
        for item in value:
            inner = merge(inner, kind_of(item, depth + 1))
        return pa.list_(inner)
    return _struct([(name, kind_of(item, depth + 1)) for name, item in value.items()])


def from_inferred(kind: pa.DataType) -> pa.DataType:
    """Return the kind for a type that pyarrow.json inferred. Raises Disagreement.

    The values must not contain integers of 16 or more digits. pyarrow.json reads all integers as int64, and this
    function assumes that a double holds them exactly.
    """
    if pa.types.is_temporal(kind):  # pyarrow.json reads some strings as times
        return pa.string()
    if pa.types.is_integer(kind):
        return NARROW
    if pa.types.is_list(kind):
        return pa.list_(from_inferred(kind.value_type))
    if pa.types.is_struct(kind):
        return _struct([(field.name, from_inferred(field.type)) for field in kind])
    return kind


def merge(a: pa.DataType, b: pa.DataType) -> pa.DataType:
    """Return the kind that holds the values of kinds `a` and `b`. Raises Disagreement if there is none."""
    if pa.types.is_null(b) or a.equals(b):
        return a
    if pa.types.is_null(a):
        return b
    if {a, b} == {NARROW, WIDE}:
        return WIDE
    if {a, b} == {NARROW, pa.float64()}:
        return pa.float64()
    if pa.types.is_list(a) and pa.types.is_list(b):
        return pa.list_(merge(a.value_type, b.value_type))
    if pa.types.is_struct(a) and pa.types.is_struct(b):
        fields = {field.name: field.type for field in a}
        for field in b:
            fields[field.name] = merge(fields.get(field.name, pa.null()), field.type)
        return _struct(list(fields.items()))
    raise Disagreement


def add(kinds: Kinds, name: str, kind: pa.DataType | None) -> None:
    """Add new values of a column: merge their kind into the kind of the column.

    Args:
        kinds: {column: its kind so far}; changed in place.
        name: Name of the column.
        kind: Kind of the new values; None if they have no common type.
    """
    known = kinds.get(name, pa.null())
    try:
        kinds[name] = None if kind is None or known is None else merge(known, kind)
    except Disagreement:
        kinds[name] = None


def column_type(kind: pa.DataType | None) -> pa.DataType | None:
    """Return the Arrow type of a column; None if it is kept as JSON text."""
    if kind is None or _has_empty_struct(kind):  # Parquet cannot store objects without fields
        return None
    return _final_type(kind)


def _struct(fields: list[tuple[str, pa.DataType]]) -> pa.DataType:
    if len(fields) > _MOST_FIELDS:
        raise Disagreement
    return pa.struct(fields)


def _has_empty_struct(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return kind.num_fields == 0 or any(_has_empty_struct(field.type) for field in kind)
    return bool(pa.types.is_list(kind) and _has_empty_struct(kind.value_type))


def _final_type(kind: pa.DataType) -> pa.DataType:
    """Return the Arrow type of a kind: int64 for integers, and list<string> for lists that contain only nulls.

    list<null> is not used, because pyarrow.json then returns a wrong number of rows.
    """
    if kind == NARROW:
        return WIDE
    if pa.types.is_list(kind):
        return pa.list_(pa.string() if pa.types.is_null(kind.value_type) else _final_type(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, _final_type(field.type)) for field in kind])
    return kind
