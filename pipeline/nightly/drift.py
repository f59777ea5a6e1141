"""Detects drift: compares the rows of one day with the rows of the days before it.

The distributions of emotions are compared by the population stability index, the sum of (p - q) ln(p / q) over the
emotions (Siddiqi, Credit Risk Scorecards, 2006). Each count is smoothed by half a row.
"""

from __future__ import annotations

import datetime
import math
import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from emojob.pipeline.nightly.config import DriftConfig
from emojob.schemas.manifest import CONFIDENCE_BINS, Counts

UNSURE = 0.5  # a row with a lower confidence is unsure


@dataclass(frozen=True)
class Check:
    """One figure of a day, compared with the days before it.

    Attributes:
        name: Name of the figure: emotions, unsure, unknown, truncated, empty or rows.
        value: The figure on the day: for emotions, the population stability index; for rows, the day's rows divided by
            `before`; otherwise a share, 0..1.
        before: The figure on the days before: for rows, the median number of rows; otherwise a share. None for
            emotions, because `value` already compares the day with the days before.
        limit: A value beyond this limit raises an alarm.
        alarm: Whether `value` raises an alarm.
    """

    name: str
    value: float
    before: float | None
    limit: float
    alarm: bool

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Drift:
    """The drift checks of one day.

    Attributes:
        day: The checked day.
        days_before: Number of days before it that have rows and are compared.
        checks: The checks; empty if `days_before` is too small.
        why: Reason for an empty `checks`; otherwise "".
    """

    day: datetime.date
    days_before: int
    checks: tuple[Check, ...] = ()
    why: str = ""

    @property
    def alarms(self) -> tuple[Check, ...]:
        """Return the checks that raise an alarm."""
        return tuple(check for check in self.checks if check.alarm)

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "day": self.day.isoformat(),
            "days_before": self.days_before,
            "checks": [check.as_json() for check in self.checks],
            "alarms": [check.name for check in self.alarms],
            "why_none": self.why,
        }


def drift(days: Mapping[datetime.date, Counts], day: datetime.date, config: DriftConfig) -> Drift:
    """Compare a day with the days before it that have rows.

    Args:
        days: {day: row counts}; a day that is missing here has no rows.
        day: The day to check.
        config: The limits, and the number of days to compare with.

    Returns:
        The drift checks; `checks` is empty if fewer than `config.fewest_days` of the days before have rows.
    """
    today = days.get(day, Counts())
    first = day - datetime.timedelta(days=config.days)
    earlier = [counts for other, counts in sorted(days.items()) if first <= other < day and counts.written]
    if len(earlier) < config.fewest_days:
        why = f"{len(earlier)} earlier days with rows are too few to compare with: {config.fewest_days} are needed"
        return Drift(day, len(earlier), why=why)
    before = Counts()
    for counts in earlier:
        before.add(counts)
    usual = statistics.median(counts.written for counts in earlier)
    share = today.written / usual
    limit = config.fewest_share if share < 1 else config.most_share
    checks = [Check("rows", share, usual, limit, not config.fewest_share <= share <= config.most_share)]
    if today.labelled >= config.fewest_rows:
        index = stability_index(today.emotions, before.emotions)
        checks.insert(0, Check("emotions", index, None, config.emotions, index > config.emotions))
    if today.written >= config.fewest_rows:
        for name, now, then in (
            ("unsure", _unsure(today), _unsure(before)),
            ("unknown", _share(today.unknown_tokens, today.tokens), _share(before.unknown_tokens, before.tokens)),
            ("truncated", _share(today.truncated, today.labelled), _share(before.truncated, before.labelled)),
            ("empty", _share(today.empty, today.written), _share(before.empty, before.written)),
        ):
            rise = getattr(config, name)
            checks.append(Check(name, now, then, then + rise, now > then + rise))
    return Drift(day, len(earlier), tuple(checks))


def stability_index(now: Mapping[str, int], before: Mapping[str, int]) -> float:
    """Return the population stability index of two {emotion: rows}; 0 means equal distributions."""
    names = {*now, *before}
    rows, rows_before = (sum(counts.values()) + len(names) / 2 for counts in (now, before))
    index = 0.0
    for name in names:
        p, q = (now.get(name, 0) + 0.5) / rows, (before.get(name, 0) + 0.5) / rows_before
        index += (p - q) * math.log(p / q)
    return index


def _unsure(counts: Counts) -> float:
    return _share(sum(counts.confidences[: round(UNSURE * CONFIDENCE_BINS)]), counts.labelled)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
