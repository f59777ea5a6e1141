"""Decides what a time column tells: the order of its dates, and the shapes that may have another meaning.

A few odd values decide nothing: `RARE` is the share of the values up to which they may be typing errors.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

#: Share of values that may be typing errors.
RARE = 0.05

# Forms of digits that emojob does not read.
_SHORT_FORMS = ("yymmdd", "ddmmyy", "mmddyy")
_LONG_FORMS = ("ddmmyyyy", "mmddyyyy")
_YEAR_DAY_MONTH = "yyyyddmm"

# YYYYMMDD and YYYYMMDDHHMMSS are so usual that forms with a short year and as many digits are implausible.
_USUAL = ("8", "14", "17", "20")
_EPOCHS = ("seconds", "13", "16", "19")
_MOST_BY_CHANCE = 0.5  # share of the times since 1970 that have another form by chance: at most 0.1, but for few values


def orders(found: dict[str, Any]) -> tuple[str, str]:
    """Return (order of short dates, order of long dates); an empty text if the order stays open.

    Args:
        found: The row of evidence.sql.
    """
    short = _possible(found["short"], ("ymd", "dmy", "mdy"))
    if found["short"]["year_day_month"] > RARE * (found["short"]["rows"] + found["short"]["year_day_month"]):
        short = []
    long = _possible(found["long"], ("dmy", "mdy"))
    if found["long"]["rows"] and found["short"]["rows"]:  # day and month have the same order in the whole column
        if len(long) == 1 and short != ["ymd"]:
            short = [order for order in short if order in ("ymd", *long)] if set(long) & set(short) else []
        elif len(short) == 1 and short != ["ymd"]:
            long = [order for order in long if order in short]
    return (short[0] if len(short) == 1 else ""), (long[0] if len(long) == 1 else "")


def unclear_digits(found: Iterable[dict[str, Any]], is_month_first: bool = False) -> dict[str, int]:
    """Return {shape: number of values} for digits that may have several meanings.

    Digits are read if the other forms that they may have are possible for few values only.

    Args:
        found: The rows of digit_evidence.sql.
        is_month_first: Whether the month is known to come before the day in dates that begin with the year.
    """
    unclear = {}
    for row in found:
        equal = _LONG_FORMS if row["shape"] in _USUAL else (*_SHORT_FORMS, *_LONG_FORMS)
        others = (*_SHORT_FORMS, *_LONG_FORMS, *(() if is_month_first else (_YEAR_DAY_MONTH,)))
        most = max(row[form]["only"] for form in (*equal, _YEAR_DAY_MONTH))
        if not row["read"]:
            if most >= (1 - RARE) * row["rows"]:
                unclear[row["shape"]] = most
            continue
        share = _MOST_BY_CHANCE if row["shape"] in _EPOCHS else 1 - RARE
        is_other = any(_explains(row[form], row["read"], share) for form in equal)
        if is_other or any(_explains_more(row[form], row["read"]) for form in others):
            unclear[row["shape"]] = row["read"]
    return unclear


def unclear_dates(never: Iterable[dict[str, Any]], read: dict[str, int]) -> dict[str, int]:
    """Return {shape: number of values} for dates such as 2026-02-06 that may be year, day, month.

    Args:
        never: `year_day_month` of evidence.sql: values that can only be year, day, month.
        read: {shape: number of values that are read as year, month, day}.
    """
    return {
        one["shape"]: one["rows"] + read.get(one["shape"], 0)
        for one in never
        if one["rows"] > RARE * (one["rows"] + read.get(one["shape"], 0))
    }


def _possible(found: dict[str, Any], candidates: tuple[str, ...]) -> list[str]:
    """Return the orders that fit nearly all dates, or dates with nearly all values."""
    return [
        order
        for order in candidates
        if found[order]["dates"]
        and any(found[unit] - found[order][unit] <= RARE * found[unit] for unit in ("dates", "rows"))
    ]


def _explains(form: dict[str, int], read: int, share: float) -> bool:
    """Return whether this share of the values that are read, or more, may have another form."""
    return form["both"] > 0 and form["both"] + form["only"] >= share * (read + form["only"])


def _explains_more(form: dict[str, int], read: int) -> bool:
    """Return whether many values can only have the other form, and some of those that are read may have it too."""
    return form["both"] > 0 and form["only"] > RARE * (read + form["only"])
