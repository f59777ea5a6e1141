"""Compares the last day of a report with the earlier days."""

from __future__ import annotations

import datetime
import statistics
from collections.abc import Mapping
from typing import Any

import numpy as np

from emojob.pipeline.report.group_sizes import group_size
from emojob.pipeline.statistics.dispersion import Numbers, dispersion
from emojob.pipeline.statistics.distributions import t_quantile
from emojob.pipeline.statistics.reference_days import reference_days
from emojob.pipeline.statistics.shares import change_interval

Day = datetime.date
Rows = list[dict[str, Any]]

#: Maximum number of earlier days that are compared with the last day.
BEFORE = 28

# Probability that any change of a page is significant, although nothing changed.
_ERROR = 0.005
_FEWEST_DAYS = 3
_FEWEST_ROWS = 10

# A day is set aside if it has less than _FEW of the usual rows, or if it is more than _GAP days away from the other
# days and has less than the usual rows of a day.
_FEW, _GAP = 0.05, datetime.timedelta(days=60)


def latest(days: Rows, designs: Mapping[str, float] | None = None) -> dict[str, Any]:
    """Compare the emotions of the last day with the emotions of the earlier days (at most `BEFORE` days).

    Args:
        days: Rows of days.sql.
        designs: {emotion: design effect of the conversations}, from `design_effects`. Without it, only the differences
            between the earlier days show how much the shares vary.

    Returns:
        {} if `days` is empty. Otherwise a dictionary with these keys:

        - day: The last day, without the days that are set aside.
        - rows: Number of rows on the last day.
        - days_before: Number of earlier days. Days without rows are skipped.
        - rows_a_day_before: Mean number of rows on an earlier day.
        - too_few_rows: Whether the last day or the earlier days have fewer than 10 rows. Then reports show no changes.
        - set_aside: {"day", "rows"} for each day that does not count: a first or last day that is far away from the
          other days, or a last day with very few rows.
        - emotions: {"emotion", "share", "before", "change", "change_low", "change_high", "significant"} for each
          emotion: share on the last day, share on the earlier days, the difference and the interval of the difference.
          All intervals together contain the true differences with a probability of 99.5%. `significant`: the interval
          does not contain 0, and enough earlier days are of the same kind (see `reference_days`).

        Without earlier days, `rows_a_day_before`, `before`, `change` and its interval are None.
    """
    by_day: dict[Day, dict[str, int]] = {}
    rows_of: dict[Day, Rows] = {}
    for row in days:
        by_day.setdefault(row["day"], {})[row["emotion"]] = row["rows"]
        rows_of.setdefault(row["day"], []).append(row)
    if not by_day:
        return {}
    totals = {day: group_size(rows) for day, rows in rows_of.items()}
    kept = plausible_days(totals)
    last, *earlier = sorted(kept, reverse=True)
    earlier = earlier[:BEFORE]
    rows_before = sum(totals[day] for day in earlier)
    return {
        "day": last,
        "rows": totals[last],
        "days_before": len(earlier),
        "rows_a_day_before": rows_before / len(earlier) if earlier else None,
        "too_few_rows": bool(earlier) and min(totals[last], rows_before) < _FEWEST_ROWS,
        "set_aside": [{"day": day, "rows": totals[day]} for day in sorted(set(totals) - kept)],
        "emotions": _changes(
            by_day, totals, (last, earlier), designs or {}, bool(reference_days(kept, last, BEFORE, 3).why)
        ),
    }


def _changes(
    by_day: dict[Day, dict[str, int]],
    totals: dict[Day, int],
    compared: tuple[Day, list[Day]],
    designs: Mapping[str, float],
    too_few: bool,
) -> Rows:
    last, earlier = compared
    emotions = sorted({emotion for day in (last, *earlier) for emotion in by_day[day]})
    counts = np.array([[by_day[day].get(emotion, 0) for emotion in emotions] for day in (last, *earlier)], np.float64)
    now, before = counts[0], counts[1:].sum(axis=0)
    sizes = np.array([totals[day] for day in earlier], np.float64)
    rows, rows_before = float(totals[last]), float(sizes.sum())
    if not earlier:
        nothing = dict.fromkeys(("before", "change", "change_low", "change_high"))
        shares = zip(emotions, now / rows, strict=True)
        return [{"emotion": name, "share": float(x), **nothing, "significant": False} for name, x in shares]
    spread = dispersion(counts[1:], sizes, [0] * len(earlier), 0, rows)
    quantile = t_quantile(_ERROR / len(emotions), spread.freedom)  # Bonferroni's inequality
    too_few = too_few or min(rows, rows_before) < _FEWEST_ROWS
    found = []
    for i, emotion in enumerate(emotions):
        share, share_before = float(now[i]) / rows, float(before[i]) / rows_before
        own = max(designs.get(emotion, 1.0), float(spread.now[i]))
        design = max(own, _of_days(counts[1:, i], sizes, share_before, rows))
        design_before = max(designs.get(emotion, 1.0), float(spread.before[i]))
        pairs = ((float(now[i]), rows), (float(before[i]), rows_before))
        low, high = change_interval(*pairs, quantile, (design, design_before))
        found.append(
            {
                "emotion": emotion, "share": share, "before": share_before, "change": share - share_before,
                "change_low": low, "change_high": high,
                "significant": (low > 0 or high < 0) and not too_few,
            }
        )  # fmt: skip
    return found


def _of_days(counts: Numbers, rows: Numbers, share: float, rows_now: float) -> float:
    """Return the dispersion from the variance of the daily shares. Small days, such as Sundays, count fully."""
    if len(counts) < 2 or not 0 < share < 1:
        return 1.0
    return float(rows_now * np.var(counts / rows, ddof=1) / (share * (1 - share)))


def plausible_days(totals: Mapping[Day, int]) -> set[Day]:
    """Return the days without those that are set aside, such as the day of a row with a wrong date.

    Args:
        totals: {day: labelled rows}, at least one day.
    """
    usual = statistics.median(totals.values())
    kept = sorted(totals)
    groups: list[list[Day]] = []
    for day in kept:
        if groups and day - groups[-1][-1] <= _GAP:
            groups[-1].append(day)
        else:
            groups.append([day])
    for at in (0, -1):
        while len(groups) > 1 and sum(totals[day] for day in groups[at]) < usual:
            groups.pop(at)
    kept = [day for group in groups for day in group]
    while len(kept) > _FEWEST_DAYS and totals[kept[-1]] < _FEW * _usual(totals, kept):
        kept.pop()
    return set(kept)


def _usual(totals: Mapping[Day, int], kept: list[Day]) -> float:
    """Return the usual rows of the last day: of its weekday, or of all days if there are few of this weekday."""
    *others, last = kept
    weekday = [totals[day] for day in others if day.weekday() == last.weekday()]
    return statistics.median(weekday if len(weekday) >= _FEWEST_DAYS else [totals[day] for day in others])
