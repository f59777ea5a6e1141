"""Converts Arrow columns to strings and to Python values."""

from __future__ import annotations

from typing import Any

import pyarrow as pa


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
