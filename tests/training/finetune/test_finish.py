"""Calibration after training."""

import numpy as np

from emojob.pipeline.models.tokenizer import Encoded
from emojob.training.finetune.finish import calibrate
from emojob.training.finetune.watch import EncodedSplit


def test_calibration_without_held_out_texts_has_no_figures():
    none = EncodedSplit(Encoded(np.zeros(0, np.int32), np.zeros(1, np.int64), np.zeros(0, bool)), np.zeros(0, np.int64))
    calibration, probabilities = calibrate(None, none, none)
    assert (calibration.temperature, calibration.fitted_on, calibration.error_before) == (1.0, "none", None)
    assert probabilities is None
