"""Figures agree with their definitions, worked out by hand."""

import numpy as np
import pytest

from training.calibration import fit_temperature, softmax
from training.evaluation import calibration_error, figures

NAMES = ("a", "b", "c")


def certain(*guesses: int) -> np.ndarray:
    return np.eye(3, dtype=np.float32)[list(guesses)]


def test_figures_of_a_small_case_worked_out_by_hand():
    found = figures(certain(0, 0, 1, 1), np.array([0, 1, 1, -1]), NAMES)
    assert found.texts == 3
    assert found.accuracy == pytest.approx(2 / 3)
    assert found.classes["a"].precision == pytest.approx(1 / 2)
    assert found.classes["b"].recall == pytest.approx(1 / 2)
    # c does not occur in the labels, and so is not in the mean
    assert found.macro_f1 == pytest.approx((2 / 3 + 2 / 3) / 2)


def test_figures_without_a_label_are_refused():
    with pytest.raises(ValueError, match="no text has a label"):
        figures(certain(0), np.array([-1]), NAMES)


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
