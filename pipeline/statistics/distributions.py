"""Computes quantiles of Student's t distribution and tail probabilities of the F distribution.

Both follow from the regularized incomplete beta function (Abramowitz and Stegun, Handbook of Mathematical Functions,
1964, 26.5, 26.6.2 and 26.7.1), which is computed with a continued fraction (26.5.8) and Lentz's algorithm.
"""

from __future__ import annotations

import functools
import math

_TINY = 1e-300
_PRECISION = 1e-14
_MOST_STEPS = 500


def incomplete_beta(x: float, a: float, b: float) -> float:
    """Return the regularized incomplete beta function I_x(a, b).

    Args:
        x: From 0 to 1.
        a: First parameter, above 0.
        b: Second parameter, above 0.
    """
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    front = math.exp(log_front)
    if x < (a + 1) / (a + b + 2):  # where the continued fraction converges fast
        return front * _fraction(x, a, b) / a
    return 1 - front * _fraction(1 - x, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    c, d = 1.0, 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    result = d
    for m in range(1, _MOST_STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for step in (even, odd):
            d = 1 / _away_from_zero(1 + step * d)
            c = _away_from_zero(1 + step / c)
            result *= c * d
        if abs(c * d - 1) < _PRECISION:
            break
    return result


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


@functools.lru_cache(maxsize=4096)
def t_quantile(error: float, freedom: float) -> float:
    """Return the t with P(|T| > t) = `error`, where T has Student's t distribution.

    Args:
        error: Probability of both tails together, above 0 and below 1.
        freedom: Degrees of freedom, above 0. Need not be a whole number.
    """
    low, high = 0.0, 1.0
    while _both_tails(high, freedom) > error:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if _both_tails(middle, freedom) > error:
            low = middle
        else:
            high = middle
    return high


def _both_tails(t: float, freedom: float) -> float:
    return incomplete_beta(freedom / (freedom + t * t), freedom / 2, 0.5)


def f_tail(value: float, numerator: float, denominator: float) -> float:
    """Return P(F > `value`), where F has the F distribution.

    Args:
        value: 0 or above.
        numerator: Degrees of freedom of the numerator.
        denominator: Degrees of freedom of the denominator.
    """
    return incomplete_beta(denominator / (denominator + numerator * value), denominator / 2, numerator / 2)


def f_quantile(tail: float, numerator: float, denominator: float) -> float:
    """Return the value with P(F > value) = `tail`, where F has the F distribution.

    Args:
        tail: Probability, above 0 and below 1.
        numerator: Degrees of freedom of the numerator.
        denominator: Degrees of freedom of the denominator.
    """
    high = 1.0
    while f_tail(high, numerator, denominator) > tail:
        high *= 2
    low = 0.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if f_tail(middle, numerator, denominator) > tail else (low, middle)
    return high
