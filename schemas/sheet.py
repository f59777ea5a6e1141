"""The annotators' sheet: a CSV file for spreadsheets, written by `emojob sample` and read by `emojob train`.

The texts come from strangers. A spreadsheet may read one as a formula, a number or a date. `escape_cell` puts an
apostrophe before such a text, and `unescape_cell` removes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

TEXT, LABEL, PREVIOUS = "text", "label", "previous"
GUESS, CONFIDENCE, SECOND, MARGIN = "emojob_guess", "emojob_confidence", "emojob_second", "emojob_margin"
TIMES = "times"
CONVERSATION, TIME = "conversation", "time"

#: Columns of every sheet, in this order. `label` is blank, for the annotator. `previous` is blank if unknown.
#: `conversation` and `time` follow if the archive has them.
SHEET_COLUMNS = (TEXT, LABEL, PREVIOUS, GUESS, CONFIDENCE, SECOND, MARGIN, TIMES)

#: With a byte order mark, by which spreadsheets recognize UTF-8.
SHEET_ENCODING = "utf-8-sig"

# Beginnings that a spreadsheet reads as a formula: = + - @, in Korean and Japanese settings also their full-width
# forms, with any blank or invisible characters before them. A leading tab or line end moves the text to another cell.
# The apostrophe is included because `unescape_cell` removes it.
_INVISIBLE = "\\s\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
_FORMULA = re.compile(f"[{_INVISIBLE}]*['=+\\-@＝＋－＠﹦﹢﹣﹫−]|[\x00\t\r\n]")

#: The same pattern for RE2, the regular expressions of Arrow, which search a whole column at once.
FORMULA_PATTERN = (
    r"^(?:[\s\p{Z}\x00-\x1f\x7f-\x9f\xad\x{61c}\x{180e}\x{200b}-\x{200f}\x{2028}-\x{202e}\x{2060}-\x{206f}\x{feff}]*"
    r"['=+\-@＝＋－＠﹦﹢﹣﹫−]|[\x00\t\r\n])"
)

# Texts that a spreadsheet converts to a number, a time, a date or a truth value: 007, 3월 5일, May 5, 1e5.
_MONTH = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    "nov(?:ember)?|dec(?:ember)?"
)
_VALUE = re.compile(
    rf"(?=\D*\d)(?:\d|[\s.,:/()%$€£¥₩~-]|e(?=[+\d-])|[년월일시분초]|오전|오후|[ap]m|{_MONTH})+|true|false",
    re.IGNORECASE,
)


def is_sheet(columns: Iterable[str]) -> bool:
    """Return whether a file with these columns is an annotators' sheet. Other columns may be missing or added."""
    return {TEXT, LABEL, GUESS} <= set(columns)


def escape_cell(text: str, keep_values: bool = False) -> str:
    """Return a cell that a spreadsheet shows as the text, without calculating or converting it.

    Args:
        text: Any text.
        keep_values: Escape formulas only; the spreadsheet may convert numbers and dates.
    """
    marked = _FORMULA.match(text) is not None if keep_values else _needs_mark(text)
    return f"'{text}" if marked else text


def unescape_cell(cell: str) -> str:
    """Return the text of a cell from `escape_cell`. A cell without its apostrophe stays unchanged."""
    return cell[1:] if cell.startswith("'") and _needs_mark(cell[1:]) else cell


def _needs_mark(text: str) -> bool:
    return _FORMULA.match(text) is not None or _VALUE.fullmatch(text) is not None
