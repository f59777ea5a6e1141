"""Adds 95% intervals to the shares and means of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb

from emojob.pipeline.report.last_day import Rows
from emojob.pipeline.statistics.shares import mean_interval, share_interval
from emojob.pipeline.warehouse.database import run

_FEWEST = 30  # rows of an emotion; with fewer rows, the design effect of all emotions is used


def design_effects(db: duckdb.DuckDBPyConnection) -> dict[str, float]:
    """Return {emotion: design effect of its share}, 1 or above.

    The utterances of a conversation are alike. So a share is less certain than a share of as many independent rows. The
    design effect is the variance of the share with conversations as units (Cochran, Sampling Techniques, 1977, 9A.2:
    ratio of the sums over clusters), divided by the variance with independent rows.
    """
    rows = run(db, "design_effects")
    expected = sum(row["independent"] for row in rows)
    together = sum(row["clustered"] for row in rows) / expected if expected else 1.0
    effects = {}
    for row in rows:
        own = row["clustered"] / row["independent"] if row["independent"] and row["rows"] >= _FEWEST else 0.0
        effects[row["emotion"]] = max(1.0, own, together)
    return effects


def add_share_intervals(
    rows: Rows, by: Sequence[str], designs: Mapping[str, float], count: str = "rows", label: str = "emotion"
) -> None:
    """Add `low` and `high` to each row: the interval of `share`.

    Args:
        rows: Rows of a table. Each row has a count and its share of a group. If an utterance can carry several labels,
            the column `labelled` has the size of the group. Otherwise, the size is the sum of the counts.
        by: Columns that define the group. Empty: all rows are one group.
        designs: {emotion: design effect}. Missing emotions have the design effect 1.
        count: Column of the count.
        label: Column of the emotion.
    """
    totals: dict[tuple[Any, ...], float] = {}
    for row in rows:
        key = tuple(row[name] for name in by)
        totals[key] = row["labelled"] if "labelled" in row else totals.get(key, 0) + row[count]
    for row in rows:
        total = totals[tuple(row[name] for name in by)]
        row["low"], row["high"] = share_interval(row[count], total, design=designs.get(row[label], 1.0))


def add_mean_intervals(rows: Rows, count: str, designs: Mapping[str, float]) -> None:
    """Add `mean_confidence_low` and `mean_confidence_high` to each row.

    Args:
        rows: Rows with the columns `mean_confidence` and `confidence_deviation` (standard deviation).
        count: Column of the number of confidences.
        designs: {emotion: design effect}. For rows without an emotion, the largest design effect is used.
    """
    largest = max(designs.values(), default=1.0)
    for row in rows:
        low = high = None
        if row[count] and row["mean_confidence"] is not None:
            design = designs.get(row.get("emotion", ""), largest)
            low, high = mean_interval(row["mean_confidence"], row["confidence_deviation"] or 0.0, row[count], design)
        row["mean_confidence_low"], row["mean_confidence_high"] = low, high
