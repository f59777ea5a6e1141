"""Training batches without padding: rows of one length, cut by a token budget."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from emojob.pipeline.models.tokenizer import Encoded


def equal_length_batches(
    lengths: NDArray[np.int64], budget: int, generator: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Shuffle rows into batches of one length each, at most `budget` tokens; every row stands in one batch.

    lengths: int64 [rows], tokens of each row. Returns int64 row numbers, a batch an array, in random order.
    """
    order = generator.permutation(len(lengths))
    order = order[np.argsort(lengths[order], kind="stable")]
    batches = []
    for same in np.split(order, np.flatnonzero(np.diff(lengths[order])) + 1):
        if len(same):
            size = max(1, budget // max(1, int(lengths[same[0]])))
            batches += [same[i : i + size] for i in range(0, len(same), size)]
    return [batches[i] for i in generator.permutation(len(batches))]


def gather(encoded: Encoded, rows: NDArray[np.int64]) -> torch.Tensor:
    """The ids of rows that are all of one length: int64 [rows, tokens]."""
    length = int(encoded.lengths[rows[0]])
    return torch.from_numpy(encoded.ids[encoded.offsets[rows][:, None] + np.arange(length)].astype(np.int64))


def epochs(lengths: NDArray[np.int64], budget: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Batches without end, each epoch in an order of its own that depends on the seed alone."""
    epoch = 0
    while True:
        yield from equal_length_batches(lengths, budget, np.random.default_rng((seed, epoch)))
        epoch += 1
