"""Simulated row counts of many days, to measure how often the drift checks and the report see a change."""

from __future__ import annotations

import collections
import datetime
from dataclasses import dataclass
from typing import Any

import numpy as np

from emojob.pipeline.nightly.config import DriftConfig
from emojob.pipeline.nightly.drift import drift
from emojob.pipeline.report.last_day import BEFORE, latest
from emojob.schemas.manifest import CONFIDENCE_BINS, Counts

FIRST = datetime.date(2026, 1, 5)  # a Monday


@dataclass(frozen=True)
class World:
    """How the rows of the simulated days come about. Nothing changes from day to day, except by chance.

    Attributes:
        rows: Usual rows on Monday to Sunday: 7 numbers.
        shares: Shares of the labels.
        weekend: Shares of the labels on Saturday and Sunday; None: as on other days.
        talk: Mean number of utterances of a conversation (geometric); 1: independent rows.
        alike: How alike the utterances of a conversation are: 0 (independent) to 1 (all have the same label).
        day_sd: Standard deviation of a label's log odds between days.
        rows_sd: Standard deviation of the logarithm of a day's rows, beyond chance.
        growth: Growth of the rows a day, such as 0.005.
        without_files: Probability that a day has no rows, such as on holidays.
        unsure, unknown, truncated, empty: Shares.
        log_uniform: Smallest and largest number of rows, if the rows of a day do not depend on the weekday.
    """

    rows: tuple[float, ...] = (1000.0,) * 7
    shares: tuple[float, ...] = (0.5, 0.1, 0.1, 0.1, 0.15, 0.05)
    weekend: tuple[float, ...] | None = None
    talk: float = 1.0
    alike: float = 0.0
    day_sd: float = 0.0
    rows_sd: float = 0.0
    growth: float = 0.0
    without_files: float = 0.0
    unsure: float = 0.1
    unknown: float = 0.01
    truncated: float = 0.01
    empty: float = 0.001
    log_uniform: tuple[float, float] | None = None


def zipf(labels: int, power: float = 1.2) -> tuple[float, ...]:
    """Return shares that fall with the rank of the label, with some rare labels."""
    weights = np.arange(1, labels + 1.0) ** -power
    return tuple(weights / weights.sum())


def simulate(world: World, days: int, chance: np.random.Generator) -> dict[datetime.date, Counts]:
    """Return {day: row counts} of `days` days."""
    found = {}
    for number in range(days):
        day = FIRST + datetime.timedelta(days=number)
        counts = one_day(world, day, chance, world.growth * number)
        if counts.written:
            found[day] = counts
    return found


def one_day(world: World, day: datetime.date, chance: np.random.Generator, growth: float = 0.0) -> Counts:
    """Return the row counts of one simulated day."""
    mean = world.rows[day.weekday()] * np.exp(growth)
    if world.log_uniform:
        mean = np.exp(chance.uniform(*np.log(world.log_uniform)))
    mean *= np.exp(world.rows_sd * chance.standard_normal())
    if mean <= 0 or chance.random() < world.without_files:
        return Counts()
    shares = np.array(world.weekend if world.weekend and day.weekday() >= 5 else world.shares)
    shares = shares * np.exp(world.day_sd * chance.standard_normal(len(shares)))
    shares /= shares.sum()
    rows, labels, unsure = _talks(world, mean, shares, chance)
    empty = int(chance.binomial(rows, world.empty))
    return _counts(world, rows, empty, labels, unsure, chance)


def _talks(world: World, mean: float, shares: np.ndarray, chance: np.random.Generator) -> tuple[int, np.ndarray, int]:
    """Return (rows, rows of each label, unsure rows) of a day's conversations."""
    if world.talk <= 1:
        rows = int(chance.poisson(mean))
        return rows, chance.multinomial(rows, shares), int(chance.binomial(rows, world.unsure))
    sizes = chance.geometric(1 / world.talk, int(chance.poisson(mean / world.talk)))
    own = chance.choice(len(shares), len(sizes), p=shares)
    same = chance.binomial(sizes, world.alike)
    labels = np.bincount(own, same, len(shares)).astype(int) + chance.multinomial(int((sizes - same).sum()), shares)
    is_unsure = chance.random(len(sizes)) < world.unsure
    unsure = int(same[is_unsure].sum()) + int(chance.binomial(int((sizes - same).sum()), world.unsure))
    return int(sizes.sum()), labels, unsure


def _counts(
    world: World, rows: int, empty: int, labels: np.ndarray, unsure: int, chance: np.random.Generator
) -> Counts:
    labelled = rows - empty
    for _ in range(empty):  # an empty row has no label
        labels[int(chance.choice(len(labels), p=labels / labels.sum()))] -= 1
    unsure = min(unsure, labelled)
    truncated = int(chance.binomial(labelled, world.truncated))
    confidences = [0] * CONFIDENCE_BINS
    confidences[300], confidences[800] = unsure, labelled - unsure
    return Counts(
        scored=labelled - truncated,
        truncated=truncated,
        empty=empty,
        tokens=10 * labelled,
        unknown_tokens=int(chance.binomial(10 * labelled, world.unknown)),
        emotions={f"label {i}": int(n) for i, n in enumerate(labels) if n},
        confidences=confidences,
    )


_FIVE = (1.0,) * 5


def _week(weekday: float, saturday: float, sunday: float) -> tuple[float, ...]:
    return (*(weekday * one for one in _FIVE), saturday, sunday)


#: {name: world in which nothing changes}
UNCHANGED: dict[str, World] = {
    "6 labels, 1,000 rows": World(),
    "58 rows": World(rows=(58.0,) * 7),
    "2 labels, 200 rows": World(rows=(240.0,) * 7, shares=(0.7, 0.3)),
    "44 labels, 200 rows": World(rows=(240.0,) * 7, shares=zipf(44)),
    "44 labels, 1,000 rows": World(shares=zipf(44)),
    "44 labels, 200,000 rows": World(rows=(200_000.0,) * 7, shares=zipf(44)),
    "44 labels, very rare": World(rows=(5_000.0,) * 7, shares=zipf(44, 2.5)),
    "20 rows": World(rows=(20.0,) * 7),
    "20 to 200,000 rows": World(log_uniform=(20, 200_000)),
    "20 to 200,000 rows, 44 labels, conversations": World(
        log_uniform=(20, 200_000), shares=zipf(44), talk=10, alike=0.7
    ),
    "conversations of 10": World(talk=10, alike=0.6),
    "conversations of 30, all alike": World(rows=(3_000.0,) * 7, talk=30, alike=1.0),
    "conversations of 20, 44 labels": World(rows=(2_000.0,) * 7, shares=zipf(44), talk=20, alike=0.8),
    "conversations of 100, 44 labels": World(rows=(20_000.0,) * 7, shares=zipf(44), talk=100, alike=0.9),
    "weekends small": World(rows=_week(5_000, 400, 250)),
    "weekends with another mix": World(rows=_week(5_000, 2_000, 2_000), weekend=(0.2, 0.4, 0.1, 0.1, 0.15, 0.05)),
    "weekends small, other mix, conversations": World(
        rows=_week(5_000, 600, 400), weekend=(0.2, 0.4, 0.1, 0.1, 0.15, 0.05), talk=10, alike=0.7, rows_sd=0.1
    ),
    "no weekends": World(rows=_week(2_000, 0, 0)),
    "closed on Sundays": World(rows=_week(2_000, 700, 0)),
    "small Sundays of 20": World(rows=_week(200_000, 5_000, 20)),
    "days differ": World(rows=(20_000.0,) * 7, day_sd=0.15, rows_sd=0.2),
    "days differ, 44 labels": World(rows=(20_000.0,) * 7, shares=zipf(44), day_sd=0.15, rows_sd=0.2),
    "growth of 1% a day": World(rows_sd=0.1, growth=0.01),
    "rows vary by 50%": World(rows_sd=0.5),
    "half of the Saturdays": World(rows=_week(2_000, 1_000, 0)),
}

#: {name: (usual world, world of the changed day)}
CHANGES: dict[str, tuple[World, World]] = {
    "anger from 3% to 9% of 100,000 rows": (
        World(rows=(100_000.0,) * 7, shares=(0.87, 0.03, 0.10)),
        World(rows=(100_000.0,) * 7, shares=(0.81, 0.09, 0.10)),
    ),
    "anger from 3% to 9% of 100,000 rows in conversations": (
        World(rows=(100_000.0,) * 7, shares=(0.87, 0.03, 0.10), talk=10, alike=0.7, rows_sd=0.1),
        World(rows=(100_000.0,) * 7, shares=(0.81, 0.09, 0.10), talk=10, alike=0.7, rows_sd=0.1),
    ),
    "anger from 3% to 9% of 2,000 rows": (
        World(rows=(2_000.0,) * 7, shares=(0.87, 0.03, 0.10)),
        World(rows=(2_000.0,) * 7, shares=(0.81, 0.09, 0.10)),
    ),
    "a label of 5% of 1,000 rows vanishes": (World(), World(shares=(0.5, 0.1, 0.1, 0.1, 0.2, 0.0))),
    "a label of 1% of 20,000 rows vanishes": (
        World(rows=(20_000.0,) * 7, shares=(0.6, 0.39, 0.01)),
        World(rows=(20_000.0,) * 7, shares=(0.6, 0.4, 0.0)),
    ),
    "a label appears with 5% of 1,000 rows": (World(shares=(0.6, 0.4, 0.0)), World(shares=(0.57, 0.38, 0.05))),
    "empty from 0.1% to 5% of 1,000 rows": (World(), World(empty=0.05)),
    "empty from 0.1% to 5% of 100,000 rows": (
        World(rows=(100_000.0,) * 7),
        World(rows=(100_000.0,) * 7, empty=0.05),
    ),
    "half of the rows": (World(rows_sd=0.05), World(rows=(500.0,) * 7, rows_sd=0.05)),
    "half of the rows, small weekends": (
        World(rows=_week(5_000, 400, 250), rows_sd=0.08),
        World(rows=_week(2_500, 200, 125), rows_sd=0.08),
    ),
    "twice the rows": (World(rows_sd=0.05), World(rows=(2_000.0,) * 7, rows_sd=0.05)),
    "no file on a weekday": (World(rows=_week(2_000, 0, 0)), World(rows=(0.0,) * 7)),
    "unsure from 10% to 30% of 1,000 rows": (World(), World(unsure=0.3)),
    "unsure from 10% to 30% of 3,000 rows in conversations": (
        World(rows=(3_000.0,) * 7, talk=10, alike=0.6),
        World(rows=(3_000.0,) * 7, talk=10, alike=0.6, unsure=0.3),
    ),
    "unknown from 1% to 6% of the tokens": (World(), World(unknown=0.06)),
    "truncated from 1% to 8% of 1,000 rows": (World(), World(truncated=0.08)),
}


def false_alarms(world: World, nights: int, seed: int, length: int = 200) -> tuple[float, str]:
    """Return (share of nights with an alarm, number of alarms of each check) of archives of `length` days."""
    alarms: collections.Counter[str] = collections.Counter()
    nights_with, done = 0, 0
    chance = np.random.default_rng(seed)
    while done < nights:
        days = simulate(world, length, chance)
        for number in range(length):
            found = drift(days, FIRST + datetime.timedelta(days=number), DriftConfig())
            alarms.update(check.name for check in found.alarms)
            nights_with += bool(found.alarms)
        done += length
    return nights_with / done, ", ".join(f"{name} {count}" for name, count in alarms.items())


def found_changes(before: World, after: World, nights: int, seed: int, days_before: int = 29) -> float:
    """Return the share of changed nights with an alarm. The changed day is a Tuesday."""
    chance = np.random.default_rng(seed)
    hits = 0
    for _ in range(nights):
        days = simulate(before, days_before, chance)
        day = FIRST + datetime.timedelta(days=days_before)
        days[day] = one_day(after, day, chance)
        hits += bool(drift(days, day, DriftConfig()).alarms)
    return hits / nights


def page(days: dict[datetime.date, Counts], day: datetime.date) -> dict[str, Any]:
    """Return what a report shows about `day`, if `day` is its last day."""
    first = day - datetime.timedelta(days=2 * BEFORE)
    rows = [
        {"day": one, "emotion": emotion, "rows": rows}
        for one, counts in sorted(days.items())
        if first <= one <= day
        for emotion, rows in counts.emotions.items()
    ]
    return latest(rows)


def is_bold(days: dict[datetime.date, Counts], day: datetime.date) -> bool:
    """Return whether a report with `day` as its last day shows a significant change."""
    return any(row["significant"] for row in page(days, day).get("emotions", []))


def false_pages(world: World, pages: int, seed: int, length: int = 200) -> float:
    """Return the share of pages with a significant change, in archives of `length` days. Each day has a page."""
    chance = np.random.default_rng(seed)
    bold = done = 0
    while done < pages:
        days = simulate(world, length, chance)
        bold += sum(is_bold(days, day) for day in days)
        done += length
    return bold / done
