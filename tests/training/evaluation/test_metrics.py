"""Figures agree with their definitions, worked out by hand."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emojob.training.evaluation.calibration import fit_temperature, softmax
from emojob.training.evaluation.metrics import calibration_error, evaluate

NAMES = ("a", "b", "c")


def certain(*guesses: int) -> np.ndarray:
    return np.eye(3, dtype=np.float32)[list(guesses)]


def test_figures_of_a_small_case_worked_out_by_hand():
    found = evaluate(certain(0, 0, 1, 1), np.array([0, 1, 1, -1]), NAMES)
    assert found.texts == 3
    assert found.accuracy == pytest.approx(2 / 3)
    assert found.classes["a"].precision == pytest.approx(1 / 2)
    assert found.classes["b"].recall == pytest.approx(1 / 2)
    # c does not occur in the labels, and so is not in the mean
    assert found.macro_f1 == pytest.approx((2 / 3 + 2 / 3) / 2)


def test_figures_without_a_label_are_refused():
    with pytest.raises(ValueError, match="no text has a label"):
        evaluate(certain(0), np.array([-1]), NAMES)


@st.composite
def predictions(draw) -> tuple[np.ndarray, np.ndarray]:
    """(probabilities float32 [texts, classes], labels [texts]) with some classes that nobody bears or guesses."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    texts, classes = draw(st.integers(1, 40)), draw(st.integers(2, 5))
    probabilities = rng.dirichlet(np.full(classes, draw(st.sampled_from([0.1, 1.0, 5.0]))), texts).astype(np.float32)
    return probabilities, rng.integers(0, draw(st.integers(1, classes)), texts)


@given(predictions())
def test_figures_equal_those_counted_text_by_text(case):
    probabilities, labels = case
    texts, classes = probabilities.shape
    guessed = [max(range(classes), key=lambda i: row[i]) for row in probabilities.tolist()]
    names = [f"class {i}" for i in range(classes)]
    found = evaluate(probabilities, labels, names)

    assert found.accuracy == pytest.approx(sum(g == y for g, y in zip(guessed, labels, strict=True)) / texts)
    f1 = []
    for i, name in enumerate(names):
        hits = sum(g == y == i for g, y in zip(guessed, labels, strict=True))
        true, said = sum(y == i for y in labels), guessed.count(i)
        one = found.classes[name]
        assert one.support == true
        assert one.precision == pytest.approx(hits / said if said else 0)
        assert one.recall == pytest.approx(hits / true if true else 0)
        if true:
            f1.append(2 * hits / (true + said))
            assert one.f1 == pytest.approx(f1[-1])
    assert found.macro_f1 == pytest.approx(sum(f1) / len(f1))
    likely = [max(1e-12, float(row[y])) for row, y in zip(probabilities, labels, strict=True)]
    assert found.log_loss == pytest.approx(-sum(map(math.log, likely)) / texts)
    assert found.most_frequent == pytest.approx(max((labels == i).sum() for i in range(classes)) / texts)

    bins = [[] for _ in range(15)]
    for row, g, y in zip(probabilities, guessed, labels, strict=True):
        bins[min(14, int(row[g] * np.float32(15)))].append((float(row[g]), g == y))
    gaps = [abs(sum(sure for sure, _ in one) - sum(right for _, right in one)) for one in bins]
    assert found.calibration_error == pytest.approx(sum(gaps) / texts, abs=1e-6)
    assert [one.texts for one in found.reliability] == [len(one) for one in bins if one]


@given(predictions())
def test_the_confusion_matrix_holds_every_text_once(case):
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


def test_figures_survive_json():
    found = evaluate(certain(0, 1), np.array([0, 2]), NAMES).as_json()
    assert json.loads(json.dumps(found)) == found
    assert set(found["reliability"][0]) == {"low", "high", "texts", "confidence", "accuracy"}


def test_calibration_error_is_the_distance_between_confidence_and_share_right():
    right = np.array([True] * 6 + [False] * 4)
    assert calibration_error(np.full(10, 0.9, np.float32), right) == pytest.approx(0.3, abs=1e-6)
    assert calibration_error(np.full(10, 0.6, np.float32), right) == pytest.approx(0, abs=1e-6)
    assert calibration_error(np.array([1.0], np.float32), np.array([True])) == 0


def test_the_temperature_that_made_logits_too_sure_is_found_again():
    rng = np.random.default_rng(2)
    logits = rng.normal(size=(20_000, 3)).astype(np.float32)
    labels = (softmax(logits).cumsum(1) > rng.random((20_000, 1))).argmax(1)
    assert fit_temperature(logits, labels) == pytest.approx(1, rel=0.06)
    assert fit_temperature(logits * 3, labels) == pytest.approx(3, rel=0.06)


def test_texts_without_a_label_do_not_move_the_temperature():
    logits = np.array([[2, 0], [2, 0], [2, 0], [0, 9]], np.float32)
    labels = np.array([0, 0, 1, -1])
    assert fit_temperature(logits, labels) == fit_temperature(logits[:3], labels[:3])
    assert fit_temperature(logits, np.full(4, -1)) == 1.0


def test_softmax_sums_to_one_even_for_huge_logits():
    assert softmax(np.array([[1e4, 0, -1e4]], np.float32)).tolist() == [[1, 0, 0]]
