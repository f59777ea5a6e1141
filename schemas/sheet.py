"""The annotators' sheet: a CSV file that a spreadsheet opens, written by `emojob sample` and read by `emojob train`.

A text of an archive is a stranger's: in a spreadsheet it may turn into a formula, a number or a date. `escape_cell`
puts an
apostrophe before such a text, `unescape_cell` takes it away again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

TEXT, LABEL, PREVIOUS = "text", "label", "previous"
GUESS, CONFIDENCE, SECOND, MARGIN = "emojob_guess", "emojob_confidence", "emojob_second", "emojob_margin"
TIMES = "times"
CONVERSATION, TIME = "conversation", "time"

#: What every sheet has, in this order; `label` is blank, for the annotator, and `previous` where none is known.
SHEET_COLUMNS = (TEXT, LABEL, PREVIOUS, GUESS, CONFIDENCE, SECOND, MARGIN, TIMES)
#: What follows where the archive has it.
EXTRA_COLUMNS = (CONVERSATION, TIME)
#: The columns whose cells went through `inert`.
INERT_COLUMNS = (TEXT, PREVIOUS, GUESS, SECOND, CONVERSATION, TIME)

#: So that a spreadsheet takes the file for UTF-8.
SHEET_ENCODING = "utf-8-sig"

# What a spreadsheet reads as a formula: = + - @, in Korean and Japanese settings their full-width forms too, whatever
# blank or invisible characters stand before them; a tab or line end first also moves what follows to another cell.
# The apostrophe is among them because it is the mark that `restored` takes away.
_INVISIBLE = "\\s\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
_FORMULA = re.compile(f"[{_INVISIBLE}]*['=+\\-@＝＋－＠﹦﹢﹣﹫−]|[\x00\t\r\n]")

#: The same for RE2, the regular expressions of Arrow, which search a whole column at once.
FORMULA_PATTERN = (
    r"^(?:[\s\p{Z}\x00-\x1f\x7f-\x9f\xad\x{61c}\x{180e}\x{200b}-\x{200f}\x{2028}-\x{202e}\x{2060}-\x{206f}\x{feff}]*"
    r"['=+\-@＝＋－＠﹦﹢﹣﹫−]|[\x00\t\r\n])"
)

# What it reads as a number, a time, a date or a truth value, and gives back in other words: 007, 3월 5일, May 5, 1e5.
_MONTH = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    "nov(?:ember)?|dec(?:ember)?"
)
_VALUE = re.compile(
    rf"(?=\D*\d)(?:\d|[\s.,:/()%$€£¥₩~-]|e(?=[+\d-])|[년월일시분초]|오전|오후|[ap]m|{_MONTH})+|true|false",
    re.IGNORECASE,
)


def is_sheet(columns: Iterable[str]) -> bool:
    """Whether a file with these columns is an annotators' sheet; it may have lost the others, or won some."""
    return {TEXT, LABEL, GUESS} <= set(columns)


def escape_cell(text: str, keep_values: bool = False) -> str:
    """`text` as a cell that a spreadsheet shows as it is, and does not calculate or convert.

    keep_values: a number or a date may be shown the spreadsheet's own way; formulas are inert nevertheless.
    """
    marked = _FORMULA.match(text) is not None if keep_values else _needs_mark(text)
    return f"'{text}" if marked else text


def unescape_cell(cell: str) -> str:
    """The text that `escape_cell` made `cell` from; a cell without its mark stays as it is."""
    return cell[1:] if cell.startswith("'") and _needs_mark(cell[1:]) else cell


def _needs_mark(text: str) -> bool:
    return _FORMULA.match(text) is not None or _VALUE.fullmatch(text) is not None
