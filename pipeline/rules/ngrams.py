"""Scores texts with a linear model over character n-grams, which finds wordings that no pattern lists."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

#: Longest n-gram, in characters.
LONGEST = 4

# A long text is scored in windows of words, because one sentence of it may speak of a crisis.
_WINDOW, _STEP = 24, 12


@dataclass(frozen=True)
class NgramModel:
    """A linear model.

    Attributes:
        weights: {n-gram: weight}. Other n-grams have the weight 0.
        bias: Score of a text without n-grams of the model.
    """

    weights: dict[str, float]
    bias: float

    @classmethod
    def read(cls, tsv: str) -> NgramModel:
        """Return the model that `write` wrote."""
        rows = (line.rsplit("\t", 1) for line in tsv.splitlines())
        weights = {ngram: float(weight) for ngram, weight in rows}
        return cls(weights, weights.pop(""))

    def write(self) -> str:
        """Return the model as lines: n-gram, tab, weight. The bias has the empty n-gram."""
        rows = {"": self.bias, **dict(sorted(self.weights.items()))}
        return "".join(f"{ngram}\t{weight:.4g}\n" for ngram, weight in rows.items())

    def score(self, normal: str) -> float:
        """Return the highest score of a window of a text in its normal form. The higher, the surer."""
        return max(self._score(words) for words in windows(normal))

    def _score(self, words: list[str]) -> float:
        found = ngrams(words)
        known = sum(self.weights.get(ngram, 0.0) for ngram in found)
        return self.bias + known / math.sqrt(max(1, len(found)))


def windows(normal: str) -> Iterator[list[str]]:
    """Yield the words of a text in its normal form (see `normal_text`), of a long text in windows."""
    words = normal.split()
    for start in range(0, max(1, len(words) - _WINDOW + _STEP), _STEP):
        yield words[start : start + _WINDOW]


def ngrams(words: list[str]) -> set[str]:
    """Return the n-grams of words: up to LONGEST characters of " word ", and the ends of neighbours (`고싶_다는`)."""
    found = {f"{one[-2:]}_{other[:2]}" for one, other in itertools.pairwise(words)}
    for word in words:
        padded = f" {word} "
        for size in range(1, LONGEST + 1):
            found.update(padded[start : start + size] for start in range(len(padded) - size + 1))
    found.discard(" ")
    return found
