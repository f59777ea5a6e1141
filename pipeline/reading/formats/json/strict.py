"""Decodes JSON without silent losses: a key that an object has twice, and a number beyond float64, are errors."""

from __future__ import annotations

import json
import math
from typing import Any

#: Stands for the value of a key that an object has twice (see `StrictObject`).
REPEATED = object()


class StrictError(ValueError):
    """A value is valid JSON, but would lose something."""


class StrictObject(dict[str, Any]):
    """An object for ijson, in which the value of a repeated key is REPEATED. `check` finds it, also inside."""

    __slots__ = ()

    def __setitem__(self, key: str, value: Any) -> None:
        dict.__setitem__(self, key, REPEATED if key in self else value)


def decode(text: str) -> Any:
    """Decode a JSON value.

    Raises:
        StrictError: An object has a key twice, or a number is beyond float64.
        ValueError: The text is not JSON, or has an integer of more than 4,300 digits.
        RecursionError: The value is nested too deeply.
    """
    return _DECODER.decode(text)


def check(value: Any) -> str:
    """Return a value as JSON text. Numbers of the type Decimal become floats.

    Raises:
        StrictError: An object inside the value has a key twice (see `StrictObject`), or a number is beyond float64.
        RecursionError: The value is nested too deeply.
    """
    return json.dumps(value, ensure_ascii=False, default=_number)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise StrictError("an object has a key twice")
    return found


def _float(text: str) -> float:
    found = float(text)
    if math.isinf(found):
        raise StrictError("a number is beyond the range of float64")
    return found


def _number(value: Any) -> float:
    if value is REPEATED:
        raise StrictError("an object has a key twice")
    return _float(str(value))


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_float)
