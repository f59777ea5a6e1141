"""Converts Arrow values of a result to values for JSON and for the terminal."""

from __future__ import annotations

import base64
import datetime
import decimal
import json
import math
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_DAY = 86_400  # seconds
_EPOCH = datetime.date(1970, 1, 1).toordinal()
_CYCLE = 146_097  # days in 400 years; the calendar repeats after 400 years
_YEARS = (datetime.date.min.toordinal() - _EPOCH, datetime.date.max.toordinal() + 1 - _EPOCH)  # days since 1970


def values_of(column: pa.Array) -> list[Any]:
    """Return the Python values of a column.

    Times that Python cannot represent become the strings that DuckDB shows. A MAP becomes a dict with strings as keys.
    """
    try:
        values: list[Any] = column.to_pylist()
    except (OverflowError, ValueError):
        values = list(map(_value_of, column))
    convert = _map_converter(column.type)
    return values if convert is None else list(map(convert, values))


def plain_value(value: Any) -> Any:
    """Convert a value of `values_of` for JSON.

    Times become ISO 8601, NaN and infinity become the strings nan, inf and -inf, and bytes become base64. A decimal
    becomes an int or a float if its value is the same, otherwise it stays a Decimal.
    """
    if isinstance(value, dict):
        return {key_text(key): plain_value(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_value(one) for one in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, decimal.Decimal):
        if value == value.to_integral_value():
            return int(value)
        return float(value) if decimal.Decimal(repr(float(value))) == value else value
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value if isinstance(value, (str, int, bool)) or value is None else str(value)


def key_text(key: Any) -> str:
    """Return the key of a MAP or STRUCT as a string."""
    plain = plain_value(key)
    return plain if isinstance(plain, str) else json_text(plain)


def json_text(value: Any) -> str:
    """Return a value as JSON. The numbers have all digits of the value."""
    plain = plain_value(value)
    text = _dumps(plain, False)
    return text if text.isprintable() else _dumps(plain, True)


def _dumps(plain: Any, ascii_only: bool) -> str:
    try:
        return json.dumps(plain, ensure_ascii=ascii_only)
    except TypeError:  # the json module cannot write a Decimal
        if isinstance(plain, dict):
            pairs = (f"{json.dumps(key, ensure_ascii=ascii_only)}: {_dumps(plain[key], ascii_only)}" for key in plain)
            return f"{{{', '.join(pairs)}}}"
        if isinstance(plain, list):
            return f"[{', '.join(_dumps(one, ascii_only) for one in plain)}]"
        return format(plain, "f")


# -- maps --------------------------------------------------------------------------------------------------------------


def _map_converter(kind: pa.DataType) -> Callable[[Any], Any] | None:
    """Return a function that converts the MAPs in a value, which PyArrow returns as lists of pairs; None if no MAPs."""
    if pa.types.is_map(kind):
        value = _map_converter(kind.item_type) or _same
        key = _map_converter(kind.key_type) or _same
        return lambda pairs: pairs if pairs is None else {key_text(key(one)): value(other) for one, other in pairs}
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        inner = _map_converter(kind.value_type)
        return inner and (lambda items: items if items is None else list(map(inner, items)))
    if pa.types.is_struct(kind):
        found = {field.name: _map_converter(field.type) for field in kind}
        if not any(found.values()):
            return None
        return lambda row: row if row is None else {name: (found[name] or _same)(one) for name, one in row.items()}
    return None


def _same(value: Any) -> Any:
    return value


# -- times -------------------------------------------------------------------------------------------------------------


def _value_of(value: pa.Scalar) -> Any:
    try:
        return value.as_py()
    except UnicodeDecodeError:
        return bytes(value.as_buffer()).decode("utf-8", "replace")
    except (OverflowError, ValueError):
        if isinstance(value, pa.MapScalar):
            return [(_value_of(one["key"]), _value_of(one["value"])) for one in value.values]
        if isinstance(value, (pa.ListScalar, pa.LargeListScalar, pa.FixedSizeListScalar)):
            return list(map(_value_of, value.values))
        if isinstance(value, pa.StructScalar):
            return {name: _value_of(one) for name, one in value.items()}
        if isinstance(value, pa.UnionScalar):
            return _value_of(value.value)
        if isinstance(value, (pa.Date32Scalar, pa.TimestampScalar)):
            return _time_text(value)
        return str(value.cast(pa.string()))


def _time_text(value: pa.Scalar) -> str:
    """Return a date or a timestamp as DuckDB shows it; a timestamp with time zone in UTC."""
    kind, count = value.type, value.value
    is_date = pa.types.is_date32(kind)
    if abs(count) == _infinity(kind):
        return "infinity" if count > 0 else "-infinity"
    per_second = 1 if is_date else _PER_SECOND[kind.unit]
    days, rest = (count, 0) if is_date else divmod(count, _DAY * per_second)
    cycle, day = divmod(days + _EPOCH - 1, _CYCLE)
    date = datetime.date.fromordinal(day + 1)
    year = date.year + 400 * cycle
    text = f"{year if year > 0 else 1 - year:04d}-{date:%m-%d}{'' if year > 0 else ' (BC)'}"
    if is_date:
        return text
    seconds, fraction = divmod(rest, per_second)
    digits = f".{fraction:0{len(str(per_second)) - 1}d}".rstrip("0") if fraction else ""
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{digits}"
    return f"{text} {clock}{'+00' if kind.tz else ''}"


def has_far_times(column: pa.Array) -> bool:
    """Return whether a column of dates or timestamps has infinity, or times outside the years 1 to 9999."""
    is_date = pa.types.is_date32(column.type)
    if not is_date and not pa.types.is_timestamp(column.type):
        return False
    unit = 1 if is_date else _DAY * _PER_SECOND[column.type.unit]
    ends = pc.min_max(column.cast(pa.int32() if is_date else pa.int64()))
    first, last = ends["min"].as_py(), ends["max"].as_py()
    if first is None:
        return False
    infinity = _infinity(column.type)
    return bool(first < _YEARS[0] * unit or last >= _YEARS[1] * unit or first == -infinity or last == infinity)


def _infinity(kind: pa.DataType) -> int:
    return 2**31 - 1 if pa.types.is_date32(kind) else 2**63 - 1
