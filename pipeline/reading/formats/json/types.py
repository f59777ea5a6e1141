"""Finds the Arrow type of each JSON column by merging the kinds of all values in all files.

A kind is an Arrow type, or None if the values have no common type. A column of kind None is kept as JSON text. Rules
for merging:
- null and any kind: that kind
- integer and float: float, but None if a double cannot hold the integer exactly
- two lists: a list of the merged kinds of all elements
- two objects: an object with the merged kind of each field
- string and number: None; inside an object, only this field is kept as JSON text
"""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from emojob.pipeline.reading.source import Kinds

# Kinds of integers during merging. After merging, both kinds become int64.
# NARROW: a float64 holds every value exactly, so the column may also contain floats.
# WIDE: a float64 does not hold every value exactly.
NARROW, WIDE = pa.int32(), pa.int64()
_NARROW_LIMIT, _WIDE_LIMIT = 1 << 53, 1 << 63

# Kind of a field of an object whose values have no common type. The field becomes a string with JSON text.
JSON_TEXT = pa.large_string()

DEEPEST = 64  # maximum nesting depth of a value; a column with deeper values is kept as JSON text
_MOST_FIELDS = 1000  # maximum number of fields of an object; a column with larger objects is kept as JSON text


class Disagreement(Exception):
    """Raised if no Arrow type holds all values unchanged."""


class TooDeep(Disagreement):
    """Raised if a value is nested deeper than DEEPEST."""


def kind_of(value: Any, depth: int = 0) -> pa.DataType:
    """Return the kind of a JSON value.

    Args:
        value: Value from `json.loads`.
        depth: Nesting depth of the value; 0 for the value of a column.

    Raises:
        Disagreement: No Arrow type fits the value, or the value is nested deeper than DEEPEST.
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
        raise TooDeep
    if isinstance(value, list):
        inner = pa.null()
        for item in value:
            inner = merge(inner, kind_of(item, depth + 1))
        return pa.list_(inner)
    return _struct([(name, _kind_inside(item, depth)) for name, item in value.items()])


def _kind_inside(value: Any, depth: int) -> pa.DataType:
    """Return the kind of a field of an object."""
    try:
        return kind_of(value, depth + 1)
    except TooDeep:
        raise
    except Disagreement:
        return JSON_TEXT


def _merge_inside(a: pa.DataType, b: pa.DataType) -> pa.DataType:
    """Return the kind of a field of objects, which has values of two kinds."""
    try:
        return merge(a, b)
    except Disagreement:
        return JSON_TEXT


def from_inferred(kind: pa.DataType) -> pa.DataType:
    """Return the kind for a type that pyarrow.json inferred.

    Every integer type becomes NARROW. The caller must check that no integer has 16 or more digits.

    Raises:
        Disagreement: An object has too many fields.
    """
    if pa.types.is_temporal(kind):  # the values are strings that pyarrow.json reads as times
        return pa.string()
    if pa.types.is_integer(kind):
        return NARROW
    if pa.types.is_list(kind):
        return pa.list_(from_inferred(kind.value_type))
    if pa.types.is_struct(kind):
        return _struct([(field.name, from_inferred(field.type)) for field in kind])
    return kind


def merge(a: pa.DataType, b: pa.DataType) -> pa.DataType:
    """Return the Arrow type that can hold all values of the types `a` and `b`.

    Raises:
        Disagreement: There is no such type.
    """
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
            fields[field.name] = _merge_inside(fields.get(field.name, pa.null()), field.type)
        return _struct(list(fields.items()))
    raise Disagreement


def has_json_text(kind: pa.DataType) -> bool:
    """Return whether a field inside a kind becomes JSON text."""
    if pa.types.is_struct(kind):
        return any(has_json_text(field.type) for field in kind)
    return bool(kind == JSON_TEXT or (pa.types.is_list(kind) and has_json_text(kind.value_type)))


def with_json_text(value: Any, kind: pa.DataType) -> Any:
    """Return a JSON value in which the fields of the kind JSON_TEXT are JSON text. Texts stay as they are."""
    if value is None:
        return None
    if kind == JSON_TEXT:
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if pa.types.is_list(kind):
        return [with_json_text(item, kind.value_type) for item in value]
    if pa.types.is_struct(kind):
        return {field.name: with_json_text(value.get(field.name), field.type) for field in kind}
    return value


def add(kinds: Kinds, name: str, kind: pa.DataType | None) -> None:
    """Merge the kind of new values into the kind of a column.

    Args:
        kinds: {column: kind}; changed in place.
        name: Name of the column.
        kind: Kind of the new values; None if the values have no common type.
    """
    known = kinds.get(name, pa.null())
    try:
        kinds[name] = None if kind is None or known is None else merge(known, kind)
    except Disagreement:
        kinds[name] = None


def column_type(kind: pa.DataType | None) -> pa.DataType | None:
    """Return the Arrow type of a column; None if the column is kept as JSON text."""
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
    """Return the Arrow type of a kind: int64 for integers, list<string> for lists that contain only nulls.

    list<null> is avoided, because pyarrow.json then returns a wrong number of rows.
    """
    if kind == NARROW:
        return WIDE
    if kind == JSON_TEXT:
        return pa.string()
    if pa.types.is_list(kind):
        return pa.list_(pa.string() if pa.types.is_null(kind.value_type) else _final_type(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, _final_type(field.type)) for field in kind])
    return kind
