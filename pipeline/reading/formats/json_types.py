"""What the values of JSON are as columns: a lattice of Arrow types, so that whole files agree on one schema.

null < integer < number, lists by their values, objects by their fields. None stands for a column whose values do
not agree, which is kept as JSON text: a string here and a number there, or an integer that a double would blur.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

Kinds = dict[str, pa.DataType | None]

# Two kinds of integers while files are looked through: those that a double holds exactly, and the other int64s.
NARROW, WIDE = pa.int32(), pa.int64()
_NARROW_LIMIT, _WIDE_LIMIT = 1 << 53, 1 << 63

DEEPEST = 64  # levels of lists and objects; deeper values are kept as JSON text
_MOST_FIELDS = 1000  # of an object; one with more is rather a dictionary than a record


class Disagreement(Exception):
    """Values that no Arrow type holds unchanged."""


def kind_of(value: Any, depth: int = 0) -> pa.DataType:
    """The kind of one value. Raises Disagreement."""
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
    """The kind of a type that pyarrow.json found in values without wide integers. Raises Disagreement."""
    if pa.types.is_temporal(kind):  # pyarrow's guess from strings
        return pa.string()
    if pa.types.is_integer(kind):
        return NARROW
    if pa.types.is_list(kind):
        return pa.list_(from_inferred(kind.value_type))
    if pa.types.is_struct(kind):
        return _struct([(field.name, from_inferred(field.type)) for field in kind])
    return kind


def merge(a: pa.DataType, b: pa.DataType) -> pa.DataType:
    """The kind that holds the values of both. Raises Disagreement."""
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
    """Let a column of `kinds` hold values of `kind` too."""
    known = kinds.get(name, pa.null())
    try:
        kinds[name] = None if kind is None or known is None else merge(known, kind)
    except Disagreement:
        kinds[name] = None


def column_type(kind: pa.DataType | None) -> pa.DataType | None:
    """The Arrow type of a column, None for JSON text."""
    if kind is None or _has_empty_struct(kind):  # Parquet has no objects without fields
        return None
    return _settled(kind)


def _struct(fields: list[tuple[str, pa.DataType]]) -> pa.DataType:
    if len(fields) > _MOST_FIELDS:
        raise Disagreement
    return pa.struct(fields)


def _has_empty_struct(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return kind.num_fields == 0 or any(_has_empty_struct(field.type) for field in kind)
    return bool(pa.types.is_list(kind) and _has_empty_struct(kind.value_type))


def _settled(kind: pa.DataType) -> pa.DataType:
    """With one type of integers, and lists of nulls as lists of strings: pyarrow.json miscounts the former."""
    if kind == NARROW:
        return WIDE
    if pa.types.is_list(kind):
        return pa.list_(pa.string() if pa.types.is_null(kind.value_type) else _settled(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, _settled(field.type)) for field in kind])
    return kind
