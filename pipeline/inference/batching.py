"""Divides texts into batches for the engine. The texts are sorted by length, so batches need almost no padding.

The tokens of a batch are concatenated in one array, without a mask. Attention runs separately for each group of texts
of equal length. All other operations process all tokens of the batch together. The batch size never changes labels.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from emojob.pipeline.models.tokenizer import Encoded

Rows = NDArray[np.int64]

_STEP = 256  # batches with more than _STEP tokens are padded to a multiple of _STEP
_SMALLEST = 16  # minimum number of tokens of a padded batch


class Layout(Enum):
    """Layout of a batch: texts of several lengths (PACKED), or only texts of equal length (EVEN).

    Each PACKED batch is padded to one of a few sizes, because preparing matrix kernels for a new size takes longer than
    computing the padding.
    """

    PACKED = "texts of several lengths, concatenated"
    EVEN = "texts of the same length"


@dataclass(frozen=True)
class Packed:
    """The tokens of a batch: the concatenated texts, followed by padding.

    Attributes:
        ids: int32 [tokens], token ids.
        positions: int32 [tokens], the position of each token in its text.
        groups: (number of texts, tokens per text) for each group of texts of equal length, in order.
        firsts: int64 [texts], the index of the first token of each text.
        padding: Number of padding tokens after the last text.
        segments: int32 [tokens], segment ids for pairs of texts; None for single texts.
    """

    ids: NDArray[np.int32]
    positions: NDArray[np.int32]
    groups: list[tuple[int, int]]
    firsts: NDArray[np.int64]
    padding: int
    segments: NDArray[np.int32] | None = None


def token_batches(lengths: NDArray[np.int64], batch_tokens: int, layout: Layout = Layout.PACKED) -> list[Rows]:
    """Divide rows into batches. Each row is in exactly one batch.

    Args:
        lengths: int64 [rows], number of tokens of each row.
        batch_tokens: Maximum number of tokens per batch. A row with more tokens becomes a batch of one row.
        layout: With EVEN, all rows of a batch have equal length.

    Returns:
        Batches, the longest rows first. Each batch is an array of row numbers, int64 [rows of the batch].
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
        rows: Row numbers of the batch, sorted by length: int64 [rows].
        batch_tokens: Maximum size of a padded batch, in tokens.
        layout: PACKED: add padding at the end, so that all batches have one of a few sizes. EVEN: add no padding.
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
    """Round `tokens` up to one of the sizes 16, 32, 64, 128, 256, 512, 768, 1024, ..."""
    if tokens > _STEP:
        return -(-tokens // _STEP) * _STEP
    return max(_SMALLEST, 1 << (tokens - 1).bit_length())
