"""Iterative stratification: each part has its share of each label, and no group is divided."""

import numpy as np
import pytest

from emojob.training.data.stratification import stratified

FRACTIONS = (0.8, 0.1, 0.1)
SHARES = [0.5, 0.3, 0.1, 0.02]


def texts(rows=5_000, seed=1):
    return np.random.default_rng(seed).random((rows, len(SHARES))) < SHARES


def test_each_part_has_its_share_of_each_label_and_of_the_rows():
    carried = texts()
    part = stratified(carried, np.arange(len(carried)), FRACTIONS, 4)
    for number, fraction in enumerate(FRACTIONS):
        assert (part == number).sum() == pytest.approx(fraction * len(carried), abs=15)
        for label in range(len(SHARES)):
            own = carried[:, label]
            assert (own & (part == number)).sum() == pytest.approx(fraction * own.sum(), abs=3)
        nothing = ~carried.any(axis=1)
        assert (nothing & (part == number)).sum() == pytest.approx(fraction * nothing.sum(), abs=3)


def test_a_rare_label_is_in_each_part_where_chance_would_miss_it():
    carried = np.zeros((1_000, 2), bool)
    carried[::2, 0] = True
    carried[:10, 1] = True
    part = stratified(carried, np.arange(1_000), FRACTIONS, 0)
    assert np.bincount(part[carried[:, 1]], minlength=3).tolist() == [8, 1, 1]


def test_no_group_is_divided():
    carried = texts(2_000)
    groups = np.arange(2_000) // 7
    part = stratified(carried, groups, FRACTIONS, 0)
    assert all(len(set(part[groups == group])) == 1 for group in range(groups.max() + 1))
    assert np.bincount(part).tolist() == pytest.approx([1_600, 200, 200], abs=21)


def test_the_seed_decides_and_an_empty_part_stays_empty():
    carried = texts(500)
    same, again, other = (stratified(carried, np.arange(500), (0.9, 0.1, 0.0), seed) for seed in (1, 1, 2))
    assert (same == again).all()
    assert (same != other).any()
    assert set(same.tolist()) == {0, 1}
    assert len(stratified(carried[:0], np.empty(0, np.int64), FRACTIONS, 0)) == 0
