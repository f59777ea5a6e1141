"""Defines which texts are blank. A blank conversation ID, speaker or column value means that the value is unknown."""

from __future__ import annotations

import unicodedata

# Characters without a visible form that are neither white space nor control or format characters: fillers, the blank
# Braille pattern, the combining grapheme joiner and variation selectors.
_FILLERS = (
    (0x34F, 0x34F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x2800, 0x2800), (0x3164, 0x3164),
    (0xFE00, 0xFE0F), (0xFFA0, 0xFFA0), (0xE0100, 0xE01EF),
)  # fmt: skip
_CATEGORIES = {"Cc", "Cf", "Zs", "Zl", "Zp"}

#: Pattern in RE2 syntax, for Arrow and DuckDB. Matches a character that is not blank.
NOT_BLANK = (
    r"[^\s\p{Z}\p{Cc}\p{Cf}" + "".join(rf"\x{{{first:x}}}-\x{{{last:x}}}" for first, last in _FILLERS) + "]"
)  # fmt: skip


def is_blank(text: str) -> bool:
    """Return whether a text has only white space, control characters and characters without a visible form."""
    return not any(map(_is_visible, text))


def _is_visible(character: str) -> bool:
    if unicodedata.category(character) in _CATEGORIES:
        return False
    return not any(first <= ord(character) <= last for first, last in _FILLERS)
