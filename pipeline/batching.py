"""Cutting a window into batches: rows of one length, a token budget, no padding.

Because every row of a batch has the same number of tokens, nothing is padded and nothing is masked, and what a row
comes to does not depend on its neighbours: batch size, window size and memo cannot change a label.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from pipeline.tokenizer import Encoded

Rows = NDArray[np.int64]


def equal_length_batches(lengths: NDArray[np.int64], batch_tokens: int) -> list[Rows]:
    """Cut rows into batches of one length, the longest first; every row stands in exactly one.

    lengths: int64 [rows], tokens of each row. batch_tokens: tokens a batch holds at most (one row at least).
    """
    order = np.argsort(-lengths, kind="stable")
    starts = np.flatnonzero(np.diff(lengths[order], prepend=-1)).tolist()
    batches = []
    for start, stop in itertools.pairwise([*starts, len(order)]):
        size = max(1, batch_tokens // max(1, int(lengths[order[start]])))
        batches += [order[i : min(i + size, stop)] for i in range(start, stop, size)]
    return batches


def gather(encoded: Encoded, rows: Rows) -> NDArray[np.int32]:
    """The ids of rows that are all of one length: int32 [rows, tokens]."""
    length = int(encoded.offsets[rows[0] + 1] - encoded.offsets[rows[0]])
    ids: NDArray[np.int32] = encoded.ids[encoded.offsets[rows][:, None] + np.arange(length)]
    return ids
