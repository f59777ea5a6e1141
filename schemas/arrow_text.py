"""Converts Arrow columns to strings and to Python values."""

from __future__ import annotations

from typing import Any

import pyarrow as pa


def is_string(kind: pa.DataType) -> bool:
    """Return whether a type is string, large_string or string_view."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def unwrapped(column: pa.Array) -> pa.Array:
    """Convert an extension, dictionary or view column to its plain type. Type null becomes large_string.

    The values do not change, and strings are not checked for valid UTF-8.
    """
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if pa.types.is_dictionary(column.type):
        # decode before a cast, because the dictionary may have more values than the column has rows
        column = column.dictionary_decode()
    if pa.types.is_null(column.type) or pa.types.is_string_view(column.type):
        return column.cast(pa.large_string())
    return column.cast(pa.large_binary()) if pa.types.is_binary_view(column.type) else column


def strings(column: pa.Array) -> pa.Array:
    """Convert a column of any type to large_string. The result is valid UTF-8.

    Timestamps lose their fractions of a second. Lists and structs become their Python representation. Invalid UTF-8
    bytes become replacement characters.
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
    except pa.ArrowInvalid:  # Parquet does not verify that its strings are UTF-8
        return pa.array(_decoded(column), pa.large_string())


def python_values(column: pa.Array | pa.ChunkedArray) -> list[Any]:
    """Return the values of a column as Python values. Invalid UTF-8 bytes in strings become replacement characters."""
    try:
        values: list[Any] = column.to_pylist()
        return values
    except UnicodeDecodeError:  # Parquet does not verify that its strings are UTF-8
        return _decoded(column)


def _decoded(column: pa.Array | pa.ChunkedArray) -> list[str | None]:
    values = column.cast(pa.large_binary()).to_pylist()
    return [None if value is None else value.decode("utf-8", "replace") for value in values]
