"""Cutting a row batch into batches: rows sorted by length, a token budget, next to no padding.

The tokens of a batch stand one behind the other, rows of one length together. Attention works on each such group, all
else on all tokens at once, so nothing is masked, and what a row comes to does not depend on its neighbours: batch
size, row batch size and memo cannot change a label.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from emojob.pipeline.models.tokenizer import Encoded

Rows = NDArray[np.int64]

_STEP = 256  # tokens; what a batch is filled up to a multiple of
_SMALLEST = 16


class Layout(Enum):
    """How the texts of a batch lie beside each other.

    Packed ones are filled up with padding to one of a few sizes: where matrix kernels are prepared anew for each size,
    that takes longer than the padding does.
    """

    PACKED = "of several lengths, one behind the other"
    EVEN = "of one length"


@dataclass(frozen=True)
class Packed:
    """The tokens of a batch.

    ids, positions: int32 [tokens], texts one after the other, then padding; groups: (rows, length) of each run of
    texts of one length; firsts: int64 [rows], where each text begins; padding: tokens that belong to no text;
    segments: int32 [tokens] of pairs of texts, None for texts alone.
    """

    ids: NDArray[np.int32]
    positions: NDArray[np.int32]
    groups: list[tuple[int, int]]
    firsts: NDArray[np.int64]
    padding: int
    segments: NDArray[np.int32] | None = None


def token_batches(lengths: NDArray[np.int64], batch_tokens: int, layout: Layout = Layout.PACKED) -> list[Rows]:
    """Cut rows into batches, the longest first; every row stands in exactly one.

    lengths: int64 [rows], tokens of each row. batch_tokens: tokens a batch holds at most (one row at least).
    """
    order = np.argsort(-lengths, kind="stable")
    ends = np.cumsum(lengths[order])
    limits = [len(order)]
    if layout is not Layout.PACKED:
        limits = [*(np.flatnonzero(np.diff(lengths[order])) + 1).tolist(), len(order)]
    cuts, limit = [0], 0
    while cuts[-1] < len(order):
        if limits[limit] <= cuts[-1]:
            limit += 1
        before = ends[cuts[-1] - 1] if cuts[-1] else 0
        full = int(np.searchsorted(ends, before + batch_tokens, side="right"))
        cuts.append(max(cuts[-1] + 1, min(full, limits[limit])))
    return [order[start:stop] for start, stop in itertools.pairwise(cuts)]


def pack(encoded: Encoded, rows: Rows, batch_tokens: int, layout: Layout = Layout.PACKED) -> Packed:
    """Put the tokens of rows, which are sorted by length, one behind the other."""
    lengths = encoded.lengths[rows]
    size = tokens = int(lengths.sum())
    if layout is Layout.PACKED:
        size = max(tokens, _SMALLEST, min(batch_tokens, filled(tokens)))
    firsts = np.cumsum(lengths) - lengths
    within = np.arange(tokens) - np.repeat(firsts, lengths)
    ids, positions = np.zeros(size, np.int32), np.zeros(size, np.int32)
    at = np.repeat(encoded.offsets[rows], lengths) + within
    ids[:tokens] = encoded.ids[at]
    positions[:tokens] = within
    segments = None
    if encoded.segments is not None:
        segments = np.zeros(size, np.int32)
        segments[:tokens] = encoded.segments[at]
    starts = np.flatnonzero(np.diff(lengths, prepend=-1))
    groups = [(stop - start, int(lengths[start])) for start, stop in itertools.pairwise([*starts.tolist(), len(rows)])]
    return Packed(ids, positions, groups, firsts, size - tokens, segments)


def filled(tokens: int) -> int:
    """The smallest of 16, 32, ... 256, 512, 768, ... that holds so many tokens."""
    if tokens > _STEP:
        return -(-tokens // _STEP) * _STEP
    return max(_SMALLEST, 1 << (tokens - 1).bit_length())
