"""Arrow types for JSON values, merged until all values of a column, over whole files, have one type.

The order is null < integer < number. Lists are merged by their values, objects by their fields. None stands for a
column without a common type, such as strings and numbers, or integers that a double cannot hold exactly. Such a column
is kept as JSON text.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

Kinds = dict[str, pa.DataType | None]

# Two kinds of integers while files are surveyed: those that a double holds exactly, and all other int64s.
NARROW, WIDE = pa.int32(), pa.int64()
_NARROW_LIMIT, _WIDE_LIMIT = 1 << 53, 1 << 63

DEEPEST = 64  # levels of lists and objects; deeper values are kept as JSON text
_MOST_FIELDS = 1000  # of an object; one with more is a dictionary, not a record


class Disagreement(Exception):
    """No Arrow type holds the values unchanged."""


def kind_of(value: Any, depth: int = 0) -> pa.DataType:
    """Return the kind of one value.

    Args:
        value: Value from `json.loads`.
        depth: Number of lists and objects around it.

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
    """Return the kind for a type that pyarrow.json inferred from values without wide integers. Raises Disagreement."""
    if pa.types.is_temporal(kind):  # pyarrow infers this from strings
        return pa.string()
    if pa.types.is_integer(kind):
        return NARROW
    if pa.types.is_list(kind):
        return pa.list_(from_inferred(kind.value_type))
    if pa.types.is_struct(kind):
        return _struct([(field.name, from_inferred(field.type)) for field in kind])
    return kind


def merge(a: pa.DataType, b: pa.DataType) -> pa.DataType:
    """Return the kind that holds the values of both kinds. Raises Disagreement."""
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
    """Merge the kind of more values into the kind of a column.

    Args:
        kinds: Kinds of all columns so far; changed in place.
        name: Name of the column.
        kind: Kind of the values, None for JSON text.
    """
    known = kinds.get(name, pa.null())
    try:
        kinds[name] = None if kind is None or known is None else merge(known, kind)
    except Disagreement:
        kinds[name] = None


def column_type(kind: pa.DataType | None) -> pa.DataType | None:
    """Return the Arrow type of a column, None for JSON text."""
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
    """Return the type with int64 for all integers, and strings for the values of lists of nulls.

    pyarrow.json miscounts the rows of lists of nulls.
    """
    if kind == NARROW:
        return WIDE
    if pa.types.is_list(kind):
        return pa.list_(pa.string() if pa.types.is_null(kind.value_type) else _final_type(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, _final_type(field.type)) for field in kind])
    return kind
