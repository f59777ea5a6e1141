"""The memo knows what it was given, keeps within its bounds, and keeps what is asked for most."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.encoded import Encoded
from pipeline.memo import Memo, keys_of


def encoded(rows: list[list[int]]) -> Encoded:
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    ids = np.array([i for row in rows for i in row], np.int32)
    return Encoded(ids, offsets, np.zeros(len(rows), bool))


def probabilities(rows: int) -> np.ndarray:
    return np.random.default_rng(rows).random((rows, 3), np.float32)


_ROWS = st.lists(st.lists(st.integers(0, 8001), min_size=2, max_size=12), max_size=30)


@settings(max_examples=200, deadline=None)
@given(_ROWS)
def test_keys_are_equal_exactly_where_the_tokens_are(rows):
    keys = [tuple(key) for key in keys_of(encoded(rows)).tolist()]
    assert len(set(keys)) == len({tuple(row) for row in rows})


@settings(max_examples=100, deadline=None)
@given(_ROWS, _ROWS)
def test_what_was_added_is_found_and_nothing_else(first, second):
    distinct = [list(row) for row in {tuple(row) for row in first}]
    values = probabilities(len(distinct))
    memo = Memo(3)
    memo.add(keys_of(encoded(distinct)), values)
    known, found = memo.find(keys_of(encoded(second)))
    assert known.tolist() == [row in distinct for row in second]
    assert np.array_equal(found, values[[distinct.index(row) for row in second if row in distinct]])


def test_a_full_memo_keeps_what_is_asked_for_most():
    memo = Memo(3, capacity=100)
    often = keys_of(encoded([[2, 7, 3]]))
    memo.add(often, probabilities(1))
    for start in range(10, 2010, 50):
        memo.find(often)
        memo.add(keys_of(encoded([[2, i, 3] for i in range(start, start + 50)])), probabilities(50))
        assert len(memo) <= 100
    assert memo.find(often)[0].tolist() == [True]
