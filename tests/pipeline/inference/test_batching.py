"""Batches contain every row once, within the budget, with almost no padding."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from emojob.pipeline.inference.batching import Layout, pack, token_batches
from emojob.pipeline.models.tokenizer import Encoded


def encoded(lengths: list[int]) -> Encoded:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Encoded(np.arange(1, offsets[-1] + 1, dtype=np.int32), offsets, np.zeros(len(lengths), bool))


@given(st.lists(st.integers(2, 64), max_size=300), st.integers(1, 500), st.sampled_from(Layout))
def test_every_row_is_in_one_batch_within_the_budget(lengths, budget, layout):
    rows = np.array(lengths, np.int64)
    batches = token_batches(rows, budget, layout)
    assert sorted(i for batch in batches for i in batch.tolist()) == list(range(len(rows)))
    assert all(len(batch) == 1 or rows[batch].sum() <= budget for batch in batches)
    assert layout is Layout.PACKED or all(len(set(rows[batch].tolist())) == 1 for batch in batches)


def test_the_longest_rows_come_first():
    assert [batch.tolist() for batch in token_batches(np.array([3, 60, 7, 60]), 70)] == [[1], [3, 2, 0]]


@given(st.lists(st.integers(2, 64), min_size=1, max_size=60), st.integers(1, 600), st.sampled_from(Layout))
def test_a_batch_contains_its_rows_in_groups_of_the_same_length(lengths, budget, layout):
    texts = encoded(lengths)
    for rows in token_batches(texts.lengths, budget, layout):
        batch = pack(texts, rows, budget, layout)
        assert batch.firsts.tolist() == (np.cumsum(texts.lengths[rows]) - texts.lengths[rows]).tolist()
        for row, first in zip(rows.tolist(), batch.firsts.tolist(), strict=True):
            length = lengths[row]
            assert batch.ids[first : first + length].tolist() == texts.ids[texts.offsets[row] :][:length].tolist()
            assert batch.positions[first : first + length].tolist() == list(range(length))
        assert [length for rows_, length in batch.groups for _ in range(rows_)] == texts.lengths[rows].tolist()
        assert len(batch.ids) == texts.lengths[rows].sum() + batch.padding
        assert layout is Layout.PACKED or batch.padding == 0


def test_the_segments_of_pairs_stay_with_their_tokens():
    texts = encoded([5, 3, 7])
    assert pack(texts, np.array([2, 0, 1]), 64).segments is None
    pairs = Encoded(texts.ids, texts.offsets, texts.truncated, (texts.ids % 2).astype(np.int8))
    batch = pack(pairs, np.array([2, 0, 1]), 64)
    assert batch.segments.tolist() == (batch.ids % 2).tolist()
    assert len(batch.segments) == 16


def test_a_large_row_batch_has_under_three_percent_padding():
    lengths = np.random.default_rng(0).gamma(3.0, 6.0, 4000).astype(int).clip(3, 64).tolist()
    texts = encoded(lengths)
    padding = sum(pack(texts, rows, 2048).padding for rows in token_batches(texts.lengths, 2048))
    assert 0 < padding < 0.03 * sum(lengths)


def test_packed_batches_have_few_sizes():
    sizes = {len(pack(encoded([3] * n), np.arange(n), 2048).ids) for n in range(1, 680)}
    assert len(sizes) <= 12
