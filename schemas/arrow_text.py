"""Converts Arrow columns to strings and to Python values."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_UNITS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}  # nanoseconds per unit
_WHOLE = 2.0**63  # larger numbers do not fit into int64


def is_string(kind: pa.DataType) -> bool:
    """Return whether an Arrow type is string, large_string or string_view."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def unwrapped(column: pa.Array) -> pa.Array:
    """Convert a column of an extension, dictionary or view type to a plain type, for example large_string.

    A column of type null becomes large_string. Strings are not checked for valid UTF-8.
    """
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if pa.types.is_dictionary(column.type):
        # decode before the cast, because a cast would also convert unused dictionary values
        column = column.dictionary_decode()
    if pa.types.is_null(column.type) or pa.types.is_string_view(column.type):
        return column.cast(pa.large_string())
    return column.cast(pa.large_binary()) if pa.types.is_binary_view(column.type) else column


def strings(column: pa.Array) -> pa.Array:
    """Convert a column of any type to large_string with valid UTF-8.

    Timestamps are truncated to whole seconds. Lists and structs are formatted as in Python, for example "[1, 2]".
    Invalid UTF-8 bytes become replacement characters (�).
    """
    column = unwrapped(column)
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("s", column.type.tz), safe=False)
    try:
        texts = column.cast(pa.large_string())
        texts.validate(full=True)
        return texts
    except pa.ArrowNotImplementedError:  # Arrow cannot cast lists and structs to strings
        return pa.array([None if value is None else str(value) for value in column.to_pylist()], pa.large_string())
    except pa.ArrowInvalid:  # strings in Parquet files may be invalid UTF-8
        return pa.array(_decoded(column), pa.large_string())


def identities(column: pa.Array) -> pa.Array:
    """Return bytes for each value, to compare or hash values: equal values have equal bytes, different values never do.

    Values of all types of the same kind have the same bytes if they are equal: integers of any width, timestamps of any
    unit, plain and dictionary values. The bytes of a text are its UTF-8 bytes; the bytes of a number are its digits.

    Args:
        column: Values of any non-nested type. Null stays null.

    Returns:
        large_binary [rows].
    """
    column = unwrapped(column)
    kind = column.type
    if pa.types.is_fixed_size_binary(kind):
        column = column.cast(pa.binary())
    if is_string(kind) or pa.types.is_binary(column.type) or pa.types.is_large_binary(kind):
        return column.cast(pa.large_binary())
    return _value_texts(column).cast(pa.large_binary())


def identity_texts(column: pa.Array) -> pa.Array:
    """Return `identities` as large_string. Bytes that are not valid UTF-8 become hexadecimal digits after 0x."""
    found = identities(column)
    try:
        texts = found.cast(pa.large_string())
        texts.validate(full=True)
        return texts
    except pa.ArrowInvalid:
        return pa.array([None if one is None else _text_or_hex(one) for one in found.to_pylist()], pa.large_string())


def _text_or_hex(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return f"0x{value.hex()}"


def _value_texts(column: pa.Array) -> pa.Array:
    """Return a text for each number, time or truth value that no different value has: large_string [rows]."""
    kind = column.type
    if pa.types.is_date64(kind):  # a date64 that is not a whole day keeps its milliseconds
        return pc.replace_substring(_moments(column.cast(pa.timestamp("ms"))), " 00:00:00", "")
    if pa.types.is_timestamp(kind):
        return _moments(column)
    if pa.types.is_duration(kind):
        nanoseconds = [None if one is None else one * _UNITS[kind.unit] for one in column.cast(pa.int64()).to_pylist()]
        return pa.array([None if one is None else f"{one} ns" for one in nanoseconds], pa.large_string())
    if pa.types.is_float16(kind):
        column = column.cast(pa.float32())
    if pa.types.is_floating(column.type):
        zero = pa.scalar(0, column.type)
        column = pc.if_else(pc.equal(column, zero), zero, column)  # -0.0 equals 0.0
    try:
        return column.cast(pa.large_string())
    except pa.ArrowNotImplementedError:  # for example a calendar interval
        return pa.array([None if value is None else str(value) for value in column.to_pylist()], pa.large_string())


def _moments(column: pa.Array) -> pa.Array:
    """Return timestamps as text: whole seconds, then the fraction of a second without zeros at the end."""
    kind = column.type
    per_second = 1_000_000_000 // _UNITS[kind.unit]
    values = column.cast(pa.int64())
    seconds = pc.divide(values, per_second)  # rounds towards zero
    rest = pc.subtract(values, pc.multiply(seconds, per_second))
    is_negative = pc.less(rest, 0)
    seconds = pc.if_else(is_negative, pc.subtract(seconds, 1), seconds)
    rest = pc.if_else(is_negative, pc.add(rest, per_second), rest)
    texts = seconds.cast(pa.timestamp("s", kind.tz)).cast(pa.large_string())
    digits = pc.utf8_lpad(rest.cast(pa.large_string()), len(str(per_second)) - 1, "0")
    with_fraction = pc.binary_join_element_wise(texts, pc.utf8_rtrim(digits, "0"), pa.scalar(".", pa.large_string()))
    return pc.if_else(pc.equal(rest, 0), texts, with_fraction)


def usual_texts(column: pa.Array) -> pa.Array:
    """Convert a column of any type to the usual text of its values: large_string [rows]. Null stays null.

    Numbers have decimal digits: 7, 1.5. A floating-point number without a fraction is written like an integer, because
    other programs turn integers into such numbers if a value is missing. Times have the form 2026-11-20 15:10:00, dates
    2026-11-20, truth values true and false, UUIDs their usual form. Lists, structs and maps become JSON. Bytes become
    text if they are valid UTF-8, otherwise hexadecimal digits after 0x.
    """
    kind = column.type
    if isinstance(kind, pa.UuidType):
        return pa.array([None if one is None else str(one) for one in column.to_pylist()], pa.large_string())
    column = unwrapped(column)
    kind = column.type
    if is_string(kind):
        return column.cast(pa.large_string())
    if pa.types.is_nested(kind):
        return pa.array(_json_texts(column), pa.large_string())
    if pa.types.is_floating(kind):
        return _float_texts(column)
    if pa.types.is_decimal(kind):
        return pa.array([None if one is None else format(one, "f") for one in column.to_pylist()], pa.large_string())
    if pa.types.is_timestamp(kind) and kind.tz:
        return column.cast(pa.large_string())
    return identity_texts(column)


def _float_texts(column: pa.Array) -> pa.Array:
    if pa.types.is_float16(column.type):
        column = column.cast(pa.float32())
    values = column.cast(pa.float64())
    is_whole = pc.and_(pc.equal(pc.trunc(values), values), pc.less(pc.abs(values), _WHOLE))
    whole = pc.if_else(is_whole, values, None).cast(pa.int64()).cast(pa.large_string())
    return pc.coalesce(whole, column.cast(pa.large_string()))


def _json_texts(column: pa.Array) -> list[str | None]:
    try:
        return [None if one is None else _json(one) for one in column.to_pylist()]
    except (ValueError, OverflowError):  # a struct has two fields with the same name, or Python has no such time
        return [_json_of(one) if one.is_valid else None for one in column]


def _json_of(value: pa.Scalar) -> str:
    if isinstance(value, pa.StructScalar) and value.is_valid:
        names = [value.type.field(i).name for i in range(value.type.num_fields)]
        return f"{{{', '.join(f'{_json(name)}: {_json_of(value[i])}' for i, name in enumerate(names))}}}"
    if isinstance(value, (pa.ListScalar, pa.LargeListScalar, pa.FixedSizeListScalar)) and value.is_valid:
        return f"[{', '.join(map(_json_of, value.values))}]"
    try:
        return _json(value.as_py())
    except (ValueError, OverflowError):
        return _json(str(value.cast(pa.string())))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def python_values(column: pa.Array | pa.ChunkedArray) -> list[Any]:
    """Return the values of a column as a Python list. Invalid UTF-8 bytes become replacement characters (�)."""
    try:
        values: list[Any] = column.to_pylist()
        return values
    except UnicodeDecodeError:  # strings in Parquet files may be invalid UTF-8
        return _decoded(column)


def _decoded(column: pa.Array | pa.ChunkedArray) -> list[str | None]:
    values = column.cast(pa.large_binary()).to_pylist()
    return [None if value is None else value.decode("utf-8", "replace") for value in values]
