"""Quantiles and intervals equal published values, and the dispersion is that of the simulated rows."""

import datetime
import math

import numpy as np
import pytest

from emojob.pipeline.statistics.dispersion import dispersion
from emojob.pipeline.statistics.distributions import f_quantile, f_tail, incomplete_beta, t_quantile
from emojob.pipeline.statistics.reference_days import reference_days
from emojob.pipeline.statistics.shares import change_interval, mean_interval, share_interval


@pytest.mark.parametrize(
    ("error", "freedom", "expected"),
    [(0.05, 1, 12.7062), (0.05, 3, 3.18245), (0.01, 10, 3.16927), (0.001, 25, 3.72514), (0.05, 1e6, 1.95997)],
)
def test_quantiles_of_t_equal_the_published_table(error, freedom, expected):
    assert t_quantile(error, freedom) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("value", "numerator", "denominator", "expected"),
    [(4.9646, 1, 10, 0.05), (3.3258, 5, 10, 0.05), (5.6363, 5, 10, 0.01), (0.0, 3, 3, 1.0)],
)
def test_tails_of_f_equal_the_published_table(value, numerator, denominator, expected):
    assert f_tail(value, numerator, denominator) == pytest.approx(expected, rel=1e-4)
    if 0 < expected < 1:
        assert f_quantile(expected, numerator, denominator) == pytest.approx(value, rel=1e-4)


def test_the_incomplete_beta_function_of_whole_numbers_is_a_binomial_tail():
    tail = sum(math.comb(9, i) * 0.3**i * 0.7 ** (9 - i) for i in range(4, 10))
    assert incomplete_beta(0.3, 4, 6) == pytest.approx(tail, rel=1e-12)


def test_the_ends_of_an_interval_of_a_share_are_a_quantile_away():
    for count, rows in ((3, 20), (0, 20), (20, 20), (500, 1000)):
        for end in share_interval(count, rows, 2.5):
            if 0 < end < 1:
                deviation = math.sqrt(end * (1 - end) / rows)
                assert abs(count / rows - end) == pytest.approx(2.5 * deviation)
    assert share_interval(0, 0) == (0.0, 1.0)
    assert share_interval(30, 200, design=10.0) == share_interval(3, 20)


def test_the_interval_of_a_change_equals_the_published_example():
    # Newcombe 1998, table II (a), method 10
    low, high = change_interval((56, 70), (48, 80), 1.96)
    assert 0.0424 <= low <= 0.0524  # the wider interval of two methods
    assert 0.3339 <= high <= 0.3439
    assert change_interval((560, 700), (480, 800), 1.96, (10.0, 10.0)) == pytest.approx((low, high))


def test_a_rare_label_in_a_few_large_conversations_is_no_change():
    # 1 conversation of 100 utterances is usual; 9 happen once in about 1,000,000 days, 5 in about 300 days
    usual, design = (2_000, 400_000), 200.0
    assert change_interval((500, 20_000), usual, 3.7, (design, design))[0] <= 0
    assert change_interval((2_500, 20_000), usual, 3.7, (design, design))[0] > 0


def test_the_interval_of_a_mean_grows_with_the_design_effect():
    low, high = mean_interval(0.5, 0.2, 100)
    assert (low, high) == pytest.approx((0.5 - 0.0392, 0.5 + 0.0392), abs=1e-4)
    assert mean_interval(0.5, 0.2, 400, design=4.0) == pytest.approx((low, high))


@pytest.mark.parametrize("group", [1, 10])
def test_the_dispersion_of_rows_in_groups_is_the_size_of_the_groups(group):
    chance = np.random.default_rng(1)
    counts = group * chance.multinomial(1000 // group, [0.5, 0.3, 0.2], size=350).astype(float)
    found = dispersion(counts, counts.sum(axis=1), [i % 7 for i in range(350)], 0, 1000.0)
    assert found.now == pytest.approx([group] * 3, rel=0.25)
    assert found.freedom == pytest.approx(350 - 7 + 4)


def test_the_dispersion_of_different_days_grows_with_the_rows():
    chance = np.random.default_rng(1)
    odds = np.exp(0.3 * chance.standard_normal(200))
    shares = 0.2 * odds / (0.8 + 0.2 * odds)
    counts = np.array([[chance.binomial(2000, share)] for share in shares], float)
    small, large = (dispersion(counts, np.full(200, 2000.0), [0] * 200, 0, rows).now[0] for rows in (2000.0, 20_000.0))
    assert large == pytest.approx(10 * small, rel=0.15)


def test_a_single_earlier_day_shows_no_dispersion():
    found = dispersion(np.array([[5.0, 5.0]]), np.array([10.0]), [0], 0, 10.0)
    assert found.now.tolist() == [2.0, 2.0]  # the prior
    assert found.freedom == 4.0


def test_days_of_the_same_weekday_are_compared_or_else_of_the_same_part_of_the_week():
    tuesday = datetime.date(2026, 11, 24)
    before = [tuesday - datetime.timedelta(days=n) for n in range(1, 29)]
    assert reference_days(before, tuesday, 28, 3).alike == sorted(d for d in before if d.weekday() == 1)
    assert reference_days(before[:9], tuesday, 28, 3).alike == sorted(d for d in before[:9] if d.weekday() < 5)
    saturday = tuesday - datetime.timedelta(days=3)
    found = reference_days(before[3:8], saturday, 28, 3)
    assert (found.kind, found.alike) == ("weekend", [])
    assert "weekend days with rows is 0, but at least 3" in found.why
