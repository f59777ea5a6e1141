"""Chooses the next tokens of sequences: the most probable ones, or random ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_LIKELY = 256  # number of tokens among which the most probable ones are looked for first


class NGrams:
    """The n-grams of a sequence: tells which tokens would repeat one.

    The rule is that of `NoRepeatNGramLogitsProcessor` of transformers. The work for one more token does not depend on
    the length of the sequence.
    """

    def __init__(self, size: int, ids: Sequence[int]) -> None:
        """Create from the tokens of a prompt.

        Args:
            size: Number of tokens of an n-gram; 0 allows all repetitions.
            ids: The token ids so far.
        """
        self._size = size
        self._recent: tuple[int, ...] = ()
        self._followers: dict[tuple[int, ...], list[int]] = {}
        for one in ids:
            self.append(one)

    def append(self, token: int) -> None:
        """Add the next token of the sequence."""
        if self._size < 1:
            return
        before = self._size - 1
        if len(self._recent) == before:
            self._followers.setdefault(self._recent, []).append(token)
        self._recent = (*self._recent, token)[len(self._recent) + 1 - before :] if before else ()

    def repeated_by(self) -> Sequence[int]:
        """Return the tokens that would repeat an n-gram if one of them came next."""
        return self._followers.get(self._recent, ()) if len(self._recent) == self._size - 1 else ()


def forbid(logits: Tensor, tokens: Sequence[Sequence[int]]) -> None:
    """Set logits to minus infinity.

    Args:
        logits: float32 [rows, vocabulary], changed in place.
        tokens: The forbidden tokens of each row.
    """
    pairs = [(row, token) for row, forbidden in enumerate(tokens) for token in forbidden]
    if pairs:
        rows, columns = torch.tensor(pairs, device=logits.device).T
        logits[rows, columns] = float("-inf")


def draws(seed: int, key: int, count: int) -> NDArray[np.float64]:
    """Return the random numbers from 0 to 1 for the tokens of one sequence.

    They depend on nothing but `seed` and `key`. More numbers begin with the same ones.
    """
    return np.random.default_rng([abs(seed), seed < 0, abs(key), key < 0]).random(count)


def sample(logits: Tensor, temperature: float, top_p: float, numbers: Sequence[float]) -> list[int]:
    """Return one random token for each row.

    A row's token does not depend on the other rows.

    Args:
        logits: float32 [rows, vocabulary].
        temperature: Number by which the logits are divided, above 0.
        top_p: The tokens are the most probable ones that have this probability together, above 0 and at most 1.
        numbers: A random number from 0 to 1 for each row.
    """
    probabilities = torch.softmax(logits.double() / temperature, -1)
    count = min(_LIKELY, probabilities.shape[1])
    highest, tokens = probabilities.topk(count, -1)
    if bool((highest.sum(-1) < top_p).any()):  # a flat distribution
        highest, tokens = torch.sort(probabilities, dim=-1, descending=True, stable=True)
    before = highest.cumsum(-1) - highest
    kept = torch.where(before < top_p, highest, 0.0)
    sums = kept.cumsum(-1)
    wanted = torch.tensor(numbers, dtype=sums.dtype, device=sums.device)[:, None] * sums[:, -1:]
    chosen = (sums <= wanted).sum(-1).clamp(max=sums.shape[1] - 1)
    return [int(one) for one in tokens.gather(1, chosen[:, None])[:, 0].tolist()]
