"""Describes the forms of chats that KakaoTalk and WhatsApp export as text.

The patterns are valid in RE2 (Arrow) and in Python. Their groups:

- `year`, `month`, `day`, or `first`, `second`, `third` if the order of the date is open (see `date_order`),
- `half` or `half_after` (오전, 오후, AM, PM), `hour`, `minute`, `seconds`,
- `speaker` and `text` of a message, or `rest`, which is the line after the time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_SPACE = "[ \u00a0\u2009\u202f]"  # iOS and newer browsers write a narrow space before AM and PM
_MARK = "[\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]*"  # marks without a visible form
_HALF_BEFORE = f"(?:(?P<half>오전|오후|AM|PM|am|pm){_SPACE})?"
_HALF_AFTER = f"(?:{_SPACE}?(?P<half_after>오전|오후|[AaPp]\\.?{_SPACE}?[Mm]\\.?))?"
_CLOCK = f"{_HALF_BEFORE}(?P<hour>[0-9]{{1,2}})[:.](?P<minute>[0-9]{{2}})(?:[:.](?P<seconds>[0-9]{{2}}))?{_HALF_AFTER}"
_MONTH = "(?P<month>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\\.?"
_DAY, _YEAR = "(?P<day>[0-9]{1,2})", "(?P<year>[0-9]{4})"
_WEEKDAY = "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"

_DATES = {
    "numbers": f"{_YEAR}(?:년 ?|\\. ?|-|/)(?P<month>[0-9]{{1,2}})(?:월 ?|\\. ?|-|/){_DAY}(?:일|\\.)?",
    "month first": f"{_MONTH} {_DAY}, {_YEAR}",
    "day first": f"{_DAY} {_MONTH} {_YEAR}",
}
_ANY_DATE = (
    "(?P<first>[0-9]{1,4})(?:년 ?|\\. ?|-|/)(?P<second>[0-9]{1,2})(?:월 ?|\\. ?|-|/)(?P<third>[0-9]{1,4})(?:일|\\.)?"
)
_KOREAN_WEEKDAY = "(?:[월화수목금토일]요일|\\([월화수목금토일]\\))"


@dataclass(frozen=True)
class Form:
    """A form of chats in text files. Each pattern matches a whole line.

    Attributes:
        name: Name of the form, for `Source.form`.
        messenger: kakaotalk or whatsapp.
        title: Name of the form in messages.
        message: Pattern of the first line of a message.
        dated: Pattern of a line with a date and a time; None if a message has only a time.
        day: Pattern of a line that begins a new day; None if there is no such line.
    """

    name: str
    messenger: str
    title: str
    message: str
    dated: str | None = None
    day: str | None = None


def _mobile(name: str, date: str, day: str) -> Form:
    stamp = f"^{_MARK}{date}(?:,| at)?{_SPACE}{_CLOCK}"
    # a line that begins a day may have a time
    return Form(
        f"kakaotalk-mobile ({name})",
        "kakaotalk",
        "KakaoTalk, exported on a phone",
        f"{stamp}, ?(?P<speaker>.+?) :(?: (?P<text>.*))?$",
        f"{stamp}(?:, ?|: ?|$)(?P<rest>.*)$",
        day,
    )


def _kakaotalk() -> list[Form]:
    pc = f"^{_MARK}\\[(?P<speaker>.+?)\\] \\[{_CLOCK}\\](?: (?P<text>.*))?$"
    title = "KakaoTalk, exported on a PC"
    dashes = "^ *-{5,} *"
    english_day = f"(?:{_WEEKDAY}),? {_MONTH} {_DAY}, {_YEAR}"
    english_day_first = f"(?:{_WEEKDAY}),? {_DAY} {_MONTH} {_YEAR}"
    numbers_day = f"{_DATES['numbers']} {_KOREAN_WEEKDAY}"
    return [
        Form("kakaotalk-pc (numbers)", "kakaotalk", title, pc, None, f"{dashes}{numbers_day} *-{{5,}} *$"),
        Form("kakaotalk-pc (month first)", "kakaotalk", title, pc, None, f"{dashes}{english_day} *-{{5,}} *$"),
        Form("kakaotalk-pc (day first)", "kakaotalk", title, pc, None, f"{dashes}{english_day_first} *-{{5,}} *$"),
        _mobile("numbers", _DATES["numbers"], f"^{numbers_day}$"),
        _mobile("month first", _DATES["month first"], f"^{english_day}$"),
        _mobile("day first", _DATES["day first"], f"^{english_day_first}$"),
    ]


def _whatsapp() -> list[Form]:
    rest, message = "(?P<rest>.*)$", f"{_MARK}(?P<speaker>.+?):(?: (?P<text>.*))?$"
    android = f"^{_MARK}{_ANY_DATE},?{_SPACE}{_CLOCK}{_SPACE}[-–]{_SPACE}"
    ios = f"^{_MARK}\\[{_ANY_DATE},?{_SPACE}{_CLOCK}\\]{_SPACE}"
    title = "WhatsApp, exported on "
    return [
        Form("whatsapp-android", "whatsapp", f"{title}Android", android + message, android + rest),
        Form("whatsapp-ios", "whatsapp", f"{title}iOS", ios + message, ios + rest),
    ]


#: All forms, {name: form}.
FORMS = {form.name: form for form in [*_kakaotalk(), *_whatsapp()]}

# First lines of a file of KakaoTalk.
_HEADERS = (
    re.compile(r"^(?P<chat>.+?) ?님과 카카오톡 대화$"),
    re.compile(r"^(?P<chat>.+?) ?카카오톡 대화$"),
    re.compile(r"^KakaoTalk Chats? with (?P<chat>.+)$"),
    re.compile(r"^(?P<chat>.+?)(?: with)? KakaoTalk Chats?$"),
)
_SAVED = re.compile(r"^(?:저장한 날짜|Date Saved|Saved Date|Saved on) ?: ?.{4,40}$")
_FILE_LINE = re.compile(r"^Talk_.{4,60}\.txt$")


def chat_name(line: str) -> str | None:
    """Return the name of the chat in the first line of a file of KakaoTalk; None if it is another line."""
    for pattern in _HEADERS:
        found = pattern.match(line.strip())
        if found:
            return found["chat"].strip() or None
    return None


def is_header(line: str) -> bool:
    """Return whether a line is one of the first lines of a file of KakaoTalk, or blank."""
    line = line.strip("\ufeff \r\n")
    return not line or bool(_SAVED.match(line) or _FILE_LINE.match(line)) or chat_name(line) is not None


def is_saved_line(line: str) -> bool:
    """Return whether a line of a file of KakaoTalk tells when the file was saved."""
    return bool(_SAVED.match(line.strip()))
