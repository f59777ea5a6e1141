"""Defines which texts are no utterances: null markers of databases, and placeholders and system lines of messengers.

The lists are in `messengers.toml`.
"""

from __future__ import annotations

import functools
import re
import tomllib
from importlib.resources import files
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from emojob.schemas.arrow_text import is_string, unwrapped

_OUTER = r"[\s\p{Z}\p{Cf}]*"  # white space and characters without a visible form, such as the marks of WhatsApp


def without_placeholders(texts: pa.Array, placeholders: bool = True) -> pa.Array:
    """Return the texts, with null in place of null markers and of placeholders of messengers.

    Args:
        texts: Array of strings, or of type null.
        placeholders: Whether placeholders of messengers are replaced, too.
    """
    plain = unwrapped(texts)
    if not is_string(plain.type):
        return texts
    found = is_null_marker(plain)
    if placeholders:
        found = pc.or_(found, is_placeholder(plain))
    return pc.if_else(found, None, plain) if pc.any(found).as_py() else plain


def is_null_marker(texts: pa.Array) -> pa.Array:
    """Return whether each text is a null marker such as NULL: bool [rows], false for null."""
    return pc.match_substring_regex(texts, null_markers()).fill_null(False)


def is_placeholder(texts: pa.Array) -> pa.Array:
    """Return whether each text is a placeholder of a messenger, such as 사진: bool [rows], false for null."""
    return pc.match_substring_regex(texts, placeholders()).fill_null(False)


@functools.cache
def null_markers() -> str:
    """Return a pattern (RE2) that matches a text that is a null marker as a whole."""
    return _whole(_alternatives(_data()["null_markers"]))


@functools.cache
def placeholders() -> str:
    """Return a pattern (RE2) that matches a text that is a placeholder of a messenger as a whole."""
    return _whole("|".join(map(_alternatives, _data()["placeholders"].values())))


@functools.cache
def system_lines(messenger: str) -> str:
    """Return a pattern (RE2) that matches a line that a messenger writes itself.

    Args:
        messenger: kakaotalk or whatsapp.
    """
    return _whole(_alternatives(_data()["system_lines"][messenger]))


@functools.cache
def system_kinds(messenger: str) -> frozenset[str]:
    """Return the kinds of messages that a messenger writes itself.

    Args:
        messenger: slack.
    """
    return frozenset(_data()["system_lines"][messenger]["texts"])


def _alternatives(table: dict[str, list[str]]) -> str:
    return "|".join([*map(re.escape, table.get("texts", ())), *table.get("patterns", ())])


def _whole(alternatives: str) -> str:
    return f"^{_OUTER}(?:{alternatives}){_OUTER}$"


@functools.cache
def _data() -> dict[str, Any]:
    return tomllib.loads(files("emojob.schemas").joinpath("messengers.toml").read_text(encoding="utf-8"))
