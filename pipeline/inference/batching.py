"""Cuts a row batch into batches for the engine: rows sorted by length, within a token budget, with almost no padding.

The tokens of a batch are concatenated, and rows of the same length lie next to each other. Attention runs separately
for each group of rows of the same length. All other operations process all tokens together. So nothing is masked, and
the result of a row does not depend on the other rows: batch size, row batch size and memo cannot change a label.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from emojob.pipeline.models.tokenizer import Encoded

Rows = NDArray[np.int64]

_STEP = 256  # tokens; batches are padded to a multiple of this number
_SMALLEST = 16  # tokens of the smallest batch


class Layout(Enum):
    """The rule for which texts a batch may contain.

    PACKED batches are padded to one of a few sizes, because preparing matrix kernels for a new size takes longer than
    computing the padding.
    """

    PACKED = "texts of several lengths, concatenated"
    EVEN = "texts of the same length"


@dataclass(frozen=True)
class Packed:
    """The tokens of a batch, texts concatenated, followed by padding.

    Attributes:
        ids: int32 [tokens].
        positions: int32 [tokens], the position of each token in its text.
        groups: (number of rows, tokens per row) of each group of texts of the same length, in order.
        firsts: int64 [rows], the index of the first token of each text.
        padding: Number of tokens after the last text.
        segments: int32 [tokens] for pairs of texts; None for single texts.
    """

    ids: NDArray[np.int32]
    positions: NDArray[np.int32]
    groups: list[tuple[int, int]]
    firsts: NDArray[np.int64]
    padding: int
    segments: NDArray[np.int32] | None = None


def token_batches(lengths: NDArray[np.int64], batch_tokens: int, layout: Layout = Layout.PACKED) -> list[Rows]:
    """Cut rows into batches, the longest rows first. Every row is in exactly one batch.

    Args:
        lengths: int64 [rows], number of tokens of each row.
        batch_tokens: Maximum number of tokens of a batch; a longer row forms a batch alone.
        layout: With EVEN, a batch contains only rows of the same length.

    Returns:
        Row numbers of each batch, int64 [rows of the batch], by descending length.
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
    """Concatenate the tokens of a batch.

    Args:
        encoded: Tokens of all rows.
        rows: int64, the rows of the batch, sorted by length.
        batch_tokens: Limit of the padding.
        layout: With PACKED, the batch is padded to one of a few sizes.
    """
    lengths = encoded.lengths[rows]
    size = tokens = int(lengths.sum())
    if layout is Layout.PACKED:
        size = max(tokens, _SMALLEST, min(batch_tokens, padded_size(tokens)))
    firsts = np.cumsum(lengths) - lengths
    in_text = np.arange(tokens) - np.repeat(firsts, lengths)
    ids, positions = np.zeros(size, np.int32), np.zeros(size, np.int32)
    at = np.repeat(encoded.offsets[rows], lengths) + in_text
    ids[:tokens] = encoded.ids[at]
    positions[:tokens] = in_text
    segments = None
    if encoded.segments is not None:
        segments = np.zeros(size, np.int32)
        segments[:tokens] = encoded.segments[at]
    starts = np.flatnonzero(np.diff(lengths, prepend=-1))
    groups = [(stop - start, int(lengths[start])) for start, stop in itertools.pairwise([*starts.tolist(), len(rows)])]
    return Packed(ids, positions, groups, firsts, size - tokens, segments)


def padded_size(tokens: int) -> int:
    """Return the smallest of 16, 32, ... 256, 512, 768, ... that is at least `tokens`."""
    if tokens > _STEP:
        return -(-tokens // _STEP) * _STEP
    return max(_SMALLEST, 1 << (tokens - 1).bit_length())
