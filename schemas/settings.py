"""Reads settings from TOML files into dataclasses. Wrong keys and values raise OptionError."""

from __future__ import annotations

import dataclasses
import difflib
import json
import numbers
import re
import tomllib
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from emojob.schemas.errors import OptionError
from emojob.schemas.messages import plural

_T = TypeVar("_T")

_MOST_BYTES = 1 << 20  # maximum size of a settings file, in bytes

# An option and its value. A word after an option is a value if it is quoted, a number, a placeholder such as NAME, a
# word that options accept, a file or a name such as my.key, a/b or new_, or if `:` or ` again` follows.
_OPTION = re.compile(
    r"(?<![\w-])(--[a-z]+(?:-[a-z]+)*)"
    r"(?: ('[^']*'|\"[^\"]*\"|\d+(?:\.\d+)?%?(?![\w])|[A-Z][A-Z0-9_]*(?![\w])"
    r"|(?:auto|none|double|csv|tsv|txt|json|jsonl|lines|cpu|cuda|torch|openvino|ray|fp32|fp16|bf16|int8|utf-8|utf-16"
    r"|cp949|ymd|mdy|dmy|on|off)(?![\w-])|[^\s:;,?]+(?=[:?](?:\s|$))|[^\s:;,]+(?= again\b)"
    r"|(?=[\w.~/\\-]*(?:[_/\\]|\.\w))[\w.~/\\-]*[\w/\\]))?"
)

_SHORT_OPTION = re.compile(r"(?<!\S)-[a-z](?=[\s,;:.]|$)")

_KINDS = {
    str: "a text in quotes",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "a table",
    list: "a list",
    tuple: "a list",
}

#: {type of an option: allowed type of a Python argument}. `numbers.Integral` and `numbers.Real` include NumPy numbers.
_ABSTRACT: dict[Any, type] = {str: str, int: numbers.Integral, float: numbers.Real, bool: bool}


def read_toml(file: Path) -> dict[str, Any]:
    """Return the content of a TOML file.

    Raises:
        OSError: The file cannot be read.
        ValueError: The file is not valid TOML in UTF-8, is larger than 1 MiB, or is nested too deeply.
    """
    with file.open("rb") as stream:
        content = stream.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise ValueError(f"{file.name} is too large for a settings file (over {_MOST_BYTES:,} bytes): check the path")
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except RecursionError:
        raise ValueError(f"{file.name} has lists or tables that are nested too deeply: use fewer levels") from None


def fill(kind: type[_T], table: dict[str, Any], where: str, compare: str) -> _T:
    """Create a dataclass object from a TOML table.

    Args:
        kind: The dataclass. Fields with default values are optional in the table.
        table: Keys and values of the TOML table.
        where: Name of the table or file, for messages.
        compare: End of messages about missing keys: where to find an example with all keys.

    Raises:
        OptionError: A key is missing or unknown, or a value has a wrong type.
    """
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]
    expected = field_types(kind)
    missing = dataclasses.MISSING
    optional = {one.name for one in fields if one.default is not missing or one.default_factory is not missing}
    check_keys(where, table, expected, compare, optional)
    values = {key: float(value) if expected[key] is float else value for key, value in table.items()}
    return kind(**values)


def field_types(kind: type) -> dict[str, Any]:
    """Return {field name: type} of a dataclass. Types are simplified, for example str | None to str."""
    types = typing.get_type_hints(kind)
    return {field.name: _plain_type(types[field.name]) for field in dataclasses.fields(kind)}


def check_keys(
    where: str,
    table: dict[str, Any],
    expected: dict[str, Any],
    compare: str,
    optional: set[str] | frozenset[str] = frozenset(),
) -> None:
    """Check the keys of a TOML table and the types of the values.

    Args:
        where: Name of the table or file, for messages.
        table: Keys and values of the TOML table.
        expected: {allowed key: type of the value}. For float, integers are also allowed.
        compare: End of messages about missing keys: where to find an example with all keys.
        optional: Keys that may be missing.

    Raises:
        OptionError: A key is missing or unknown, or a value has a wrong type.
    """
    for key, value in table.items():
        if key not in expected:
            close = difflib.get_close_matches(key, expected, 1)
            hint = f"did you mean {close[0]}?" if close else f"the known keys are {', '.join(expected)}"
            raise OptionError(f"{where} has the unknown key {key!r}; {hint}")
        right = _is_number(value) if expected[key] is float else isinstance(value, expected[key])
        if not right or (expected[key] is int and isinstance(value, bool)):
            kind = _KINDS.get(expected[key], f"a value of type {expected[key].__name__}")
            raise OptionError(f"{where}.{key} is {value!r}, which has the wrong type; give {kind}")
    missing = [key for key in expected if key not in table and key not in optional]
    if missing:
        raise OptionError(f"{where} lacks the {plural(len(missing), 'key')} {', '.join(missing)}; {compare}")


def check_arguments(function: str, given: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    """Check the keyword arguments of a public function. None is valid for every argument.

    Returns the arguments. NumPy numbers are converted to int or float.

    Args:
        function: Name of the function, for messages.
        given: {name of the argument: value}.
        expected: {name: type}, as `field_types` returns it. Only str, int, float and bool are checked.

    Raises:
        OptionError: An argument is unknown or has a wrong type.
    """
    for name, value in given.items():
        if name not in expected:
            close = difflib.get_close_matches(name, expected, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"its options are {', '.join(expected)}"
            raise OptionError(f"{function}() has no option {name!r}; {hint}")
        kind = expected[name]
        if (
            value is not None
            and kind in _ABSTRACT
            and (not isinstance(value, _ABSTRACT[kind]) or (isinstance(value, bool) and kind is not bool))
        ):
            article = "an" if kind is int else "a"
            raise OptionError(f"{function}({name}={value!r}) has the wrong type: give {article} {kind.__name__}")
    return {
        name: expected[name](value) if isinstance(value, numbers.Real) and expected[name] in (int, float) else value
        for name, value in given.items()
    }


def between(where: str, value: float, low: float, high: float) -> None:
    """Check that low <= value <= high.

    Args:
        where: Name of the setting, for the message.
        value: Value of the setting.
        low: Smallest allowed value.
        high: Largest allowed value.

    Raises:
        OptionError: The value is out of range.
    """
    if not low <= value <= high:
        raise OptionError(f"{where} is {value}, which is out of range; give a number from {low:g} to {high:g}")


def with_settings(message: str, keys: Mapping[str, str]) -> str:
    """Return a message in which settings of a TOML file replace options of the command line.

    Commands in backticks stay as they are.

    Args:
        message: The message, such as "choose the text column with --text-column NAME".
        keys: {option: setting}, such as {"--text-column": "score.text_column"}. If the setting is on or off, it ends in
            "=". If the setting is a list, it ends in "[]".
    """
    parts = re.split(r"(`[^`]*`)", message)
    for number in range(0, len(parts), 2):
        short = _SHORT_OPTION.sub(lambda found: keys.get(found[0], found[0]), parts[number])
        parts[number] = _OPTION.sub(lambda found: _setting(found, keys), short)
    return "".join(parts)


def _setting(found: re.Match[str], keys: Mapping[str, str]) -> str:
    option, value = found[1], found[2]
    is_off = option.startswith("--no-")
    key = keys.get(f"--{option[5:]}" if is_off else option)
    if key is None:
        return found[0]
    if key.endswith("="):  # an option without a value
        after = f" {value}" if value and value not in ("on", "off") else ""
        return f"{key[:-1]} = {'false' if is_off or value == 'off' else 'true'}{after}"
    name = key.removesuffix("[]")
    if value is None or (value == "none" and name != key):
        return f"{name} {value or ''}".strip()
    text = value if re.fullmatch(r"\d+(\.\d+)?", value) else _quoted(value)
    return f"{name} = {f'[{text}]' if name != key else text}"


def _quoted(value: str) -> str:
    """Return a value as TOML writes it."""
    plain = value[1:-1] if value[0] in "'\"" and value[-1] == value[0] and len(value) > 1 else value
    return json.dumps(plain, ensure_ascii=False)


def _plain_type(hint: Any) -> Any:
    """Simplify a type: str | None becomes str, and dict[str, int] becomes dict."""
    arguments = [one for one in typing.get_args(hint) if one is not type(None)]
    if len(arguments) == 1 and type(None) in typing.get_args(hint):
        hint = arguments[0]
    return typing.get_origin(hint) or hint


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
