"""Training batches without padding: all texts of a batch have the same length."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from emojob.pipeline.models.tokenizer import Encoded


def equal_length_batches(
    lengths: NDArray[np.int64], budget: int, generator: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Shuffle the rows, and group rows of the same length into batches. Each row is in exactly one batch.

    Args:
        lengths: int64 [rows], number of tokens of each row.
        budget: Maximum number of tokens of a batch. If one row has more tokens, its batch contains only this row.
        generator: Random number generator.

    Returns:
        The batches in random order. Each batch is an int64 array of row numbers.
    """
    order = generator.permutation(len(lengths))
    order = order[np.argsort(lengths[order], kind="stable")]
    batches = []
    for same_length in np.split(order, np.flatnonzero(np.diff(lengths[order])) + 1):
        if len(same_length):
            size = max(1, budget // max(1, int(lengths[same_length[0]])))
            batches += [same_length[i : i + size] for i in range(0, len(same_length), size)]
    return [batches[i] for i in generator.permutation(len(batches))]


def gather(encoded: Encoded, rows: NDArray[np.int64]) -> torch.Tensor:
    """Return the token ids of `rows`, int64 [rows, tokens]. All these rows must have the same length."""
    length = int(encoded.lengths[rows[0]])
    return torch.from_numpy(encoded.ids[encoded.offsets[rows][:, None] + np.arange(length)].astype(np.int64))


def epochs(lengths: NDArray[np.int64], budget: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield all batches of the first epoch, then all batches of the second epoch, and so on without end.

    The batches of an epoch depend only on the lengths, the budget, the seed and the number of the epoch.

    Args:
        lengths: int64 [rows], number of tokens of each row.
        budget: Maximum number of tokens of a batch. If one row has more tokens, its batch contains only this row.
        seed: Seed of the random order.
    """
    epoch = 0
    while True:
        yield from equal_length_batches(lengths, budget, np.random.default_rng((seed, epoch)))
        epoch += 1
