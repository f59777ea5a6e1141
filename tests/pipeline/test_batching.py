"""Batches hold every row once, one length each, within the budget."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.batching import equal_length_batches, gather
from pipeline.tokenizer import Encoded


@given(st.lists(st.integers(2, 64), max_size=300), st.integers(1, 500))
def test_every_row_stands_in_one_batch_of_its_length(lengths, budget):
    rows = np.array(lengths, np.int64)
    batches = equal_length_batches(rows, budget)
    assert sorted(i for batch in batches for i in batch.tolist()) == list(range(len(rows)))
    for batch in batches:
        assert len(set(rows[batch].tolist())) == 1
        assert len(batch) == 1 or rows[batch].sum() <= budget


def test_the_longest_come_first():
    lengths = np.array([3, 60, 7, 60])
    assert [lengths[batch[0]] for batch in equal_length_batches(lengths, 1000)] == [60, 7, 3]


def test_a_batch_holds_its_rows_tokens():
    encoded = Encoded(np.arange(9, dtype=np.int32), np.array([0, 2, 5, 6, 9]), np.zeros(4, bool))
    assert gather(encoded, np.array([3, 1])).tolist() == [[6, 7, 8], [2, 3, 4]]
