"""Finds texts that speak of suicide or self-harm: of the writer, or of a person whom the writer worries about."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from emojob.pipeline.rules.rule import Rule

#: Name of the flag.
CRISIS = "crisis"

#: Korean crisis line for suicide prevention: free, day and night.
CRISIS_LINE = "109"


def speaks_of_crisis(texts: Sequence[str | None]) -> NDArray[np.bool_]:
    """Return whether each Korean text speaks of suicide or self-harm: bool [texts].

    The rule is in crisis.toml. In doubt a text is flagged, because a missed crisis is worse than a false alarm.
    Idioms (배고파 죽겠다), news and fiction do not count. A text is judged alone, without the texts before it.

    Args:
        texts: Texts of any length. None and blank texts do not speak of a crisis.
    """
    return _rule().is_met(texts)


@functools.cache
def _rule() -> Rule:
    return Rule((files("emojob.pipeline.rules") / "crisis.toml").read_text(encoding="utf-8"))
