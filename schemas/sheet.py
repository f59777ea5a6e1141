"""Defines the annotators' sheet. `emojob sample` writes this CSV file, and `emojob train` reads it.

The texts are untrusted. A spreadsheet program may interpret a text as a formula, a number or a date. Therefore
`escape_cell` puts an apostrophe before such a text. `unescape_cell` removes the apostrophe.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

TEXT, LABEL, PREVIOUS = "text", "label", "previous"
GUESS, CONFIDENCE, SECOND, MARGIN = "emojob_guess", "emojob_confidence", "emojob_second", "emojob_margin"
TIMES = "times"
CONVERSATION, TIME = "conversation", "time"

#: Columns of every sheet, in this order. The annotator fills in `label`. `previous` is blank if the previous utterance
#: is unknown. The column `conversation` follows if conversations are known, and the column `time` if times are known.
SHEET_COLUMNS = (TEXT, LABEL, PREVIOUS, GUESS, CONFIDENCE, SECOND, MARGIN, TIMES)

#: UTF-8 with a byte order mark. Spreadsheet programs need the mark to recognize UTF-8.
SHEET_ENCODING = "utf-8-sig"

# A spreadsheet reads a text as a formula if the text begins with = + - or @. With Korean and Japanese settings, the
# full-width forms of these characters also begin a formula. Blank or invisible characters may come before a formula. A
# leading tab or line end moves the text to another cell. A leading apostrophe is escaped, too, because `unescape_cell`
# would remove it.
_INVISIBLE = "\\s\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
_FORMULA = re.compile(f"[{_INVISIBLE}]*['=+\\-@＝＋－＠﹦﹢﹣﹫−]|[\x00\t\r\n]")

#: The same pattern as _FORMULA, in the syntax of RE2. Arrow uses RE2 to search a whole column in one call.
FORMULA_PATTERN = (
    r"^(?:[\s\p{Z}\x00-\x1f\x7f-\x9f\xad\x{61c}\x{180e}\x{200b}-\x{200f}\x{2028}-\x{202e}\x{2060}-\x{206f}\x{feff}]*"
    r"['=+\-@＝＋－＠﹦﹢﹣﹫−]|[\x00\t\r\n])"
)

# _VALUE matches texts that a spreadsheet converts to a number, time, date or Boolean: 007, 3월 5일, May 5, 1e5, true.
_MONTH = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    "nov(?:ember)?|dec(?:ember)?"
)
_VALUE = re.compile(
    rf"(?=\D*\d)(?:\d|[\s.,:/()%$€£¥₩~-]|e(?=[+\d-])|[년월일시분초]|오전|오후|[ap]m|{_MONTH})+|true|false",
    re.IGNORECASE,
)


def is_sheet(columns: Iterable[str]) -> bool:
    """Return whether a file is an annotators' sheet: `columns` contains text, label and emojob_guess."""
    return {TEXT, LABEL, GUESS} <= set(columns)


def escape_cell(text: str, keep_values: bool = False) -> str:
    """Escape a text for a cell, so that a spreadsheet shows the text unchanged.

    Args:
        text: Any text.
        keep_values: Whether to leave numbers and dates unescaped, so that the spreadsheet can convert them.
    """
    marked = _FORMULA.match(text) is not None if keep_values else _needs_mark(text)
    return f"'{text}" if marked else text


def unescape_cell(cell: str) -> str:
    """Undo `escape_cell`. A cell that was not escaped is returned unchanged."""
    return cell[1:] if cell.startswith("'") and _needs_mark(cell[1:]) else cell


def _needs_mark(text: str) -> bool:
    return _FORMULA.match(text) is not None or _VALUE.fullmatch(text) is not None
