"""The fitted temperature is the one that calibrates the probabilities."""

import numpy as np
import pytest

from emojob.training.evaluation.calibration import fit_temperature, softmax


def test_the_factor_of_overconfident_logits_is_the_fitted_temperature():
    rng = np.random.default_rng(2)
    logits = rng.normal(size=(20_000, 3)).astype(np.float32)
    labels = (softmax(logits).cumsum(1) > rng.random((20_000, 1))).argmax(1)
    assert fit_temperature(logits, labels) == pytest.approx(1, rel=0.06)
    assert fit_temperature(logits * 3, labels) == pytest.approx(3, rel=0.06)


def test_texts_without_a_label_do_not_change_the_temperature():
    logits = np.array([[2, 0], [2, 0], [2, 0], [0, 9]], np.float32)
    labels = np.array([0, 0, 1, -1])
    assert fit_temperature(logits, labels) == fit_temperature(logits[:3], labels[:3])
    assert fit_temperature(logits, np.full(4, -1)) == 1.0


def test_softmax_sums_to_one_even_for_huge_logits():
    assert softmax(np.array([[1e4, 0, -1e4]], np.float32)).tolist() == [[1, 0, 0]]
