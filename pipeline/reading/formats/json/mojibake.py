"""Corrects the texts of exports of Facebook and Instagram, which write each byte of UTF-8 as a Latin-1 character."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

#: Message about a file whose texts are corrected.
NOTE = (
    "an export of Facebook or Instagram, in which each byte of UTF-8 is written as a character of Latin-1; the texts "
    "are read as UTF-8"
)

_FIELDS = ("sender_name", "timestamp_ms")  # of each message
_MOSTLY = 0.99  # share of the texts beyond ASCII that are UTF-8; a text may be cut


def is_export(outer: Mapping[str, Any], message: Mapping[str, Any]) -> bool:
    """Return whether a JSON file has the form of an export of Facebook or Instagram.

    Args:
        outer: The fields of the file.
        message: The first message.
    """
    return "participants" in outer and all(name in message for name in _FIELDS)


def is_mojibake(values: Iterable[Any]) -> bool:
    """Return whether nearly all texts beyond ASCII in JSON values are UTF-8 that is written as Latin-1."""
    found = [_corrected(text) is not None for value in values for text in _texts(value) if not text.isascii()]
    return bool(found) and sum(found) >= _MOSTLY * len(found)


def corrected(value: Any) -> Any:
    """Return a JSON value with the texts that the bytes of UTF-8 stand for. Other texts stay as they are."""
    if isinstance(value, str):
        text = _corrected(value)
        return value if text is None else text
    if isinstance(value, dict):
        return {name: corrected(one) for name, one in value.items()}
    return [corrected(one) for one in value] if isinstance(value, list) else value


def _corrected(text: str) -> str | None:
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return None


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)
