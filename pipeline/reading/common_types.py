"""Finds a type that holds the values of two types unchanged.

Some pairs of types have such a type always, for example int8 and int64. Other pairs have one only for some values: for
example, float64 holds the integers up to 2**53. `possible_types` lists the types for which the values must be checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import reduce

import pyarrow as pa

from emojob.schemas.arrow_text import is_string

_UNITS = ("s", "ms", "us", "ns")
_INTEGERS = (
    pa.uint8(), pa.int8(), pa.uint16(), pa.int16(), pa.uint32(), pa.int32(), pa.uint64(), pa.int64(),
)  # fmt: skip
_NUMBERS = (*_INTEGERS, pa.float16(), pa.float32(), pa.float64())
_DIGITS = {8: 3, 16: 5, 32: 10, 64: 19}  # most digits of a signed integer, by bits; uint64 has one digit more
_RANKS = range(len(_UNITS))


def common_type(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    """Return the narrowest type that holds all values of types `a` and `b` unchanged; None if there is none."""
    return _common(a, b, None)


def possible_types(kinds: Sequence[pa.DataType]) -> Iterator[pa.DataType]:
    """Yield types that hold some values of all `kinds` unchanged, the best type first.

    A cast that is checked (`safe=True`) raises ArrowException if a value does not fit.
    """
    found: list[pa.DataType] = []
    for rank in _RANKS:
        kind = _reduced(kinds, lambda a, b, rank=rank: _common(a, b, rank))  # type: ignore[misc]
        if kind is not None and kind not in found:
            found.append(kind)
            yield kind


def _reduced(
    kinds: Iterable[pa.DataType], pair: Callable[[pa.DataType, pa.DataType], pa.DataType | None]
) -> pa.DataType | None:
    return reduce(lambda a, b: None if a is None else pair(a, b), kinds)


def _common(a: pa.DataType, b: pa.DataType, rank: int | None) -> pa.DataType | None:
    """Return a type for `a` and `b`; None if there is none.

    Args:
        a: A type.
        b: Another type.
        rank: None: the type holds all values. Otherwise, the type holds some values: for rank 0 the finest type, for
            higher ranks coarser types.
    """
    if a.equals(b) or pa.types.is_null(b):
        return a
    if pa.types.is_null(a):
        return b
    if any(pa.types.is_dictionary(kind) for kind in (a, b)):
        return _common(value_type(a), value_type(b), rank)
    if rank is not None and any(isinstance(kind, pa.BaseExtensionType) for kind in (a, b)):
        return _common(_storage(a), _storage(b), rank)
    families = (_text_type, _number_type, _time_type, _decimal_type, _list_type, _struct_type, _map_type)
    found = (family(a, b, rank) for family in families)
    return next((kind for kind in found if kind is not None), None)


def value_type(kind: pa.DataType) -> pa.DataType:
    """Return the type of the values of a dictionary type; any other type is returned unchanged."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _storage(kind: pa.DataType) -> pa.DataType:
    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind


def is_bytes(kind: pa.DataType) -> bool:
    """Return whether an Arrow type is one of the types of bytes, such as binary or fixed_size_binary."""
    return any(
        is_kind(kind)
        for is_kind in (
            pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view, pa.types.is_fixed_size_binary,
        )
    )  # fmt: skip


def _text_type(a: pa.DataType, b: pa.DataType, rank: int | None) -> pa.DataType | None:
    is_large = any(pa.types.is_large_string(kind) or pa.types.is_large_binary(kind) for kind in (a, b))
    text, data = (pa.large_string(), pa.large_binary()) if is_large else (pa.string(), pa.binary())
    if is_string(a) and is_string(b):
        return text
    if is_bytes(a) and is_bytes(b):
        return data
    is_fixed = any(map(pa.types.is_fixed_size_binary, (a, b)))  # an identifier of bytes is no text
    if rank is not None and not is_fixed and all(is_string(kind) or is_bytes(kind) for kind in (a, b)):
        return data if rank else text
    return None


def _number_type(a: pa.DataType, b: pa.DataType, rank: int | None) -> pa.DataType | None:
    if a not in _NUMBERS or b not in _NUMBERS:
        return None
    kind = next((kind for kind in _NUMBERS if _fits(a, kind) and _fits(b, kind)), None)
    if kind is not None or rank is None:
        return kind
    if a in _INTEGERS and b in _INTEGERS:  # one of the two is uint64
        return pa.uint64() if rank else pa.int64()
    return pa.int64() if rank else pa.float64()


def _fits(kind: pa.DataType, into: pa.DataType) -> bool:
    """Return whether the number type `into` holds every value of type `kind` exactly."""
    if pa.types.is_floating(into):
        # a float holds every integer of up to this number of bits exactly
        exact = {16: 11, 32: 24, 64: 53}[into.bit_width]
        return bool(kind.bit_width <= into.bit_width if pa.types.is_floating(kind) else kind.bit_width <= exact)
    if pa.types.is_floating(kind):
        return False
    if pa.types.is_signed_integer(kind) == pa.types.is_signed_integer(into):
        return bool(kind.bit_width <= into.bit_width)
    return bool(pa.types.is_signed_integer(into) and kind.bit_width < into.bit_width)


def _time_type(a: pa.DataType, b: pa.DataType, rank: int | None) -> pa.DataType | None:
    """Return a type for two types of times, dates or durations.

    Nanoseconds have `rank`, because a timestamp in nanoseconds ends in the year 2262. Timestamps of two time zones get
    the zone UTC, because they are the same moments.
    """
    if pa.types.is_time(a) and pa.types.is_time(b):
        unit = max(a.unit, b.unit, key=_UNITS.index)
        return pa.time32(unit) if unit in ("s", "ms") else pa.time64(unit)
    if pa.types.is_duration(a) and pa.types.is_duration(b):
        found = _unit(a.unit, b.unit, rank)
        return found and pa.duration(found)
    if pa.types.is_timestamp(a) and pa.types.is_timestamp(b) and (a.tz is None) == (b.tz is None):
        found = _unit(a.unit, b.unit, rank)
        return found and pa.timestamp(found, _zone(a.tz, b.tz))
    if rank is None:
        return None
    if pa.types.is_date(a) and pa.types.is_date(b):
        return pa.date32()
    for date, time in ((a, b), (b, a)):
        if pa.types.is_date(date) and pa.types.is_timestamp(time) and time.tz is None:
            return pa.timestamp(_UNITS[min(_UNITS.index(time.unit), _UNITS.index("ns") - rank)])
    return None


def _unit(a: str, b: str, rank: int | None) -> str | None:
    finest = max(a, b, key=_UNITS.index)
    if rank is None:
        return None if a != b and finest == "ns" else finest
    return _UNITS[min(_UNITS.index(finest), _UNITS.index("ns") - rank)]


def _zone(a: str | None, b: str | None) -> str | None:
    if a == b or b in ("UTC", "Etc/UTC", "Z", "+00:00"):
        return a
    return b if a in ("UTC", "Etc/UTC", "Z", "+00:00") else "UTC"


def _decimal_type(a: pa.DataType, b: pa.DataType, rank: int | None) -> pa.DataType | None:
    sizes = []
    for kind in (a, b):
        if pa.types.is_decimal(kind):
            sizes.append((kind.precision - kind.scale, kind.scale))
        elif kind in _INTEGERS:
            sizes.append((_DIGITS[kind.bit_width] + (kind == pa.uint64()), 0))
    if len(sizes) < 2 or not any(pa.types.is_decimal(kind) for kind in (a, b)):
        return None
    (whole, scale) = (max(one) for one in zip(*sizes, strict=True))
    digits = max(whole + scale, 1)
    is_wide = any(pa.types.is_decimal256(kind) for kind in (a, b))
    if digits <= _NARROW and not is_wide:
        return pa.decimal128(digits, scale)
    if rank == 0 and not is_wide and scale <= _NARROW:  # other programs cannot read more digits
        return pa.decimal128(_NARROW, scale)
    return pa.decimal256(digits, scale) if digits <= _WIDE and (is_wide or rank is not None) else None


_NARROW, _WIDE = 38, 76  # most digits of decimal128 and decimal256


def _list_type(a: pa.DataType, b: pa.DataType, rank: int | None) -> pa.DataType | None:
    if not all(any(is_kind(kind) for is_kind in _LISTS) for kind in (a, b)):
        return None
    inner = _common(a.value_type, b.value_type, rank)
    if inner is None:
        return None
    both = (a, b)
    if all(map(pa.types.is_fixed_size_list, both)) and a.list_size == b.list_size:
        return pa.list_(inner, a.list_size)
    is_large = any(pa.types.is_large_list(kind) or pa.types.is_large_list_view(kind) for kind in both)
    return pa.large_list(inner) if is_large else pa.list_(inner)


_LISTS = (
    pa.types.is_list, pa.types.is_large_list, pa.types.is_list_view, pa.types.is_large_list_view,
    pa.types.is_fixed_size_list,
)  # fmt: skip


def _struct_type(a: pa.DataType, b: pa.DataType, rank: int | None) -> pa.DataType | None:
    """Return a struct with the fields of both structs. A field that only one struct has is nullable."""
    if not (pa.types.is_struct(a) and pa.types.is_struct(b)):
        return None
    ours, others = ({field.name: field for field in kind} for kind in (a, b))
    if len(ours) < a.num_fields or len(others) < b.num_fields:  # a name occurs twice
        return None
    fields = []
    for name in {**ours, **others}:
        field, other = ours.get(name), others.get(name)
        if field is None or other is None:
            fields.append((field or others[name]).with_nullable(True))
            continue
        kind = _common(field.type, other.type, rank)
        if kind is None:
            return None
        fields.append(field.with_type(kind).with_nullable(field.nullable or other.nullable))
    return pa.struct(fields)


def _map_type(a: pa.DataType, b: pa.DataType, rank: int | None) -> pa.DataType | None:
    if not (pa.types.is_map(a) and pa.types.is_map(b)):
        return None
    key, item = _common(a.key_type, b.key_type, rank), _common(a.item_type, b.item_type, rank)
    return None if key is None or item is None else pa.map_(key, item)
