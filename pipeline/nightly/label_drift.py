"""Compares the shares of the labels on a day with earlier days: as a whole, and each label on its own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from emojob.pipeline.statistics.dispersion import Dispersion, Numbers, dispersion
from emojob.pipeline.statistics.distributions import f_quantile, t_quantile
from emojob.pipeline.statistics.shares import change_interval

# A label's share changed if it at least doubled or halved, even if the change is small. The larger share must be at
# least _LEAST.
_TIMES, _LEAST = 2.0, 0.001
# Labels with fewer expected rows, divided by the dispersion, are joined in the test of all labels.
_FEWEST = 5.0
_LARGEST = 3  # number of labels in `LabelDrift.largest`


@dataclass(frozen=True)
class LabelChange:
    """A label whose share changed.

    Attributes:
        label: The label.
        share: Share on the checked day (0..1).
        before: Share on the earlier days (0..1).
    """

    label: str
    share: float
    before: float


@dataclass(frozen=True)
class LabelDrift:
    """The result of `label_drift`.

    Attributes:
        index: Population stability index beyond its mean for unchanged shares, 0 or above.
        is_significant: Whether the shares differ more than they vary from day to day.
        least: Approximately the smallest index that is significant, with the rows and the variation of these days. It
            is above `index` unless `is_significant` is true. 0 if it is unknown.
        changed: Labels whose share changed, the largest change (relative to the shares) first.
        largest: The labels with the largest changes, if none of them is large enough for `changed`.
    """

    index: float
    is_significant: bool
    changed: tuple[LabelChange, ...]
    largest: tuple[LabelChange, ...] = ()
    least: float = 0.0


def label_drift(
    today: Mapping[str, int],
    earlier: Sequence[Mapping[str, int]],
    kinds: Sequence[Any],
    kind: Any,
    error: float,
    least_change: float,
    sizes: tuple[int, Sequence[int]] | None = None,
) -> LabelDrift:
    """Compare the labels of a day with earlier days.

    If a row can carry several labels, the shares of the labels are not one distribution. Then each label is compared on
    its own, and `index` is the largest index of a label against all rows that do not carry it.

    Args:
        today: {label: rows} of the checked day.
        earlier: {label: rows} of each earlier day with labelled rows.
        kinds: Kind of each earlier day.
        kind: Kind of the checked day, which is compared with the earlier days of this kind.
        error: Probability that `is_significant` is true or `changed` is not empty if nothing changed. One half is for
            the test of all labels, the other half for the single labels.
        least_change: Smallest change of a share (0..1) that counts, unless the share doubles or halves. 1: no single
            label counts.
        sizes: If a row can carry several labels: (labelled rows of the checked day, labelled rows of each earlier day).
    """
    labels = sorted({*today, *(label for counts in earlier for label in counts)})
    counts = np.array([[day.get(label, 0) for label in labels] for day in earlier], np.float64).reshape(-1, len(labels))
    now = np.array([today.get(label, 0) for label in labels], np.float64)
    own = counts[np.array([other == kind for other in kinds], bool)].sum(axis=0)
    if len(labels) < 2 or not own.sum() or not now.sum():
        return LabelDrift(0.0, False, ())
    by_day = counts.sum(axis=1) if sizes is None else np.array(sizes[1], np.float64)
    rows = float(now.sum() if sizes is None else sizes[0])
    rows_before = float(by_day[np.array([other == kind for other in kinds], bool)].sum())
    wholes = (rows, rows_before)
    spread = dispersion(counts, by_day, kinds, kind, rows)
    if sizes is not None:
        return _of_sets(labels, (now, own), wholes, spread, error, least_change)
    expected = (len(labels) - 1) * float(np.mean(spread.now) / rows + np.mean(spread.before) / rows_before)
    index = stability_index(today, dict(zip(labels, own.tolist(), strict=True))) - expected
    changed = _changed(labels, (now, own), wholes, spread, error / 2, least_change)
    largest = _largest(labels, (now, own), wholes)
    times = _times_critical(now, own, spread, error / 2)
    least = (index + expected) / times - expected if times else 0.0
    return LabelDrift(max(0.0, index), times > 1, changed, largest, least)


def _of_sets(
    labels: list[str],
    counts: tuple[Numbers, Numbers],
    wholes: tuple[float, float],
    spread: Dispersion,
    error: float,
    least_change: float,
) -> LabelDrift:
    """Return the result for rows that can carry several labels."""
    changed = _changed(labels, counts, wholes, spread, error, least_change)
    indexes = [
        stability_index({"with": new, "without": wholes[0] - new}, {"with": old, "without": wholes[1] - old})
        for new, old in zip(*(numbers.tolist() for numbers in counts), strict=True)
    ]
    return LabelDrift(max(indexes), bool(changed), changed, _largest(labels, counts, wholes))


def _largest(
    labels: list[str], counts: tuple[Numbers, Numbers], wholes: tuple[float, float]
) -> tuple[LabelChange, ...]:
    changes = [
        LabelChange(label, float(new) / wholes[0], float(old) / wholes[1])
        for label, new, old in zip(labels, *counts, strict=True)
    ]
    return tuple(sorted(changes, key=lambda one: -abs(one.share - one.before))[:_LARGEST])


def _changed(
    labels: list[str],
    counts: tuple[Numbers, Numbers],
    wholes: tuple[float, float],
    spread: Dispersion,
    error: float,
    least_change: float,
) -> tuple[LabelChange, ...]:
    """Return the labels whose share changed. `counts`, `wholes`: rows with each label and all rows, (now, before)."""
    if least_change >= 1:
        return ()
    quantile = t_quantile(error / len(labels), spread.freedom)  # Bonferroni's inequality
    (now, before), (rows, rows_before) = counts, wholes
    found = []
    for i, label in enumerate(labels):
        share, share_before = float(now[i]) / rows, float(before[i]) / rows_before
        smaller, larger = sorted((share, share_before))
        if larger - smaller < least_change and (larger < _TIMES * smaller or larger < _LEAST):
            continue
        designs = (float(spread.now[i]), float(spread.before[i]))
        low, high = change_interval((now[i], rows), (before[i], rows_before), quantile, designs)
        if low > 0 or high < 0:
            found.append(LabelChange(label, share, share_before))
    return tuple(sorted(found, key=lambda one: -abs(one.share - one.before) / (one.share + one.before)))


def _times_critical(now: Numbers, before: Numbers, spread: Dispersion, error: float) -> float:
    """Return Pearson's statistic of all labels, divided by the dispersion and by the quantile of F.

    Above 1, the difference is significant. The population stability index is nearly proportional to the statistic.
    """
    part = now.sum() / before.sum()
    expected = (now + before) * part / (1 + part)
    rare = expected < _FEWEST * spread.now
    observed, wanted, design = now[~rare], expected[~rare], spread.now[~rare]
    if rare.any():
        observed = np.append(observed, now[rare].sum())
        wanted = np.append(wanted, expected[rare].sum())
        design = np.append(design, spread.now[rare].max())
    used = wanted > 0
    if used.sum() < 2:
        return 0.0
    observed, wanted, design = observed[used], wanted[used], design[used]
    # part of the variance comes from the days before: (now - expected) has the variance expected / (1 + part)
    statistic = float(((observed - wanted) ** 2 * (1 + part) / (wanted * design)).sum())
    freedom = float(used.sum() - 1)
    return statistic / freedom / f_quantile(error, freedom, spread.freedom)


def stability_index(now: Mapping[str, float], before: Mapping[str, float]) -> float:
    """Return the population stability index of two dicts {emotion: number of rows}. 0 means equal shares."""
    names = sorted({*now, *before})
    rows, rows_before = (sum(counts.values()) + len(names) / 2 for counts in (now, before))
    index = 0.0
    for name in names:
        p, q = (now.get(name, 0) + 0.5) / rows, (before.get(name, 0) + 0.5) / rows_before
        index += (p - q) * math.log(p / q)
    return index
