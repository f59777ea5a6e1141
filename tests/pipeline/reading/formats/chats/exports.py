"""Writes chats as the messengers export them, for tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

#: (time, speaker, text).
Message = tuple[datetime, str, str]

WEEKDAYS = "월화수목금토일"


def half(time: datetime) -> str:
    return f"{'오전' if time.hour < 12 else '오후'} {(time.hour - 1) % 12 + 1}:{time:%M}"


def english_half(time: datetime, space: str = " ") -> str:
    return f"{(time.hour - 1) % 12 + 1}:{time:%M}{space}{'AM' if time.hour < 12 else 'PM'}"


def korean_day(time: datetime) -> str:
    return f"{time.year}년 {time.month}월 {time.day}일"


def pc(messages: Sequence[Message]) -> str:
    lines, day = ["이두리 님과 카카오톡 대화", "저장한 날짜 : 2026-11-21 13:05:11", ""], None
    for time, speaker, text in messages:
        if time.date() != day:
            lines.append(f"--------------- {korean_day(time)} {WEEKDAYS[time.weekday()]}요일 ---------------")
        day = time.date()
        lines.append(f"[{speaker}] [{half(time)}] {text}")
    return "\n".join([*lines, ""])


def pc_english(messages: Sequence[Message]) -> str:
    lines, day = ["KakaoTalk Chats with 이두리", "Date Saved : 2026-11-21 13:05:11", ""], None
    for time, speaker, text in messages:
        if time.date() != day:
            lines.append(f"--------------- {time:%A, %B} {time.day}, {time.year} ---------------")
        day = time.date()
        lines.append(f"[{speaker}] [{english_half(time)}] {text}")
    return "\n".join([*lines, ""])


def mobile(stamp: Callable[[datetime], str], day_line: Callable[[datetime], str]) -> Callable[[Sequence[Message]], str]:
    """Return a writer of the form of phones."""

    def write(messages: Sequence[Message]) -> str:
        lines, day = ["이두리 님과 카카오톡 대화", "저장한 날짜 : 2026년 11월 21일 오후 1:05", ""], None
        for time, speaker, text in messages:
            if time.date() != day:
                lines += ["", day_line(time)]
            day = time.date()
            lines.append(f"{stamp(time)}, {speaker} : {text}")
        return "\n".join([*lines, ""])

    return write


def android_day(time: datetime) -> str:
    return f"{korean_day(time)} {WEEKDAYS[time.weekday()]}요일"


KAKAOTALK = {
    "pc": pc,
    "pc english": pc_english,
    "android": mobile(lambda time: f"{korean_day(time)} {half(time)}", android_day),
    "android, day with time": mobile(
        lambda time: f"{korean_day(time)} {half(time)}", lambda time: f"{korean_day(time)} {half(time)}"
    ),
    "android, 24 hours": mobile(lambda time: f"{korean_day(time)} {time:%H:%M}", android_day),
    "android english": mobile(
        lambda time: f"{time:%B} {time.day}, {time.year} at {english_half(time, chr(0x202F))}",
        lambda time: f"{time:%A, %B} {time.day}, {time.year}",
    ),
    "ios": mobile(lambda time: f"{time.year}. {time.month}. {time.day}. {half(time)}", android_day),
    "ios, 24 hours": mobile(lambda time: f"{time.year}. {time.month}. {time.day}. {time:%H:%M}", android_day),
    "ios english": mobile(
        lambda time: f"{time:%b} {time.day}, {time.year} {english_half(time)}",
        lambda time: f"{time:%A, %B} {time.day}, {time.year}",
    ),
}


def lines_of(stamp: Callable[[datetime], str]) -> Callable[[Sequence[Message]], str]:
    """Return a writer of the forms of WhatsApp."""
    return lambda messages: "\n".join([*(f"{stamp(time)}{speaker}: {text}" for time, speaker, text in messages), ""])


WHATSAPP = {
    "android": lines_of(lambda time: f"{time.day:02}/{time.month:02}/{time.year}, {time:%H:%M} - "),
    "android american": lines_of(
        lambda time: f"{time.month}/{time.day}/{time:%y}, {english_half(time, chr(0x202F))} - "
    ),
    "android korean": lines_of(lambda time: f"{time.year}. {time.month}. {time.day}. {half(time)} - "),
    "ios": lines_of(lambda time: f"[{time.day:02}.{time.month:02}.{time:%y}, {time:%H:%M:%S}] "),
    "ios american": lines_of(lambda time: f"[{time.month}/{time.day}/{time:%y}, {time:%I:%M:%S} {time:%p}] "),
    "ios korean": lines_of(
        lambda time: f"\u200e[{time.year}/{time.month}/{time.day}, {time:%I:%M:%S}\u202f{time:%p}] "
    ),
}
