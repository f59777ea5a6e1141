"""Estimates how much the counts of a day vary, compared with the counts of independent rows.

Counts of utterances vary more than counts of independent rows: the utterances of a conversation are alike, and days
differ from each other. The dispersion is the variance of a count, divided by the variance of a binomial count. It is
estimated from the residuals of days of the same kind (McCullagh and Nelder, Generalized Linear Models, 1989, 4.5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: The assumed dispersion, and the degrees of freedom that it counts for. They protect archives of a few days, where
#: the days may agree by chance.
PRIOR, PRIOR_FREEDOM = 2.0, 4.0

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Dispersion:
    """Dispersion of the counts of each label.

    Attributes:
        now: Dispersion on the checked day: float [labels], 1 or above.
        before: Dispersion of the sum over the compared days: float [labels], 1 or above.
        freedom: Degrees of freedom of both.
    """

    now: Numbers
    before: Numbers
    freedom: float


def dispersion(counts: Numbers, rows: Numbers, kinds: Sequence[Any], kind: Any, rows_now: float) -> Dispersion:
    """Estimate the dispersion from days of several kinds, such as weekdays. Each kind has its own shares.

    Two causes are possible, and the larger result counts: groups of rows that are alike (the dispersion is the same on
    small and large days), and days that differ (the dispersion grows with the number of rows). The dispersion of all
    labels is combined with the prior. A label's own dispersion counts if it is larger: a rare label is in few groups of
    rows, so that its own dispersion may be small by chance.

    Args:
        counts: Rows with each label on each earlier day: [days, labels].
        rows: Labelled rows of each earlier day: [days], above 0.
        kinds: Kind of each earlier day.
        kind: Kind of the checked day.
        rows_now: Labelled rows of the checked day.
    """
    residuals, variances, weights = np.zeros(counts.shape), np.zeros(counts.shape), np.zeros(len(rows))
    kinds_found = list(dict.fromkeys(kinds))
    for one in kinds_found:
        own = np.array([other == one for other in kinds])
        total = rows[own].sum()
        shares = counts[own].sum(axis=0) / total
        expected = rows[own][:, None] * shares
        left = 1 - rows[own] / total  # share of the variance that remains in the residuals
        residuals[own] = (counts[own] - expected) ** 2
        variances[own] = expected * (1 - shares) * left[:, None]
        weights[own] = rows[own] * left
    used = int((weights > 0).sum())
    freedom = 0.0
    if used:
        freedom = (len(rows) - len(kinds_found)) / used * weights.sum() ** 2 / (weights**2).sum()
    of_kind = rows[np.array([other == kind for other in kinds])]
    sizes = np.array([rows_now, (of_kind**2).sum() / max(of_kind.sum(), 1.0)])
    estimates = []
    for size in sizes:
        all_labels = _combined(_estimate(residuals, variances, rows, size), PRIOR, freedom)
        own_estimates = [_estimate(residuals[:, [i]], variances[:, [i]], rows, size) for i in range(counts.shape[1])]
        estimates.append([max(all_labels, _combined(own, all_labels, freedom)) for own in own_estimates])
    return Dispersion(np.array(estimates[0]), np.array(estimates[1]), freedom + PRIOR_FREEDOM)


def _estimate(residuals: Numbers, variances: Numbers, rows: Numbers, size: float) -> float | None:
    """Return the dispersion of a day with `size` rows. Return None if no day can be compared with another."""
    expected = variances.sum()
    if expected <= 0:
        return None
    constant = residuals.sum() / expected
    per_row = (residuals.sum() - expected) / (variances * rows[:, None]).sum()
    return float(max(1.0, constant, 1 + per_row * size))


def _combined(estimate: float | None, prior: float, freedom: float) -> float:
    if estimate is None:
        return max(1.0, prior)
    return max(1.0, (freedom * estimate + PRIOR_FREEDOM * prior) / (freedom + PRIOR_FREEDOM))
