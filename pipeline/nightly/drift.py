"""Detects drift: compares the rows of one day with the rows of earlier days of the same kind.

A check raises an alarm only if its figure is beyond the limit of the configuration, and also beyond what changes from
day to day without a cause. `reference_days` chooses the earlier days. Their differences show how much the figures vary
(`statistics.dispersion`), and Student's t distribution allows for the small number of days. The probability of a false
alarm is 0.4% a night for all checks together: the sum of `_ERRORS` (Bonferroni's inequality).

The drift of the emotions is the population stability index (Siddiqi, Credit Risk Scorecards, 2006): the sum of
(p - q) ln(p / q) over all emotions. p is an emotion's share on the day, and q is the share on the earlier days. 0.5 is
added to each row count, so that no share is 0. The index of unchanged shares is not 0: for k emotions, n rows on the
day and m rows before, its mean is (k - 1)(1 / n + 1 / m) (Yurdakul and Naranjo, Journal of Risk Model Validation 14,
2020), times the dispersion. This mean is subtracted. Besides the index, each emotion is tested on its own.
"""

from __future__ import annotations

import datetime
import math
import statistics
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from emojob.pipeline.nightly.config import DriftConfig
from emojob.pipeline.nightly.label_drift import LabelChange, label_drift, stability_index
from emojob.pipeline.statistics.dispersion import dispersion
from emojob.pipeline.statistics.distributions import t_quantile
from emojob.pipeline.statistics.reference_days import reference_days, why_no_rows_are_usual
from emojob.pipeline.statistics.shares import change_interval
from emojob.schemas.manifest import CONFIDENCE_BINS, Counts

__all__ = ["Check", "Drift", "LabelChange", "drift", "stability_index"]

UNSURE = 0.5  # labels with a lower confidence count as uncertain

#: {name of a check: (rows with the property, all rows)}
_COUNTS: dict[str, Callable[[Counts], tuple[int, int]]] = {
    "unsure": lambda counts: (sum(counts.confidences[: round(UNSURE * CONFIDENCE_BINS)]), counts.labelled),
    "unknown": lambda counts: (counts.unknown_tokens, counts.tokens),
    "truncated": lambda counts: (counts.truncated, counts.labelled),
    "empty": lambda counts: (counts.empty, counts.written),
}

#: {name of a check: probability of an alarm if nothing changed}. `label_drift` divides the error of emotions.
_ERRORS = {"emotions": 0.001, "rows": 0.001, "unsure": 0.0005, "unknown": 0.0005, "truncated": 0.0005, "empty": 0.0005}

# The number of rows of a day is assumed to vary by 10 % from day to day, with the weight of four days.
_ROWS_VARIANCE, _ROWS_FREEDOM = 0.1**2, 4.0


@dataclass(frozen=True)
class Check:
    """A drift check: compares the checked day with the earlier days.

    `name` defines the meaning of `value` and `before`:

    - emotions: `value` is the population stability index beyond its mean for unchanged shares. `before` is None.
    - rows: `value` is the number of rows divided by `before`. `before` is the median number of rows of an earlier day
      of the same kind.
    - unsure, unknown, truncated, empty: `value` is a share (0..1). `before` is the share on the earlier days.

    Attributes:
        name: Name of the check.
        value: Result for the checked day.
        before: Result for the earlier days.
        limit: Largest allowed `value`: the limit of the configuration, or a larger limit if the figure varies much from
            day to day. In the check `rows`, if `value` is below 1: smallest allowed `value`.
        alarm: Whether `value` is beyond the limit. In the check `emotions`, also whether `labels` is not empty.
        labels: In the check `emotions`, the emotions whose shares changed. If the alarm is only for all
            emotions together, the emotions with the largest changes.
        by_chance: Whether `value` is beyond the limit of the configuration, but raises no alarm, because the figure
            varies so much from day to day or the rows are so few that the change may be chance.
    """

    name: str
    value: float
    before: float | None
    limit: float
    alarm: bool
    labels: tuple[LabelChange, ...] = ()
    by_chance: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the check as a dict for JSON."""
        return {**asdict(self), "labels": [asdict(change) for change in self.labels]}


@dataclass(frozen=True)
class Drift:
    """The drift checks of a day.

    Attributes:
        day: The checked day.
        days_before: Number of earlier days with rows.
        checks: The checks. Empty if the day cannot be compared.
        why: Reason why `checks` is empty, otherwise "".
        reason: The same as a word: "few_days", "no_rows" (no rows, and this is usual) or "holiday", otherwise "".
        days_alike: Number of earlier days of the same kind. Their mean is compared with the day.
    """

    day: datetime.date
    days_before: int
    checks: tuple[Check, ...] = ()
    why: str = ""
    reason: str = ""
    days_alike: int = 0

    @property
    def alarms(self) -> tuple[Check, ...]:
        """Return the checks that raise an alarm."""
        return tuple(check for check in self.checks if check.alarm)

    def as_json(self) -> dict[str, Any]:
        """Return the drift checks as a dict for JSON."""
        return {
            "day": self.day.isoformat(),
            "days_before": self.days_before,
            "days_alike": self.days_alike,
            "checks": [check.as_json() for check in self.checks],
            "alarms": [check.name for check in self.alarms],
            "why_none": self.why,
            "reason_none": self.reason,
        }


def drift(days: Mapping[datetime.date, Counts], day: datetime.date, config: DriftConfig) -> Drift:
    """Compare a day with earlier days of the same kind. Earlier days without rows are skipped.

    Args:
        days: {day: row counts}. A missing day has no rows.
        day: The day to check.
        config: Limits of the alarms, and number of earlier days.

    Returns:
        The drift checks. `checks` is empty if too few earlier days have rows, if the day is a holiday, or if the day
        has no rows and this is usual, such as on Sundays.
    """
    today, off = days.get(day, Counts()), config.days_off
    with_rows = {one for one, counts in days.items() if counts.written}
    found = reference_days(with_rows, day, config.days, config.fewest_days, off)
    reason, why = "", ""
    if day in off:
        reason, why = "holiday", "drift.holidays contains this day"
    elif not today.written and len(found.days) >= config.fewest_days:
        why = why_no_rows_are_usual(with_rows, day, config.days, off)
        reason = "no_rows" if why else ""
    elif found.why:
        reason, why = "few_days", found.why
    if why:
        return Drift(day, len(found.days), why=why, reason=reason)
    earlier = _Earlier(tuple(days[one] for one in found.days), found.kinds, found.kind)
    checks = [_rows_check(today, earlier, config)]
    if today.labelled >= config.fewest_rows:
        checks.insert(0, _emotions_check(today, earlier, config))
    if today.written >= config.fewest_rows:
        checks += [_share_check(name, today, earlier, getattr(config, name)) for name in _COUNTS]
    return Drift(day, len(found.days), tuple(checks), days_alike=len(earlier.alike))


@dataclass(frozen=True)
class _Earlier:
    """Row counts and kinds of the earlier days, and the kind of the checked day."""

    counts: tuple[Counts, ...]
    kinds: tuple[int | str, ...]
    kind: int | str

    @property
    def alike(self) -> list[Counts]:
        """Row counts of the days of the same kind. If there are none, of all earlier days."""
        own = [counts for counts, kind in zip(self.counts, self.kinds, strict=True) if kind == self.kind]
        return own or list(self.counts)


def _rows_check(today: Counts, earlier: _Earlier, config: DriftConfig) -> Check:
    """Compare the number of rows with earlier days. The logarithms are compared with a prediction interval."""
    alike = earlier.alike
    usual = statistics.median(counts.written for counts in alike)
    share = today.written / usual
    variance, freedom = _variance_of_rows(earlier, usual)
    variance *= 1 + 1 / len(alike)
    middle = statistics.fmean(math.log(counts.written) for counts in alike) - math.log(usual)
    half = t_quantile(_ERRORS["rows"], freedom) * math.sqrt(variance)
    if today.written == 0 or share < 1:
        limit = min(config.fewest_share, math.exp(middle - half)) if today.written else config.fewest_share
        by_chance = limit <= share < config.fewest_share
        return Check("rows", share, usual, limit, share < limit, by_chance=by_chance)
    limit = max(config.most_share, math.exp(min(middle + half, 700.0)))  # e^710 is too large for a float
    by_chance = config.most_share < share <= limit
    return Check("rows", share, usual, limit, share > limit, by_chance=by_chance)


def _variance_of_rows(earlier: _Earlier, usual: float) -> tuple[float, float]:
    """Return the variance of the logarithm of a day's rows, and its degrees of freedom.

    Two causes are possible, and the larger variance counts: all days vary by the same part, or the rows come in groups,
    such as conversations, so that small days vary more.
    """
    squares, dispersed, freedom = 0.0, 0.0, 0
    for kind in dict.fromkeys(earlier.kinds):
        rows = [counts.written for counts, other in zip(earlier.counts, earlier.kinds, strict=True) if other == kind]
        logs, mean = [math.log(one) for one in rows], statistics.fmean(rows)
        squares += sum((one - statistics.fmean(logs)) ** 2 for one in logs)
        dispersed += sum((one - mean) ** 2 / mean for one in rows)
        freedom += len(rows) - 1
    same_part = (squares + _ROWS_FREEDOM * _ROWS_VARIANCE) / (freedom + _ROWS_FREEDOM)
    in_groups = max(1.0, dispersed / freedom if freedom else 1.0) / usual
    return max(same_part, in_groups), freedom + _ROWS_FREEDOM


def _emotions_check(today: Counts, earlier: _Earlier, config: DriftConfig) -> Check:
    compared = [counts for counts in earlier.counts if counts.labelled]
    kinds = [kind for counts, kind in zip(earlier.counts, earlier.kinds, strict=True) if counts.labelled]
    carries_sets = any(sum(counts.emotions.values()) != counts.labelled for counts in (today, *compared))
    sizes = (today.labelled, [counts.labelled for counts in compared]) if carries_sets else None
    result = label_drift(
        today.emotions, [counts.emotions for counts in compared], kinds, earlier.kind, _ERRORS["emotions"],
        config.label, sizes,
    )  # fmt: skip
    limit = config.emotions if result.is_significant else max(config.emotions, result.least)
    is_beyond = result.index > limit and (result.is_significant or not carries_sets)
    labels = result.changed or (result.largest if is_beyond else ())
    alarm = is_beyond or bool(result.changed)
    by_chance = not alarm and result.index > config.emotions
    return Check("emotions", result.index, None, limit, alarm, labels, by_chance)


def _share_check(name: str, today: Counts, earlier: _Earlier, rise: float) -> Check:
    """Compare a share with earlier days. Only a rise can raise an alarm."""
    pairs = [_COUNTS[name](counts) for counts in earlier.counts]
    used = [(pair, kind) for pair, kind in zip(pairs, earlier.kinds, strict=True) if pair[1]]
    count, rows = _COUNTS[name](today)
    own = [pair for pair, kind in used if kind == earlier.kind]
    before = (float(sum(part for part, _ in own)), float(sum(whole for _, whole in own)))
    share, share_before = (part / whole if whole else 0.0 for part, whole in ((count, rows), before))
    if not rows or not before[1]:
        return Check(name, share, share_before, 1.0, False)
    numbers = np.array([pair for pair, _ in used], np.float64)
    spread = dispersion(numbers[:, [0]], numbers[:, 1], [kind for _, kind in used], earlier.kind, rows)
    quantile = t_quantile(2 * _ERRORS[name], spread.freedom)
    designs = (float(spread.now[0]), float(spread.before[0]))

    def is_rise(part: float) -> bool:
        return change_interval((part, rows), before, quantile, designs)[0] > 0

    low, high = before[0] / before[1], 1.0  # the limit is the smallest share that is a rise
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if is_rise(middle * rows) else (middle, high)
    limit = max(share_before + rise, high)
    by_chance = share_before + rise < share <= limit
    return Check(name, share, share_before, limit, share > limit, by_chance=by_chance)
