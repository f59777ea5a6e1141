r"""Parses the values of --delimiter, --quote and --escape.

A character that a shell or a TOML file cannot hold easily has a name (`tab`) or an escape sequence (`\t`, `\x01`).
"""

from __future__ import annotations

import re

from emojob.schemas.errors import OptionError

_NAMES = {"tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " ", r"\t": "\t"}
_CODE = re.compile(r"(?:\\x|\\u00|0x)([0-9a-fA-F]{2})|\^([A-Z])|\\([0-7]{3})")
_NONE = "none"


def delimiter_of(given: str) -> str:
    r"""Return the delimiter for a value of --delimiter, such as `;`, `tab` or `\x01`. Raises OptionError."""
    value = _character(given)
    if len(value) > 1 and len(set(value)) == 1 and not value.isalnum():
        raise OptionError(
            f"--delimiter {given!r} has {len(value)} characters: give one character. With --delimiter {value[0]!r}, "
            "the empty columns between two fields are left out"
        )
    if len(value) != 1 or not value.isascii() or value.isalnum() or value in "\r\n\"'\\":
        raise OptionError(
            f"--delimiter {given!r} cannot separate fields: give one ASCII character that is not a letter, a digit, a "
            r"quote, a backslash or a line end, such as ; or tab or \x01"
        )
    return value


def quote_of(given: str) -> str:
    """Return the quote character for a value of --quote; "" for `none`. Raises OptionError."""
    if given.lower() == _NONE:
        return ""
    if given in ("double", '"'):
        return '"'
    if given in ("single", "'"):
        return "'"
    raise OptionError(f"--quote {given!r} is unknown: give \" or ' or none (quotes are ordinary characters)")


def escape_of(given: str, quote: str = '"') -> str:
    r"""Return the escape character for a value of --escape: a backslash, `quote` for `double`, or "" for `none`.

    Raises OptionError for another value.
    """
    if given.lower() == _NONE:
        return ""
    if given.lower() in ("double", '"', '""') or (quote and given in (quote, 2 * quote)):
        return quote
    if given.lower() in ("\\", "\\\\", "backslash"):
        return "\\"
    raise OptionError(
        f"--escape {given!r} is unknown: give \\ (a backslash), double (a quote inside a field is written twice) or "
        "none"
    )


def _character(given: str) -> str:
    code = _CODE.fullmatch(given)
    if code:
        hexadecimal, control, octal = code.groups()
        return chr(int(hexadecimal, 16) if hexadecimal else ord(control) - 64 if control else int(octal, 8))
    return _NAMES.get(given.lower(), given)
