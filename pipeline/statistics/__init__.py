"""Uncertainty of counts and shares: intervals, and tests that allow for utterances that are alike.

- `distributions`: quantiles of Student's t, tail of F
- `shares`: intervals of shares, and of changes of shares
- `reference_days`: the earlier days that a day is compared with
- `dispersion`: how much counts vary from day to day, compared with independent rows
"""

__all__ = ["dispersion", "distributions", "reference_days", "shares"]
