"""Forms of times for tests: date forms x clock forms x zone forms. Each form writes a moment as a text."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from zoneinfo import ZoneInfo

Moment = datetime.datetime
Write = Callable[[Moment], str]

SEOUL = ZoneInfo("Asia/Seoul")
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
_MONTHS = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
]  # fmt: skip


def _day(m: Moment) -> str:
    return _DAYS[m.weekday()]


def _month(m: Moment) -> str:
    return _MONTHS[m.month - 1]


def _hour(m: Moment) -> int:
    return m.hour % 12 or 12


#: Forms of the date that have one meaning. T may follow the forms in ISO.
ISO: list[Write] = [
    lambda m: f"{m.year}-{m.month:02}-{m.day:02}",
    lambda m: f"{m.year}{m.month:02}{m.day:02}",
    lambda m: "{}-W{:02}-{}".format(*m.isocalendar()),
    lambda m: f"{m.year}-{m.timetuple().tm_yday:03}",
]
DATES: list[Write] = [
    *ISO[:1],
    lambda m: f"{m.year}/{m.month:02}/{m.day:02}",
    lambda m: f"{m.year}.{m.month}.{m.day}",
    lambda m: f"{m.year}. {m.month}. {m.day}.",
    lambda m: f"{m.year}:{m.month:02}:{m.day:02}",
    lambda m: f"{m.year}년 {m.month}월 {m.day}일",
    lambda m: f"{m.year}년{m.month:02}월{m.day:02}일",
    lambda m: f"{m.year}년 {m.month}월 {m.day}일 {'월화수목금토일'[m.weekday()]}요일",
    lambda m: f"{m.year}-{m.month:02}-{m.day:02} ({'월화수목금토일'[m.weekday()]})",
    lambda m: f"{m.year}年{m.month}月{m.day}日",
    lambda m: f"{_month(m)} {m.day}, {m.year}",
    lambda m: f"{_month(m)[:3]} {m.day}, {m.year}",
    lambda m: f"{m.day} {_month(m)} {m.year}",
    lambda m: f"{m.day:02}-{_month(m)[:3].upper()}-{m.year}",
    lambda m: f"{m.day:02}/{_month(m)[:3]}/{m.year}",
    lambda m: f"{m.year}-{_month(m)[:3]}-{m.day:02}",
    lambda m: f"{_day(m)[:3]}, {m.day:02} {_month(m)[:3]} {m.year}",
    lambda m: f"{_day(m)}, {_month(m)} {m.day}, {m.year}",
    lambda m: f"{_day(m)[:3]} {_month(m)[:3]} {m.day:02} {m.year}",
]

#: Forms of the date whose order of day and month only the whole column shows: (order, form).
IN_ORDER: list[tuple[str, Write]] = [
    ("dmy", lambda m: f"{m.day:02}/{m.month:02}/{m.year}"),
    ("mdy", lambda m: f"{m.month:02}/{m.day:02}/{m.year}"),
    ("dmy", lambda m: f"{m.day}.{m.month}.{m.year}"),
    ("mdy", lambda m: f"{m.month}-{m.day}-{m.year}"),
    ("ymd", lambda m: f"{m.year % 100:02}.{m.month:02}.{m.day:02}"),
    ("ymd", lambda m: f"{m.year % 100:02}. {m.month}. {m.day}."),
    ("ymd", lambda m: f"{m.year % 100:02}/{m.month}/{m.day}"),
    ("dmy", lambda m: f"{m.day:02}.{m.month:02}.{m.year % 100:02}"),
    ("mdy", lambda m: f"{m.month}/{m.day}/{m.year % 100:02}"),
]

_S, _MS, _US = (datetime.timedelta(**{unit: 1}) for unit in ("seconds", "milliseconds", "microseconds"))
_M = datetime.timedelta(minutes=1)

#: Forms of the clock: (precision, form).
CLOCKS: list[tuple[datetime.timedelta, Write]] = [
    (_M, lambda m: f"{m.hour:02}:{m.minute:02}"),
    (_M, lambda m: f"{m.hour}:{m.minute:02}"),
    (_S, lambda m: f"{m.hour:02}:{m.minute:02}:{m.second:02}"),
    (_MS, lambda m: f"{m.hour:02}:{m.minute:02}:{m.second:02}.{m.microsecond // 1000:03}"),
    (_MS, lambda m: f"{m.hour:02}:{m.minute:02}:{m.second:02},{m.microsecond // 1000:03}"),
    (_US, lambda m: f"{m.hour:02}:{m.minute:02}:{m.second:02}.{m.microsecond:06}"),
    (_US, lambda m: f"{m.hour:02}:{m.minute:02}:{m.second:02}.{m.microsecond:06}789"),
    (_M, lambda m: f"{_hour(m)}:{m.minute:02} {'AM' if m.hour < 12 else 'PM'}"),
    (_S, lambda m: f"{_hour(m):02}:{m.minute:02}:{m.second:02}{'am' if m.hour < 12 else 'pm'}"),
    (_M, lambda m: f"{_hour(m)}:{m.minute:02} {'a.m.' if m.hour < 12 else 'p.m.'}"),
    (_M, lambda m: f"{'오전' if m.hour < 12 else '오후'} {_hour(m)}:{m.minute:02}"),
    (_S, lambda m: f"{'오전' if m.hour < 12 else '오후'} {_hour(m)}:{m.minute:02}:{m.second:02}"),
    (_M, lambda m: f"{'오전' if m.hour < 12 else '오후'} {_hour(m)}시 {m.minute}분"),
    (_S, lambda m: f"{m.hour:02}시 {m.minute:02}분 {m.second:02}초"),
]


def _offset(m: Moment, colon: str) -> str:
    minutes = round((m.utcoffset() or datetime.timedelta()).total_seconds() / 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{colon}{abs(minutes) % 60:02}"


def _offset_zone(hours: float) -> datetime.timezone:
    return datetime.timezone(datetime.timedelta(hours=hours))


#: Forms of the time zone: (zone of the written clock, form).
ZONES: list[tuple[datetime.tzinfo, Write]] = [
    (SEOUL, lambda m: ""),
    (datetime.UTC, lambda m: "Z"),
    (datetime.UTC, lambda m: " UTC"),
    (_offset_zone(9), lambda m: _offset(m, ":")),
    (_offset_zone(-5), lambda m: " " + _offset(m, "")),
    (_offset_zone(5.5), lambda m: " " + _offset(m, ":")),
    (_offset_zone(-3.5), lambda m: " GMT" + _offset(m, "")),
    (_offset_zone(9), lambda m: " GMT+9"),
    (_offset_zone(9), lambda m: " KST"),
    (_offset_zone(9), lambda m: " UTC+09:00"),
    (_offset_zone(9), lambda m: " +0900 KST"),
    (_offset_zone(9), lambda m: " (UTC+09:00)"),
    (ZoneInfo("Asia/Kolkata"), lambda m: " Asia/Kolkata"),
    (ZoneInfo("Asia/Kolkata"), lambda m: _offset(m, ":") + "[Asia/Kolkata]"),
    (_offset_zone(9), lambda m: f" GMT{_offset(m, '')} (Korean Standard Time)"),
]


def unambiguous(moment: Moment) -> Iterator[tuple[str, Moment]]:
    """Yield (text, the moment in UTC) for each combination of DATES, CLOCKS and ZONES, and for whole forms."""
    for date in DATES:
        for precision, clock in CLOCKS:
            for zone, write_zone in ZONES:
                there = moment.astimezone(zone)
                text = f"{date(there)} {clock(there)}{write_zone(there)}"
                if not text.endswith(("mZ", "MZ", ".Z", "분Z", "초Z")):
                    yield text, _cut(moment, precision)
    for date in ISO:
        for zone, write_zone in ZONES[:4]:
            there = moment.astimezone(zone)
            for clock in (f"T{there:%H:%M:%S}", f"T{there:%H%M%S}", f"T{there:%H:%M}", f"T{there:%H%M}"):
                precision = _S if len(clock) > 6 else _M
                yield f"{date(there)}{clock}{write_zone(there)}", _cut(moment, precision)
    yield from _whole(moment)


def _whole(moment: Moment) -> Iterator[tuple[str, Moment]]:
    there, utc = moment.astimezone(SEOUL), moment.astimezone(datetime.UTC)
    second, day = _cut(moment, _S), there.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(datetime.UTC)
    since = datetime.datetime(2001, 9, 10, tzinfo=datetime.UTC)
    micros = (utc - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)) // _US
    weekday, month = _day(there)[:3], _month(there)[:3]
    yield f"{weekday} {month} {there.day:2} {there:%H:%M:%S} {there.year}", second
    yield f"{weekday} {month} {there.day:02} {there:%H:%M:%S} KST {there.year}", second
    yield f"{there.day:02}/{month}/{there.year}:{there:%H:%M:%S} +0900", second
    yield f"[{there.day:02}/{month}/{there.year}:{there:%H:%M:%S} +0900]", second
    yield f"{there:%Y%m%d%H%M%S}", second
    yield f"{there:%Y%m%d%H%M}", _cut(moment, _M)
    yield f"{there:%Y%m%d%H%M%S}{there.microsecond // 1000:03}", _cut(moment, _MS)
    yield f"{there:%Y%m%d_%H%M%S}", second
    yield (
        f"{_month(there)} {there.day}, {there.year} at {_hour(there)}:{there:%M} {'AM' if there.hour < 12 else 'PM'}",
        (_cut(moment, _M)),
    )
    for date in (*DATES, *ISO):
        yield date(there), day
    if moment < since:  # numbers of earlier times have too few digits
        return
    yield str(micros // 1_000_000), second
    yield str(micros // 1000), _cut(moment, _MS)
    yield str(micros), moment
    yield str(micros * 1000), moment
    yield f"{micros // 1_000_000}.{micros % 1_000_000:06}", moment


def _cut(moment: Moment, precision: datetime.timedelta) -> Moment:
    """Return a moment without the digits that a form with this precision omits."""
    return moment - (moment - datetime.datetime(1, 1, 1, tzinfo=datetime.UTC)) % precision
