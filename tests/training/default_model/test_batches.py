"""Batches of equal length have every row once, within the budget, in an order that depends on the seed."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from emojob.training.default_model.batches import epochs, equal_length_batches, gather

lengths_of_rows = st.lists(st.integers(2, 40), min_size=1, max_size=200).map(lambda rows: np.array(rows, np.int64))


@settings(deadline=None)
@given(lengths=lengths_of_rows, budget=st.integers(1, 300), seed=st.integers(0, 5))
def test_every_row_is_in_one_batch_of_equal_length_within_the_budget(lengths, budget, seed):
    batches = equal_length_batches(lengths, budget, np.random.default_rng(seed))
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    for rows in batches:
        assert len(set(lengths[rows].tolist())) == 1
        assert len(rows) == 1 or lengths[rows].sum() <= budget


def test_gather_returns_the_ids_of_the_rows(tokenizer):
    encoded = tokenizer.encode(["오늘 회의", "정말 기뻐", "어제 회의"])
    same = np.flatnonzero(encoded.lengths == encoded.lengths[0])[::-1]
    assert gather(encoded, same).tolist() == [encoded.tolist()[row] for row in same]


def test_each_epoch_has_its_own_order_that_depends_on_the_seed():
    lengths = np.full(64, 3)

    def first_two(seed: int) -> list[list[int]]:
        batches = itertools.islice(epochs(lengths, 12, seed), 32)
        return [rows.tolist() for rows in batches]

    once = first_two(1)
    assert once == first_two(1)
    assert once != first_two(2)
    assert once[:16] != once[16:]
    assert sorted(itertools.chain(*once[16:])) == list(range(64))
