"""The memo finds what was added, stays within its limits, and keeps the most frequent texts."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from emojob.pipeline.inference.memo import Memo
from emojob.pipeline.models.tokenizer import Encoded
from tests.examples import examples


def encoded(rows: list[list[int]]) -> Encoded:
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    ids = np.array([i for row in rows for i in row], np.int32)
    return Encoded(ids, offsets, np.zeros(len(rows), bool))


def probabilities(rows: int) -> np.ndarray:
    return np.random.default_rng(rows).random((rows, 3), np.float32)


_ROWS = st.lists(st.lists(st.integers(0, 8001), min_size=2, max_size=12), max_size=30)


@examples(200)
@given(_ROWS)
def test_keys_are_equal_exactly_if_the_tokens_are(rows):
    keys = [tuple(key) for key in Memo(3).keys_of(encoded(rows)).tolist()]
    assert len(set(keys)) == len({tuple(row) for row in rows})


@examples(100)
@given(_ROWS, _ROWS)
def test_only_added_keys_are_found(first, second):
    distinct = [list(row) for row in {tuple(row) for row in first}]
    values = probabilities(len(distinct))
    memo = Memo(3)
    memo.add(memo.keys_of(encoded(distinct)), values)
    known, found = memo.find(memo.keys_of(encoded(second)))
    assert known.tolist() == [row in distinct for row in second]
    assert np.array_equal(found, values[[distinct.index(row) for row in second if row in distinct]])


def numbers(start: int, stop: int) -> Encoded:
    return encoded([[2, i, 3] for i in range(start, stop)])


def test_a_full_memo_keeps_the_most_frequent_texts():
    memo = Memo(3, entries=128)
    often = memo.keys_of(numbers(0, 40))
    memo.add(often, probabilities(40))
    memo.find(often)
    for start in range(100, 5000, 50):  # many texts that occur once
        memo.add(memo.keys_of(numbers(start, start + 50)), probabilities(50))
        if start % 200 == 0:
            assert memo.find(often)[0].mean() > 0.9
    assert len(memo) <= memo.capacity == 128
    assert memo.find(often)[0].mean() > 0.9


def test_among_equally_frequent_texts_the_latest_stay():
    memo = Memo(3, entries=128)
    for start in range(0, 2000, 50):
        memo.add(memo.keys_of(numbers(start, start + 50)), probabilities(50))
    assert memo.find(memo.keys_of(numbers(1950, 2000)))[0].mean() > 0.9
    assert not memo.find(memo.keys_of(numbers(0, 1000)))[0].any()


def test_texts_that_differ_in_one_token_do_not_share_a_set():
    """Evenly spaced keys would share sets if their distance is close to a multiple of the set size."""
    evenly = np.full((2, 8), (1 << 62) + 1, np.uint64)
    memo = Memo(3, entries=1 << 12, multipliers=evenly)
    many = memo.keys_of(numbers(0, 2000))
    memo.add(many, probabilities(2000))
    assert memo.find(many)[0].mean() > 0.95


def test_formerly_frequent_texts_are_replaced():
    memo = Memo(3, entries=8)
    memo.add(memo.keys_of(numbers(0, 8)), probabilities(8))
    for _ in range(10):
        memo.find(memo.keys_of(numbers(0, 8)))
    for start in range(100, 400):
        memo.add(memo.keys_of(numbers(start, start + 1)), probabilities(1))
    assert not memo.find(memo.keys_of(numbers(0, 8)))[0].all()


def test_its_bytes_are_limited_for_any_number_of_labels():
    assert Memo(1000, limit=1 << 20).capacity <= 1 << 8
    assert Memo(6).capacity > 100_000


def test_merging_keeps_the_higher_count():
    mine, other = Memo(2), Memo(2)
    keys = np.random.default_rng(0).integers(0, 2**64, (3, 2), dtype=np.uint64)
    for memo, asked in ((mine, [500, 7]), (other, [3, 900, 2])):
        some = keys[: len(asked)]
        memo.add(some, np.zeros((len(some), 2), np.float32), np.array(asked, np.uint32))
    mine.merge(other.contents())
    held, _, asked, _ = mine.contents()
    assert {tuple(key): int(n) for key, n in zip(held.tolist(), asked, strict=True)} == {
        tuple(key): n for key, n in zip(keys.tolist(), [500, 900, 2], strict=True)
    }


def test_no_keys_are_accepted():
    memo = Memo(3)
    none = memo.keys_of(encoded([]))
    assert memo.find(none)[0].shape == (0,)
    memo.add(none, probabilities(0))
    assert len(memo) == 0
