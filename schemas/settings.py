"""Settings files: a table of TOML into a frozen dataclass; an error names the key, its value and what is right."""

from __future__ import annotations

import dataclasses
import difflib
import typing
from typing import Any, TypeVar

from emojob.schemas.errors import OptionError

_T = TypeVar("_T")

_KINDS = {
    str: "a text in quotes",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "a table",
    list: "a list",
}


def fill(kind: type[_T], table: dict[str, Any], where: str, compare: str) -> _T:
    """A dataclass from a table of a TOML file. where: how messages begin; compare: what to take missing keys from.

    Raises OptionError where a key is missing (and has no default), is unknown, or has a value of a wrong type.
    """
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]
    expected = field_types(kind)
    missing = dataclasses.MISSING
    optional = {one.name for one in fields if one.default is not missing or one.default_factory is not missing}
    check_keys(where, table, expected, compare, optional)
    values = {key: float(value) if expected[key] is float else value for key, value in table.items()}
    return kind(**values)


def field_types(kind: type) -> dict[str, Any]:
    """Return {field: type} of a dataclass, without `| None` and type arguments."""
    types = typing.get_type_hints(kind)
    return {field.name: _plain_type(types[field.name]) for field in dataclasses.fields(kind)}


def check_keys(
    where: str,
    table: dict[str, Any],
    expected: dict[str, Any],
    compare: str,
    optional: set[str] | frozenset[str] = frozenset(),
) -> None:
    """Raise OptionError unless a table has the expected keys, with values of the expected types, and no others."""
    for key, value in table.items():
        if key not in expected:
            close = difflib.get_close_matches(key, expected, 1)
            hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(expected)}"
            raise OptionError(f"{where} has the unknown key {key!r}; {hint}")
        right = _is_number(value) if expected[key] is float else isinstance(value, expected[key])
        if not right or (expected[key] is int and isinstance(value, bool)):
            kind = _KINDS.get(expected[key], f"of type {expected[key].__name__}")
            raise OptionError(f"{where}.{key} is {value!r}, which should be {kind}; correct it")
    missing = [key for key in expected if key not in table and key not in optional]
    if missing:
        raise OptionError(f"{where} lacks {', '.join(missing)}; {compare}")


def between(where: str, value: float, low: float, high: float) -> None:
    """Raise OptionError unless a number lies between two others, which it may equal."""
    if not low <= value <= high:
        raise OptionError(f"{where} is {value}, which should lie between {low:g} and {high:g}; correct it")


def _plain_type(hint: Any) -> Any:
    """The type of a field without its `| None` and its arguments: str | None -> str, dict[str, int] -> dict."""
    arguments = [one for one in typing.get_args(hint) if one is not type(None)]
    if len(arguments) == 1 and type(None) in typing.get_args(hint):
        hint = arguments[0]
    return typing.get_origin(hint) or hint


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
