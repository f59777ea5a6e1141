"""Chooses the earlier days that a day is compared with: days of the same weekday, or of the same part of the week."""

from __future__ import annotations

import datetime
from collections.abc import Collection
from dataclasses import dataclass

Day = datetime.date

#: Minimum number of days of the same kind, if `fewest_days` is not smaller.
FEWEST_ALIKE = 3

# Whether a weekday usually has rows is decided from more days than are compared, because there are few of each weekday.
_TIMES_DAYS = 3
_USUAL, _USUAL_WEEKDAY = 0.9, 0.75  # minimum shares of days with rows, if a day without rows is to be unusual

_ONE_DAY = datetime.timedelta(days=1)
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class ReferenceDays:
    """The earlier days that a day is compared with.

    Attributes:
        days: The earlier days with rows, in order.
        kinds: Kind of each of these days: a weekday (0: Monday, 6: Sunday); or "weekday" or "weekend"; or "day".
        kind: Kind of the checked day.
        why: Reason why too few earlier days have this kind, otherwise "".
    """

    days: tuple[Day, ...]
    kinds: tuple[int | str, ...]
    kind: int | str
    why: str = ""

    @property
    def alike(self) -> list[Day]:
        """The days of the same kind as the checked day."""
        return [day for day, kind in zip(self.days, self.kinds, strict=True) if kind == self.kind]


def reference_days(
    with_rows: Collection[Day], day: Day, most_days: int, fewest_days: int, holidays: Collection[Day] = ()
) -> ReferenceDays:
    """Choose the earlier days for a comparison.

    The days of the same weekday are of the same kind. If there are too few of them, all days from Monday to Friday are
    of one kind, and Saturdays and Sundays are of another kind. If there are also too few days from Monday to Friday,
    all days are of one kind. A Saturday or Sunday is never compared with days from Monday to Friday.

    Args:
        with_rows: All days with rows.
        day: The day to check.
        most_days: Number of days before `day` to choose from.
        fewest_days: Minimum number of earlier days with rows.
        holidays: Days to leave out.
    """
    first = day - most_days * _ONE_DAY
    days = tuple(one for one in sorted(with_rows) if first <= one < day and one not in holidays)
    weekdays = tuple(one.weekday() for one in days)
    fewest_alike = min(FEWEST_ALIKE, fewest_days)
    if len(days) >= fewest_days and weekdays.count(day.weekday()) >= fewest_alike:
        return ReferenceDays(days, weekdays, day.weekday())
    part, parts = _part_of_week(day), tuple(map(_part_of_week, days))
    if part == "weekday" and len(days) >= fewest_days and parts.count(part) < fewest_alike:
        return ReferenceDays(days, ("day",) * len(days), "day")
    why = ""
    alike = parts.count(part)
    if alike < fewest_alike:
        why = f"the number of earlier {part} days with rows is {alike}, but at least {fewest_alike} are needed"
    if len(days) < fewest_days:
        why = f"the number of earlier days with rows is {len(days)}, but at least {fewest_days} are needed"
    return ReferenceDays(days, parts, part, why)


def why_no_rows_are_usual(with_rows: Collection[Day], day: Day, most_days: int, holidays: Collection[Day] = ()) -> str:
    """Return the reason why a day without rows is not unusual, such as an office that is closed on Sundays.

    Return "" if nearly all earlier days of this kind have rows. Then the rows of `day` are missing. The arguments are
    those of `reference_days`.
    """
    first = max(min(with_rows, default=day), day - _TIMES_DAYS * most_days * _ONE_DAY)
    earlier = [one for number in range((day - first).days) if (one := first + number * _ONE_DAY) not in holidays]
    weekday = [one for one in earlier if one.weekday() == day.weekday()]
    part = [one for one in earlier if _part_of_week(one) == _part_of_week(day)]
    name = _WEEKDAYS[day.weekday()]
    if len(weekday) >= FEWEST_ALIKE:
        missing = len(weekday) - sum(one in with_rows for one in weekday)
        least = _USUAL_WEEKDAY if _part_of_week(day) == "weekday" else _USUAL
        if missing > (1 - least) * len(weekday):
            return f"no rows, as on {missing} of {len(weekday)} earlier {name}s"
        part = [one for one in part if not _is_closed(one.weekday(), earlier, with_rows)]
    if len(part) < FEWEST_ALIKE:
        return f"no rows, and too few earlier days like a {name} to know whether this is usual"
    missing = len(part) - sum(one in with_rows for one in part)
    if missing > (1 - _USUAL) * len(part):
        return f"no rows, as on {missing} of {len(part)} earlier {_part_of_week(day)} days"
    return ""


def _is_closed(weekday: int, days: Collection[Day], with_rows: Collection[Day]) -> bool:
    """Return whether less than half of the days on a weekday have rows."""
    own = [day for day in days if day.weekday() == weekday]
    return 2 * sum(day in with_rows for day in own) < len(own)


def _part_of_week(day: Day) -> str:
    return "weekend" if day.weekday() >= 5 else "weekday"
