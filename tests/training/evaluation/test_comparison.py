"""Comparisons report a difference between two models only if it is significant."""

import math
import time

import numpy as np
import pytest

from emojob.training.evaluation.comparison import Comparison, Difference, compare, mcnemar
from emojob.training.evaluation.metrics import evaluate

NAMES = ("a", "b", "c")


def probabilities_of(labels: np.ndarray, right: float, rng: np.random.Generator) -> np.ndarray:
    """Probabilities [texts, 3] of a model that is right on the fraction `right` of the texts."""
    classes = len(NAMES)
    wrong = (labels + rng.integers(1, classes, len(labels))) % classes
    chosen = np.where(rng.random(len(labels)) < right, labels, wrong)
    noise = rng.dirichlet(np.ones(classes), len(labels))
    return (0.4 * noise + 0.6 * np.eye(classes)[chosen]).astype(np.float32)


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def test_a_clear_difference_is_significant(rng):
    labels = rng.integers(0, 3, 2000)
    found = compare(probabilities_of(labels, 0.8, rng), probabilities_of(labels, 0.7, rng), labels, NAMES)
    assert found.accuracy.low < 0.1 < found.accuracy.high
    assert found.accuracy.low > 0
    assert found.macro_f1.low > 0
    assert found.log_loss.high < 0
    assert found.mcnemar_p < 0.001
    assert found.sentence("new", "old").startswith("new is better than old: accuracy +0.")
    assert "McNemar p < 0.001" in found.sentence("new", "old")


def test_a_worse_model_is_reported_as_worse(rng):
    labels = rng.integers(0, 3, 2000)
    one, two = probabilities_of(labels, 0.7, rng), probabilities_of(labels, 0.8, rng)
    found = compare(one, two, labels, NAMES)
    assert found.sentence("new", "old").startswith("old is better than new: accuracy -0.")


def test_equally_good_models_have_no_significant_difference(rng):
    labels = rng.integers(0, 3, 500)
    found = compare(probabilities_of(labels, 0.7, rng), probabilities_of(labels, 0.7, rng), labels, NAMES)
    assert found.sentence("new", "old").startswith("No significant difference between new and old on 500 texts")


def test_a_model_compared_with_itself_has_no_difference(rng):
    labels = rng.integers(0, 3, 100)
    same = probabilities_of(labels, 0.7, rng)
    found = compare(same, same, labels, NAMES)
    for one in (found.accuracy, found.macro_f1, found.log_loss):
        assert (one.difference, one.low, one.high) == (0, 0, 0)
    assert found.mcnemar_p == 1


def test_the_figures_equal_those_of_each_model_alone(rng):
    labels = np.append(rng.integers(0, 2, 200), -1)  # no text has label c; the last text has no label
    one, two = probabilities_of(labels % 3, 0.8, rng), probabilities_of(labels % 3, 0.6, rng)
    found = compare(one, two, labels, NAMES)
    for which, probabilities in (("ours", one), ("other", two)):
        alone = evaluate(probabilities, labels, NAMES)
        for figure in ("accuracy", "macro_f1", "log_loss"):
            assert getattr(getattr(found, figure), which) == pytest.approx(getattr(alone, figure))


def test_intervals_equal_those_of_a_plain_bootstrap(rng):
    labels = rng.integers(0, 3, 60)
    one, two = probabilities_of(labels, 0.8, rng), probabilities_of(labels, 0.6, rng)
    found = compare(one, two, labels, NAMES, seed=5, resamples=300)
    rows = np.random.default_rng(5).integers(0, 60, (300, 60))
    for figure in ("accuracy", "macro_f1", "log_loss"):
        drawn = [
            getattr(evaluate(one[row], labels[row], NAMES), figure)
            - getattr(evaluate(two[row], labels[row], NAMES), figure)
            for row in rows
        ]
        interval = getattr(found, figure)
        assert [interval.low, interval.high] == pytest.approx(np.percentile(drawn, [2.5, 97.5]).tolist(), abs=1e-9)


def test_the_same_seed_gives_the_same_interval_and_at_least_2000_resamples(rng):
    labels = rng.integers(0, 3, 300)
    one, two = probabilities_of(labels, 0.8, rng), probabilities_of(labels, 0.7, rng)
    found = compare(one, two, labels, NAMES)
    assert found == compare(one, two, labels, NAMES)
    assert found != compare(one, two, labels, NAMES, seed=1)
    assert found.resamples >= 2000


def test_resamples_drawn_in_chunks_equal_those_drawn_at_once(rng, monkeypatch):
    labels = rng.integers(0, 3, 50)
    one, two = probabilities_of(labels, 0.8, rng), probabilities_of(labels, 0.7, rng)
    at_once = compare(one, two, labels, NAMES, resamples=100)
    monkeypatch.setattr("emojob.training.evaluation.comparison._DRAWN_AT_A_TIME", 50 * 7)
    assert compare(one, two, labels, NAMES, resamples=100) == at_once


def test_ten_thousand_texts_take_seconds(rng):
    labels = rng.integers(0, 3, 10_000)
    one, two = probabilities_of(labels, 0.8, rng), probabilities_of(labels, 0.7, rng)
    began = time.process_time()
    compare(one, two, labels, NAMES)
    assert time.process_time() - began < 20


@pytest.mark.parametrize(
    ("only_ours", "only_other", "p"),
    [
        (0, 0, 1.0),
        (5, 5, 1.0),
        (0, 5, 2 / 2**5),
        (1, 7, 2 * (1 + 8) / 2**8),
        (10, 2, 2 * (1 + 12 + 66) / 2**12),
        (30, 30, 1.0),
        # chi-square (|40 - 20| - 1)^2 / 60 = 6.0167, one degree of freedom: p = 0.01417
        (40, 20, 0.01417),
        (20, 40, 0.01417),
    ],
)
def test_mcnemar_equals_values_calculated_by_hand(only_ours, only_other, p):
    assert mcnemar(only_ours, only_other) == pytest.approx(p, rel=1e-3)


def test_mcnemar_changes_from_exact_to_chi_square_at_25_texts():
    exact = 2 * sum(math.comb(24, i) for i in range(7)) / 2**24
    assert mcnemar(6, 18) == pytest.approx(exact)
    assert mcnemar(6, 19) == pytest.approx(math.erfc(math.sqrt((13 - 1) ** 2 / 25 / 2)))


def comparison(accuracy: float, macro_f1: float, p: float) -> Comparison:
    def around(value: float) -> Difference:
        return Difference(0.5 + value, 0.5, value, value - 0.01, value + 0.01)

    return Comparison(100, 2000, around(accuracy), around(macro_f1), around(0), 9, 3, p)


@pytest.mark.parametrize(
    ("accuracy", "macro_f1", "p", "beginning"),
    [
        (0.05, 0.05, 0.01, "new is better than old: "),
        (0.05, 0.0, 0.01, "new is better than old: "),
        (-0.05, 0.0, 0.01, "old is better than new: "),
        (0.05, 0.0, 0.2, "No significant difference between new and old on"),
        (0.0, 0.05, 1.0, "new has the better macro-F1, the accuracy is not significantly different"),
        (0.0, -0.05, 1.0, "old has the better macro-F1, the accuracy is not significantly different"),
        (0.05, -0.05, 0.01, "new has the better accuracy, old the better macro-F1"),
        (-0.05, 0.05, 0.01, "old has the better accuracy, new the better macro-F1"),
    ],
)
def test_the_sentence_names_the_better_model_and_figure(accuracy, macro_f1, p, beginning):
    assert comparison(accuracy, macro_f1, p).sentence("new", "old").startswith(beginning)


def test_texts_without_any_label_cannot_be_compared():
    with pytest.raises(ValueError, match="no text has a label"):
        compare(np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32), np.full(3, -1), NAMES)
