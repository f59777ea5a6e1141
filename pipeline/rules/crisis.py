"""Finds texts that speak of suicide or self-harm: of the writer, or of a person whom the writer worries about.

A text is found by a rule, whose wordings are in crisis.toml, or by a linear model over character n-grams
(crisis_ngrams.tsv), which also finds wordings that nobody listed. The card of the model is crisis_ngrams.md.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from emojob.pipeline.rules.ngrams import NgramModel
from emojob.pipeline.rules.normal_text import normal_texts
from emojob.pipeline.rules.rule import Rule

#: Name of the flag.
CRISIS = "crisis"

#: Korean crisis line for suicide prevention: free, day and night.
CRISIS_LINE = "109"


def speaks_of_crisis(texts: Sequence[str | None]) -> NDArray[np.bool_]:
    """Return whether each Korean text speaks of suicide or self-harm: bool [texts].

    In doubt a text is flagged, because a missed crisis is worse than a false alarm. Idioms (배고파 죽겠다), news and
    fiction do not count. A text is judged alone, without the texts before it.

    Args:
        texts: Texts of any length. None and blank texts do not speak of a crisis.
    """
    normal, model = normal_texts(texts), _model()
    found = _rule().is_met_by(normal)
    for row in np.flatnonzero(~found).tolist():
        found[row] = model.score(normal[row]) > 0
    return found


def meets_wordings(texts: Sequence[str | None]) -> NDArray[np.bool_]:
    """Return whether each text is found by the rule in crisis.toml alone: bool [texts]."""
    return _rule().is_met(texts)


@functools.cache
def _rule() -> Rule:
    return Rule(_read("crisis.toml"))


@functools.cache
def _model() -> NgramModel:
    return NgramModel.read(_read("crisis_ngrams.tsv"))


def _read(name: str) -> str:
    return (files("emojob.pipeline.rules") / name).read_text(encoding="utf-8")
