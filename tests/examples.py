"""How many examples a property test tries: fewer in `make test` than in `make test-slow`."""

from __future__ import annotations

from typing import Any

from hypothesis import settings


def examples(count: int, **others: Any) -> settings:
    """Return the settings of a property test.

    Args:
        count: Number of examples. Each profile tries a percentage of it, at least 5; see tests/conftest.py.
        others: More settings of hypothesis.
    """
    return settings(max_examples=max(5, count * settings.default.max_examples // 100), **others)
