"""Defines the annotation sheet: a CSV file that `emojob sample` writes and `emojob train` reads.

Spreadsheet programs can interpret a text as a formula, a number or a date. To prevent this, `escape_cell` puts an
apostrophe before the text. `unescape_cell` removes the apostrophe.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

TEXT, LABEL, PREVIOUS = "text", "label", "previous"
GUESS, CONFIDENCE, SECOND, MARGIN = "emojob_guess", "emojob_confidence", "emojob_second", "emojob_margin"
TIMES = "times"
CONVERSATION, TIME = "conversation", "time"
DRAWN, WEIGHT = "drawn", "weight"

#: Columns of every annotation sheet, in this order. The annotator fills in the column `label`. The column `previous`
#: contains the previous utterance, if known. The columns `conversation` and `time` can follow. In a random sample, the
#: columns that start with emojob_ are empty, so that they do not influence the annotator, and two columns follow:
#: `drawn` says how the row was drawn, and `weight` how many labelled rows of the archive the row stands for.
SHEET_COLUMNS = (TEXT, LABEL, PREVIOUS, GUESS, CONFIDENCE, SECOND, MARGIN, TIMES)

#: UTF-8 with a byte order mark, so that spreadsheet programs recognize UTF-8.
SHEET_ENCODING = "utf-8-sig"

# _FORMULA matches texts that must be escaped:
# - A text that begins with = + - @ or a full-width form of these characters. Spreadsheet programs would treat the
#   text as a formula. Blank or invisible characters can come before the first of these characters.
# - A text that begins with a tab or a line end. The text would move to another cell.
# - A text that begins with an apostrophe. `unescape_cell` would remove the apostrophe.
_INVISIBLE = "\\s\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
_FORMULA = re.compile(f"[{_INVISIBLE}]*['=+\\-@＝＋－＠﹦﹢﹣﹫−]|[\x00\t\r\n]")

#: The pattern _FORMULA in RE2 syntax. Arrow uses RE2 to search a column.
FORMULA_PATTERN = (
    r"^(?:[\s\p{Z}\x00-\x1f\x7f-\x9f\xad\x{61c}\x{180e}\x{200b}-\x{200f}\x{2028}-\x{202e}\x{2060}-\x{206f}\x{feff}]*"
    r"['=+\-@＝＋－＠﹦﹢﹣﹫−]|[\x00\t\r\n])"
)

# _VALUE matches texts that spreadsheet programs convert to other values, for example 007, 3월 5일, 1e5 or true.
_MONTH = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    "nov(?:ember)?|dec(?:ember)?"
)
_VALUE = re.compile(
    rf"(?=\D*\d)(?:\d|[\s.,:/()%$€£¥₩~-]|e(?=[+\d-])|[년월일시분초]|오전|오후|[ap]m|{_MONTH})+|true|false",
    re.IGNORECASE,
)


def is_sheet(columns: Iterable[str]) -> bool:
    """Return whether the columns of an annotation sheet (text, label, emojob_guess) are in `columns`."""
    return {TEXT, LABEL, GUESS} <= set(columns)


def is_formula(text: str) -> bool:
    """Return whether a spreadsheet program could treat a text as a formula."""
    return _FORMULA.match(text) is not None


def escape_cell(text: str, keep_values: bool = False) -> str:
    """Escape a text, so that spreadsheet programs show the text unchanged.

    Args:
        text: Any text.
        keep_values: Whether to escape only formulas, and not numbers and dates.
    """
    marked = is_formula(text) if keep_values else _needs_mark(text)
    return f"'{text}" if marked else text


def unescape_cell(cell: str) -> str:
    """Undo `escape_cell`. Other cells are returned unchanged."""
    return cell[1:] if cell.startswith("'") and _needs_mark(cell[1:]) else cell


def _needs_mark(text: str) -> bool:
    return is_formula(text) or _VALUE.fullmatch(text) is not None
