"""Computes times from the parts of dates and clocks that a pattern of `forms` found."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_MONTHS = pa.array(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"])
_MISSING = -1
_NO_DAY = np.datetime64("NaT", "D")

Days = NDArray[np.datetime64]


def days(found: pa.StructArray, order: str = "ymd") -> Days:
    """Return the days of dates: datetime64[D] [rows], NaT if there is no such day.

    Args:
        found: Groups of a pattern with a date.
        order: Order of the groups `first`, `second` and `third`: ymd, mdy or dmy.
    """
    names = {one.name for one in found.type}
    if "first" in names:
        parts = dict(zip(order, (numbers(found, name) for name in ("first", "second", "third")), strict=True))
        year, month, day = parts["y"], parts["m"], parts["d"]
    else:
        year, month, day = (numbers(found, name) for name in ("year", "month", "day"))
    # 99 is 2099: no messenger is older than this century
    year = np.where((year >= 0) & (year < 100), year + 2000, year)
    valid = (year >= 1970) & (year <= 9999) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    months = np.where(valid, (year - 1970) * 12 + month - 1, 0).astype("datetime64[M]")
    result = months.astype("datetime64[D]") + np.where(valid, day - 1, 0)
    valid &= result.astype("datetime64[M]") == months  # there is no 31 April
    return np.where(valid, result, _NO_DAY)


def seconds_of_day(found: pa.StructArray) -> NDArray[np.int64]:
    """Return the seconds since midnight: int64 [rows], -1 if there is no such time."""
    hour, minute = numbers(found, "hour"), numbers(found, "minute")
    second = np.maximum(numbers(found, "seconds"), 0)
    half = pc.utf8_lower(pc.binary_join_element_wise(found.field("half"), found.field("half_after"), ""))
    before_noon = np.asarray(pc.match_substring_regex(half, "오전|^a"))
    after_noon = np.asarray(pc.match_substring_regex(half, "오후|^p"))
    hour = np.where(before_noon & (hour == 12), 0, hour)
    hour = np.where(after_noon & (hour < 12), hour + 12, hour)
    # 24:00 is the midnight at the end of the day
    valid = (hour >= 0) & (minute >= 0) & (minute < 60) & (second < 60) & ((hour < 24) | ((hour == 24) & (minute == 0)))
    return np.where(valid, hour * 3600 + minute * 60 + second, _MISSING)


def times(day: Days, seconds: NDArray[np.int64]) -> pa.Array:
    """Return timestamps in seconds without a time zone, null where the day or the time is missing."""
    missing = np.isnat(day) | (seconds == _MISSING)
    filled = np.where(missing, np.datetime64(0, "D"), day).astype("datetime64[s]")
    return pa.array(filled + np.where(missing, 0, seconds), pa.timestamp("s"), mask=missing)


def numbers(found: pa.StructArray, name: str) -> NDArray[np.int64]:
    """Return the numbers in a group: int64 [rows], -1 if the group is empty. Names of months are numbers, too."""
    texts = found.field(name)
    if name == "month":
        named = pc.index_in(pc.utf8_slice_codeunits(pc.utf8_lower(texts), 0, 3), _MONTHS)
        digits = pc.if_else(named.is_valid(), pc.add(named, 1).cast(pa.string()), texts)
    else:
        digits = texts
    digits = pc.if_else(pc.equal(digits, ""), None, digits)
    return np.asarray(digits.cast(pa.int64()).fill_null(_MISSING))
