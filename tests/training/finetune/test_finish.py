"""Calibration after training: a temperature that does not help is not used."""

import numpy as np
import pytest

from emojob.pipeline.models.tokenizer import Encoded
from emojob.training.evaluation.calibration import softmax
from emojob.training.finetune import finish
from emojob.training.finetune.finish import calibrate
from emojob.training.finetune.watch import EncodedSplit


def part(labels: np.ndarray) -> EncodedSplit:
    rows = len(labels)
    return EncodedSplit(Encoded(np.zeros(rows, np.int32), np.arange(rows + 1), np.zeros(rows, bool)), labels)


NONE = part(np.zeros(0, np.int64))


@pytest.fixture
def predicted(monkeypatch):
    """Return a split, and let the model predict the given logits for this split."""
    logits_of: dict[int, np.ndarray] = {}

    def split(logits: np.ndarray, labels: np.ndarray) -> EncodedSplit:
        made = part(labels)
        logits_of[id(made.encoded)] = logits
        return made

    monkeypatch.setattr(finish, "predict_logits", lambda classifier, encoded: logits_of[id(encoded)])
    return split


def drawn(texts: int, factor: float, seed: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """(logits, labels); the probabilities are calibrated if the logits are divided by `factor`."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(texts, 3)).astype(np.float32)
    labels = (softmax(logits).cumsum(1) > rng.random((texts, 1))).argmax(1)
    return logits * np.float32(factor), labels


def test_calibration_without_held_out_texts_has_no_figures():
    calibration, probabilities = calibrate(None, NONE, NONE)
    assert (calibration.temperature, calibration.fitted_on, calibration.error_before) == (1.0, "none", None)
    assert calibration.summary() == "none, because no texts were held out"
    assert probabilities is None


def test_a_temperature_that_helps_is_used(predicted):
    logits, labels = drawn(2000, 3.0)
    calibration, probabilities = calibrate(None, predicted(logits, labels), predicted(logits, labels))
    assert calibration.temperature == calibration.fitted == pytest.approx(3, rel=0.2)
    assert calibration.log_loss_after < calibration.log_loss_before
    assert calibration.error_after < calibration.error_before
    np.testing.assert_allclose(probabilities, softmax(logits, calibration.temperature))
    assert calibration.summary().startswith("temperature ")


def test_a_temperature_that_does_not_help_is_not_used(predicted):
    used = 0
    for seed in range(40):
        logits, labels = drawn(40, 1.0, seed)  # already calibrated
        test_logits, test_labels = drawn(40, 1.0, seed + 1000)
        calibration, probabilities = calibrate(None, predicted(logits, labels), predicted(test_logits, test_labels))
        used += calibration.is_used
        assert calibration.is_used == (calibration.log_loss_after < calibration.log_loss_before)
        if not calibration.is_used:
            assert calibration.temperature == 1.0 != calibration.fitted
            assert "a temperature does not help on the validation split" in calibration.summary()
            np.testing.assert_allclose(probabilities, softmax(test_logits))
    assert used < 20


def test_few_texts_are_not_calibrated(predicted):
    calibration, _ = calibrate(None, predicted(*drawn(29, 3.0)), NONE)
    assert (calibration.temperature, calibration.fitted, calibration.texts) == (1.0, None, 29)
    assert calibration.summary() == "none, because the validation split has 29 texts, and 30 are needed"


def test_without_validation_the_test_split_is_used_in_halves(predicted):
    logits, labels = drawn(2000, 3.0)
    calibration, probabilities = calibrate(None, NONE, predicted(logits, labels))
    assert (calibration.fitted_on, calibration.is_used) == ("test", True)
    assert not np.allclose(probabilities, softmax(logits, calibration.temperature), atol=1e-6)
