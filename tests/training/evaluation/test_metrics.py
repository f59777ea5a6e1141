"""Figures equal their definitions, calculated by hand or by a plain loop."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emojob.training.evaluation.metrics import calibration_error, evaluate

NAMES = ("a", "b", "c")


def certain(*guesses: int) -> np.ndarray:
    return np.eye(3, dtype=np.float32)[list(guesses)]


def test_figures_equal_values_calculated_by_hand():
    found = evaluate(certain(0, 0, 1, 1), np.array([0, 1, 1, -1]), NAMES)
    assert found.texts == 3
    assert found.accuracy == pytest.approx(2 / 3)
    assert found.classes["a"].precision == pytest.approx(1 / 2)
    assert found.classes["b"].recall == pytest.approx(1 / 2)
    # c does not occur in the labels, so it is not in the mean
    assert found.macro_f1 == pytest.approx((2 / 3 + 2 / 3) / 2)


def test_texts_without_any_label_are_refused():
    with pytest.raises(ValueError, match="no text has a label"):
        evaluate(certain(0), np.array([-1]), NAMES)


@st.composite
def predictions(draw) -> tuple[np.ndarray, np.ndarray]:
    """(probabilities float32 [texts, classes], labels [texts]); some classes are neither a label nor predicted."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    texts, classes = draw(st.integers(1, 40)), draw(st.integers(2, 5))
    probabilities = rng.dirichlet(np.full(classes, draw(st.sampled_from([0.1, 1.0, 5.0]))), texts).astype(np.float32)
    return probabilities, rng.integers(0, draw(st.integers(1, classes)), texts)


@settings(deadline=None)
@given(predictions())
def test_figures_equal_those_of_a_plain_loop(case):
    probabilities, labels = case
    texts, classes = probabilities.shape
    predicted = [max(range(classes), key=lambda i: row[i]) for row in probabilities.tolist()]
    names = [f"class {i}" for i in range(classes)]
    found = evaluate(probabilities, labels, names)

    assert found.accuracy == pytest.approx(sum(g == y for g, y in zip(predicted, labels, strict=True)) / texts)
    f1 = []
    for i, name in enumerate(names):
        hits = sum(g == y == i for g, y in zip(predicted, labels, strict=True))
        true, predicted_count = sum(y == i for y in labels), predicted.count(i)
        one = found.classes[name]
        assert one.support == true
        assert one.precision == pytest.approx(hits / predicted_count if predicted_count else 0)
        assert one.recall == pytest.approx(hits / true if true else 0)
        if true:
            f1.append(2 * hits / (true + predicted_count))
            assert one.f1 == pytest.approx(f1[-1])
    assert found.macro_f1 == pytest.approx(sum(f1) / len(f1))
    likely = [max(1e-12, float(row[y])) for row, y in zip(probabilities, labels, strict=True)]
    assert found.log_loss == pytest.approx(-sum(map(math.log, likely)) / texts)
    assert found.most_frequent == pytest.approx(max((labels == i).sum() for i in range(classes)) / texts)

    bins = [[] for _ in range(15)]
    for row, g, y in zip(probabilities, predicted, labels, strict=True):
        bins[min(14, int(row[g] * np.float32(15)))].append((float(row[g]), g == y))
    gaps = [abs(sum(sure for sure, _ in one) - sum(right for _, right in one)) for one in bins]
    assert found.calibration_error == pytest.approx(sum(gaps) / texts, abs=1e-6)
    assert [one.texts for one in found.reliability] == [len(one) for one in bins if one]


@settings(deadline=None)
@given(predictions())
def test_the_confusion_matrix_counts_every_text_once(case):
    probabilities, labels = case
    names = [f"class {i}" for i in range(probabilities.shape[1])]
    found = evaluate(probabilities, labels, names)
    matrix = np.array(found.confusion)
    assert matrix.sum() == len(labels)
    assert matrix.sum(1).tolist() == [one.support for one in found.classes.values()]
    assert np.trace(matrix) == round(found.accuracy * len(labels))


def test_rows_of_the_confusion_matrix_are_the_true_classes():
    found = evaluate(certain(1, 1, 2), np.array([0, 0, 2]), NAMES)
    assert found.confusion == ((0, 2, 0), (0, 0, 0), (0, 0, 1))


def test_figures_can_be_written_as_json():
    found = evaluate(certain(0, 1), np.array([0, 2]), NAMES).as_json()
    assert json.loads(json.dumps(found)) == found
    assert set(found["reliability"][0]) == {"low", "high", "texts", "confidence", "accuracy"}


def test_calibration_error_is_the_gap_between_confidence_and_accuracy():
    right = np.array([True] * 6 + [False] * 4)
    assert calibration_error(np.full(10, 0.9, np.float32), right) == pytest.approx(0.3, abs=1e-6)
    assert calibration_error(np.full(10, 0.6, np.float32), right) == pytest.approx(0, abs=1e-6)
    assert calibration_error(np.array([1.0], np.float32), np.array([True])) == 0
