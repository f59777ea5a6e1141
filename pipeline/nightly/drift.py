"""Detects drift: compares the rows of one day with the rows of earlier days.

The drift of the emotions is the population stability index (Siddiqi, Credit Risk Scorecards, 2006): the sum of
(p - q) ln(p / q) over all emotions. p is an emotion's share on the day, and q is the share on the earlier days. 0.5 is
added to each row count, so that no share is 0.
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
from emojob.schemas.messages import counted

UNSURE = 0.5  # labels with a lower confidence count as uncertain

#: {name of a check: text for the alarm, such as "3.00% of the tokens are unknown"}
_SHARES = {
    "unsure": f"labels have a confidence below {UNSURE}",
    "unknown": "tokens are unknown",
    "truncated": "labelled texts were truncated",
    "empty": "rows have no text",
}


@dataclass(frozen=True)
class Check:
    """A drift check: compares the checked day with the earlier days.

    `name` defines the meaning of `value` and `before`:

    - emotions: `value` is the population stability index. `before` is None.
    - rows: `value` is the number of rows divided by `before`. `before` is the median number of rows per earlier day.
    - unsure, unknown, truncated, empty: `value` is a share (0..1). `before` is the share on the earlier days.

    Attributes:
        name: Name of the check.
        value: Result for the checked day.
        before: Result for the earlier days.
        limit: Largest allowed `value`. In the check `rows`, if `value` is below 1: smallest allowed `value`.
        alarm: Whether `value` is beyond the limit.
    """

    name: str
    value: float
    before: float | None
    limit: float
    alarm: bool

    @property
    def in_words(self) -> str:
        """Return the text of the alarm, such as "300 rows, but at least 500 are expected (...)"."""
        if self.name == "emotions":
            return f"the population stability index is {self.value:.3f}, but at most {self.limit:g} is allowed"
        if self.name == "rows":
            usual = self.before or 0.0
            # `round` removes floating-point errors
            rows, limit = round(self.value * usual), round(self.limit * usual, 6)
            bound = f"at least {math.ceil(limit):,}" if self.value < self.limit else f"at most {math.floor(limit):,}"
            median = counted(round(usual), "row")
            return f"{counted(rows, 'row')}, but {bound} are expected (median of the days before: {median})"
        before = "" if self.before is None else f" ({self.before:.2%} on the days before)"
        return f"{self.value:.2%} of the {_SHARES[self.name]}, but at most {self.limit:.2%} is allowed{before}"

    def as_json(self) -> dict[str, Any]:
        """Return the check as a dict for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Drift:
    """The drift checks of a day.

    Attributes:
        day: The checked day.
        days_before: Number of earlier days with rows.
        checks: The checks. Empty if `days_before` is too small.
        why: Reason why `checks` is empty, otherwise "".
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
        """Return the drift checks as a dict for JSON."""
        return {
            "day": self.day.isoformat(),
            "days_before": self.days_before,
            "checks": [check.as_json() for check in self.checks],
            "alarms": [check.name for check in self.alarms],
            "why_none": self.why,
        }


def drift(days: Mapping[datetime.date, Counts], day: datetime.date, config: DriftConfig) -> Drift:
    """Compare a day with earlier days. Earlier days without rows are skipped.

    Args:
        days: {day: row counts}. A missing day has no rows.
        day: The day to check.
        config: Limits of the alarms, and number of earlier days.

    Returns:
        The drift checks. `checks` is empty if fewer than `config.fewest_days` earlier days have rows.
    """
    today = days.get(day, Counts())
    first = day - datetime.timedelta(days=config.days)
    earlier = [counts for other, counts in sorted(days.items()) if first <= other < day and counts.written]
    if len(earlier) < config.fewest_days:
        why = f"the number of earlier days with rows is {len(earlier)}, but at least {config.fewest_days} are needed"
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
    """Return the population stability index of two dicts {emotion: number of rows}. 0 means equal shares."""
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
