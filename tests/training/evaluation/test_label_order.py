"""Annotated texts show which order of the labels is the right one, and what they cannot show is said."""

import itertools

import numpy as np
import pytest

from emojob.schemas.labels import DEFAULT_LABELS
from emojob.training.evaluation.label_order import _best_order, compare_orders


def counts_for(given: tuple[str, ...], right: tuple[str, ...], texts: int = 40, wrong: int = 10) -> np.ndarray:
    """Counts of a model whose outputs are `right`, while the labels are given as `given`. Some texts are misjudged."""
    counts = np.zeros((len(given), len(given)), np.int64)
    for output, label in enumerate(right):
        counts[given.index(label), output] += texts
        counts[given.index(label), (output + 1) % len(right)] += wrong
    return counts


def test_the_right_order_is_first_and_a_wrong_one_is_refused():
    right = ("기쁨", "불안", "당황", "슬픔", "분노", "상처")
    given = ("분노", "불안", "당황", "슬픔", "기쁨", "상처")
    found = compare_orders(counts_for(given, right), given)
    assert found.best.labels == right
    assert found.best.accuracy == 0.8
    assert found.is_wrong
    assert found.tried == 720
    assert found.notes() == []


def test_the_given_order_is_kept_if_it_is_the_best_one():
    found = compare_orders(counts_for(DEFAULT_LABELS, DEFAULT_LABELS), DEFAULT_LABELS)
    assert found.best == found.given
    assert not found.is_wrong


def test_usual_orders_are_shown_by_name():
    given = tuple(reversed(DEFAULT_LABELS))
    found = compare_orders(counts_for(given, DEFAULT_LABELS), given)
    names = {order.name: order for order in found.orders}
    assert names["emojob's default model"] == found.best
    assert names["alphabetical, as LabelEncoder numbers"].labels == tuple(sorted(DEFAULT_LABELS))
    assert names["given"].labels == given


def test_labels_without_texts_are_named():
    counts = counts_for(DEFAULT_LABELS, DEFAULT_LABELS)
    counts[[1, 4]] = 0
    found = compare_orders(counts, DEFAULT_LABELS)
    assert found.best == found.given
    assert "분노, 기쁨, so the order of these labels is not checked" in found.notes()[0]


def test_a_difference_that_can_be_chance_is_no_reason_to_refuse():
    given = ("가", "나")
    found = compare_orders(np.array([[4, 5], [5, 4]]), given)
    assert found.best.labels == ("나", "가")
    assert not found.is_wrong
    assert "can be chance" in found.notes()[0]


def test_a_model_that_knows_nothing_is_said():
    found = compare_orders(np.array([[50, 50], [10, 10]]), ("가", "나"))
    assert any("always the most frequent label" in note for note in found.notes())


@pytest.mark.parametrize("seed", range(20))
def test_the_best_order_of_many_labels_is_the_best_of_all(seed):
    counts = np.random.default_rng(seed).integers(0, 30, (6, 6))
    best = max(itertools.permutations(range(6)), key=lambda order: counts[list(order), range(6)].sum())
    assert counts[_best_order(counts), range(6)].sum() == counts[list(best), range(6)].sum()


def test_many_labels_need_no_list_of_all_orders():
    names = tuple(f"L{i:02}" for i in range(44))
    right = tuple(np.random.default_rng(1).permutation(names).tolist())
    found = compare_orders(counts_for(names, right), names)
    assert found.best.labels == right
    assert found.is_wrong
