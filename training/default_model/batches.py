"""Training batches of texts with equal length, so no padding is needed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from emojob.pipeline.models.tokenizer import Encoded


def equal_length_batches(
    lengths: NDArray[np.int64], budget: int, generator: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Group rows with the same number of tokens into batches, in random order.

    Args:
        lengths: int64 [rows], number of tokens in each row.
        budget: Maximum number of tokens in a batch. A row with more tokens becomes a separate batch.
        generator: Random number generator.

    Returns:
        The row numbers of each batch, int64. Each row is in exactly one batch.
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
    """Return the token ids of `rows` as int64 [rows, tokens]. All `rows` must have equal lengths."""
    length = int(encoded.lengths[rows[0]])
    return torch.from_numpy(encoded.ids[encoded.offsets[rows][:, None] + np.arange(length)].astype(np.int64))


def epochs(lengths: NDArray[np.int64], budget: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield the batches of epoch 0, then the batches of epoch 1, and so on without end.

    With the same arguments, the batches are always the same.

    Args:
        lengths: int64 [rows], number of tokens in each row.
        budget: Maximum number of tokens in a batch, as in `equal_length_batches`.
        seed: Random seed.
    """
    epoch = 0
    while True:
        yield from equal_length_batches(lengths, budget, np.random.default_rng((seed, epoch)))
        epoch += 1
