"""Intervals equal reference values, contain the true value often enough, and are missing if there are too few texts."""

import json

import numpy as np
import pytest

from emojob.training.evaluation.intervals import at_most, clopper_pearson, intervals, wilson
from emojob.training.evaluation.metrics import evaluate


@pytest.mark.parametrize(
    ("hits", "texts", "low", "high"),
    # made with SciPy 1.17.1: binomtest(hits, texts).proportion_ci(method="wilson")
    [(0, 10, 0.0, 0.277533), (9, 10, 0.595850, 0.982124), (57, 60, 0.862989, 0.982858), (10, 10, 0.722467, 1.0)],
)
def test_wilson_equals_reference_values(hits, texts, low, high):
    found = wilson(hits, texts)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-5)


@pytest.mark.parametrize(
    ("hits", "texts", "low", "high"),
    # made with SciPy 1.17.1: binomtest(hits, texts).proportion_ci(method="exact")
    [(0, 6, 0.0, 0.459258), (6, 6, 0.540742, 1.0), (3, 11, 0.060218, 0.609743), (4900, 10_000, 0.480156, 0.499850)],
)
def test_clopper_pearson_equals_reference_values(hits, texts, low, high):
    found = clopper_pearson(hits, texts)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-5)


def test_binomial_probabilities_at_the_ends():
    assert (at_most(-1, 3, 0.5), at_most(3, 3, 0.5), at_most(0, 0, 0.5)) == (0.0, 1.0, 1.0)
    assert (at_most(0, 5, 0.0), at_most(4, 5, 1.0)) == (1.0, 0.0)
    assert at_most(1, 3, 0.5) == pytest.approx(0.5)


def predicted(texts: int, right: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(probabilities, labels) of a model that is right on the fraction `right` of the texts, with three classes."""
    labels = np.arange(texts) % 3
    guesses = np.where(rng.random(texts) < right, labels, (labels + 1) % 3)
    return (0.1 + 0.7 * np.eye(3)[guesses]).astype(np.float32), labels


def test_intervals_contain_the_true_value_about_19_times_in_20():
    hits = {"accuracy": 0, "macro_f1": 0}
    for seed in range(200):
        found = evaluate(*predicted(300, 0.8, np.random.default_rng(seed)), "abc").intervals()
        for name in hits:  # the errors go to the next class, so macro-F1 is the accuracy
            hits[name] += found[name].low <= 0.8 <= found[name].high
    assert all(180 <= count <= 199 for count in hits.values())


def test_few_texts_have_no_interval_of_macro_f1_and_no_calibration_error():
    few = evaluate(*predicted(29, 0.8, np.random.default_rng(1)), "abc")
    assert set(few.intervals()) == {"accuracy"}
    assert few.shown()["calibration_error"] == "–"
    enough = evaluate(*predicted(200, 0.8, np.random.default_rng(1)), "abc")
    assert set(enough.intervals()) == {"accuracy", "macro_f1", "log_loss"}
    assert enough.shown()["calibration_error"] == f"{enough.calibration_error:.3f}"


def test_the_same_texts_give_the_same_interval():
    confusion = np.array([[20, 5], [3, 30]])
    assert intervals(confusion, 0.4, 0.2) == intervals(confusion, 0.4, 0.2)
    assert intervals(confusion, 0.4, 0.2, seed=1) != intervals(confusion, 0.4, 0.2)


def test_json_shows_the_same_number_as_the_terminal():
    """A number that is rounded twice may differ: 0.92946 becomes 0.9295, and then 0.930 or 0.929."""
    for seed in range(50):
        found = evaluate(*predicted(977, 0.9295, np.random.default_rng(seed)), "abc")
        read = json.loads(json.dumps(found.as_json()))
        for name in ("accuracy", "macro_f1", "log_loss", "calibration_error"):
            assert f"{read[name]:.3f}" == found.shown()[name]
        assert read["intervals"]["accuracy"] == [found.intervals()["accuracy"].low, found.intervals()["accuracy"].high]
