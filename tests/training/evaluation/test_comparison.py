"""Comparisons report a difference between two models only if it is significant."""

import itertools
import time

import numpy as np
import pytest

from emojob.training.evaluation.comparison import Comparison, Difference, compare, mcnemar
from emojob.training.evaluation.metrics import evaluate
from emojob.training.evaluation.words import words_of

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
        assert one.difference == 0
    assert (found.accuracy.interval(words_of("en")), found.macro_f1.interval(words_of("en"))) == ("–", "–")
    assert found.mcnemar_p == 1
    assert found.sentence("new", "old").startswith("No difference in accuracy: new and old are right on the same texts")


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
    for figure in ("macro_f1", "log_loss"):
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
        # made with SciPy 1.17.1: binomtest(20, 60).pvalue, binomtest(4900, 10000).pvalue
        (40, 20, 0.01349),
        (20, 40, 0.01349),
        (4900, 5100, 0.04659),
    ],
)
def test_mcnemar_equals_values_calculated_by_hand(only_ours, only_other, p):
    assert mcnemar(only_ours, only_other) == pytest.approx(p, rel=1e-3)


def test_the_interval_of_the_accuracy_agrees_with_mcnemar():
    labels = np.zeros(200, np.int64)
    for only_ours, only_other in itertools.product(range(0, 30, 2), repeat=2):
        wrong = (np.arange(200) < only_ours, (np.arange(200) >= 100) & (np.arange(200) < 100 + only_other))
        other, ours = (np.eye(3, dtype=np.float32)[one.astype(int)] for one in wrong)
        found = compare(ours, other, labels, NAMES, resamples=10)
        assert (found.only_ours, found.only_other) == (only_ours, only_other)
        if only_ours + only_other < 6:
            assert (found.verdict, found.accuracy.low, found.macro_f1.high) == ("too few", None, None)
            continue
        includes_zero = found.accuracy.low <= 0 <= found.accuracy.high
        assert includes_zero == (mcnemar(only_ours, only_other) >= 0.05) == (found.verdict == "no difference")


def test_equal_models_are_seldom_told_apart():
    claims, simulations = 0, 400
    for seed in range(simulations):
        rng = np.random.default_rng(seed)
        labels = rng.integers(0, 3, 60)
        found = compare(
            probabilities_of(labels, 0.8, rng), probabilities_of(labels, 0.8, rng), labels, NAMES, resamples=100
        )
        claims += "better" in found.sentence("new", "old").split(":")[0]
    assert claims <= 0.05 * simulations


def test_few_discordant_texts_are_said():
    labels = np.zeros(60, np.int64)
    other = np.eye(3, dtype=np.float32)[[1] * 4 + [0] * 56]
    found = compare(np.eye(3, dtype=np.float32)[[0] * 60], other, labels, NAMES)
    assert found.sentence("new", "old").startswith(
        "Too few texts to tell new and old apart: only 4 of 60 texts are predicted correctly by exactly one of them"
    )
    assert found.as_json()["verdict"] == "too few"


def comparison(accuracy: float, macro_f1: float, only_ours: int, only_other: int) -> Comparison:
    def around(value: float) -> Difference:
        return Difference(0.5 + value, 0.5, value, value - 0.01, value + 0.01)

    p = mcnemar(only_ours, only_other)
    return Comparison(100, 2000, around(accuracy), around(macro_f1), around(0), only_ours, only_other, p)


@pytest.mark.parametrize(
    ("accuracy", "macro_f1", "only_ours", "only_other", "beginning"),
    [
        (0.05, 0.05, 10, 1, "new is better than old: "),
        (0.05, 0.0, 10, 1, "new is better than old: "),
        (-0.05, 0.0, 1, 10, "old is better than new: "),
        (0.05, 0.0, 8, 3, "No significant difference between new and old on"),
        (0.0, 0.05, 5, 5, "No significant difference between new and old on"),
        (0.05, -0.05, 10, 1, "new has a better accuracy than old, but not a better macro-F1"),
        (-0.05, 0.05, 1, 10, "old has a better accuracy than new, but not a better macro-F1"),
        (0.05, 0.05, 5, 0, "Too few texts to tell new and old apart: only 5 of 100 texts"),
    ],
)
def test_the_sentence_follows_mcnemar_alone(accuracy, macro_f1, only_ours, only_other, beginning):
    assert comparison(accuracy, macro_f1, only_ours, only_other).sentence("new", "old").startswith(beginning)


def test_texts_without_any_label_cannot_be_compared():
    with pytest.raises(ValueError, match="no text has a label"):
        compare(np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32), np.full(3, -1), NAMES)
