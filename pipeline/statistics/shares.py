"""Computes confidence intervals of shares, and of the change of a share between two groups of rows.

A share of `count` of `rows` rows is as uncertain as a share of `rows / design` independent rows. `design` is the design
effect (Kish, Survey Sampling, 1965): 1 for independent rows, and more if the rows come in groups that are alike, such
as the utterances of a conversation.
"""

from __future__ import annotations

import math

#: Quantile of the normal distribution for an interval that contains the true value in 95 of 100 cases.
NORMAL_95 = 1.959963984540054


def share_interval(count: float, rows: float, quantile: float = NORMAL_95, design: float = 1.0) -> tuple[float, float]:
    """Return the interval of a share (Wilson, Journal of the American Statistical Association 22, 1927).

    Args:
        count: Number of rows with the property, from 0 to `rows`.
        rows: Number of rows. If 0, the interval is (0, 1).
        quantile: Quantile of the normal or the t distribution. The default gives a 95% interval.
        design: Design effect, 1 or above.

    Returns:
        Lower and upper end, from 0 to 1.
    """
    if rows <= 0:
        return 0.0, 1.0
    share, independent = count / rows, rows / design
    weight = quantile * quantile / independent
    centre = (share + weight / 2) / (1 + weight)
    half = quantile / (1 + weight) * math.sqrt(share * (1 - share) / independent + weight / (4 * independent))
    low = 0.0 if count <= 0 else max(0.0, centre - half)
    high = 1.0 if count >= rows else min(1.0, centre + half)
    return low, high


def change_interval(
    now: tuple[float, float], before: tuple[float, float], quantile: float, designs: tuple[float, float] = (1.0, 1.0)
) -> tuple[float, float]:
    """Return the interval of the change of a share (Newcombe, Statistics in Medicine 17, 1998, method 10).

    The method combines the intervals of the two shares. Instead of Wilson's interval alone, each end is the wider one
    of Wilson's interval and the interval of the arcsine of the square root (Anscombe, Biometrika 35, 1948). Large
    groups of rows that are alike make high counts more frequent than Wilson's interval assumes; the arcsine allows for
    groups with exponential sizes.

    Args:
        now: Count and rows now.
        before: Count and rows before.
        quantile: Quantile of the normal or the t distribution.
        designs: Design effects now and before.

    Returns:
        Lower and upper end of (share now - share before), from -1 to 1.
    """
    share_now, share_before = (count / rows if rows else 0.0 for count, rows in (now, before))
    low_now, high_now = _wide_interval(*now, quantile, designs[0])
    low_before, high_before = _wide_interval(*before, quantile, designs[1])
    change = share_now - share_before
    return (
        max(-1.0, change - math.hypot(share_now - low_now, high_before - share_before)),
        min(1.0, change + math.hypot(high_now - share_now, share_before - low_before)),
    )


def _wide_interval(count: float, rows: float, quantile: float, design: float) -> tuple[float, float]:
    low, high = share_interval(count, rows, quantile, design)
    if rows <= 0:
        return low, high
    angle, half = math.asin(math.sqrt(count / rows)), quantile / 2 * math.sqrt(design / rows)
    return (
        min(low, math.sin(max(0.0, angle - half)) ** 2),
        max(high, math.sin(min(math.pi / 2, angle + half)) ** 2),
    )


def mean_interval(mean: float, deviation: float, rows: float, design: float = 1.0) -> tuple[float, float]:
    """Return the 95% interval of a mean.

    Args:
        mean: Mean of the values.
        deviation: Standard deviation of the values.
        rows: Number of values, at least 1.
        design: Design effect, 1 or above.
    """
    half = NORMAL_95 * deviation * math.sqrt(design / rows)
    return mean - half, mean + half
