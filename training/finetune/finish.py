"""What training leaves behind: temperature, figures, pictures, card, recipe, and the model folder around them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from emojob.pipeline.html.page import check_drawable
from emojob.pipeline.models.bert import Classifier
from emojob.pipeline.models.saving import Trained, write_model_folder
from emojob.pipeline.storage.atomic import write_json
from emojob.pipeline.system.versions import installed_versions
from emojob.schemas.errors import OptionError
from emojob.training.default_model.multitask import predict
from emojob.training.evaluation.calibration import cross_fitted, fit_temperature, softmax
from emojob.training.evaluation.metrics import Evaluation, calibration_error, evaluate
from emojob.training.evaluation.page import write_page, write_pictures
from emojob.training.finetune.base_model import Base
from emojob.training.finetune.checkpoints import State
from emojob.training.finetune.folder import is_first
from emojob.training.finetune.model_card import trained_card
from emojob.training.finetune.watch import EncodedSplit, TrainingInputs

PAGE = "training.html"


@dataclass(frozen=True)
class Calibration:
    """A temperature, and the expected calibration error without and with it, on texts that it was not fitted on.

    fitted_on: validation, test (then the error with it is cross-fitted, half by half) or none (then nothing is known).
    """

    temperature: float
    fitted_on: str
    error_before: float | None
    error_after: float | None

    def summary(self) -> str:
        """One line."""
        if self.fitted_on == "none":
            return "none, since no texts were held out"
        return (
            f"temperature {self.temperature:.4f}, fitted on the {self.fitted_on} part; expected calibration error "
            f"{self.error_before:.3f} before, {self.error_after:.3f} after"
        )


def finish(
    out: Path, run: TrainingInputs, base: Base, state: State, context: str, made_with: dict[str, Any]
) -> tuple[Evaluation | None, tuple[str, ...]]:
    """Calibrate, measure on the test part, and write the model folder; returns the figures, and notes for the user.

    Where the packages that draw are not installed, pictures and page are left out, and a note says so.
    """
    classifier, notes = base.classifier, []
    calibration, probabilities = calibrate(classifier, run.validation, run.test)
    evaluation = None
    metrics: dict[str, Any] = {
        "epochs": len(state.curves.epoch),
        "epoch_kept": state.best_epoch if run.recipe.keep == "best" else len(state.curves.epoch),
        "calibration": asdict(calibration),
        "curves": asdict(state.curves),
    }
    if probabilities is not None:
        evaluation = evaluate(probabilities, run.test.labels, run.names)
        metrics["test"] = evaluation.as_json()
    if not is_first():
        return evaluation, ()
    made_with = {**made_with, "versions": installed_versions()}
    try:
        check_drawable()
    except OptionError as error:
        notes.append(f"no pictures and no page: {error}")
    else:
        write_pictures(out, state.curves)
        if evaluation:
            write_page(out / PAGE, out.name, evaluation, state.curves, facts(made_with, calibration))
    write_json(out / "recipe.json", made_with)
    trained = Trained(classifier, base.shape, run.names, calibration.temperature, context)
    card = trained_card(base.name, metrics, calibration.summary(), made_with)
    write_model_folder(out, trained, base.tokenizer, metrics, card, torch.float32)
    return evaluation, tuple(notes)


def calibrate(
    classifier: Classifier, validation: EncodedSplit, test: EncodedSplit
) -> tuple[Calibration, NDArray[np.float32] | None]:
    """Fit the temperature on the validation part, or on the test part where there is no other.

    Returns the test part's probabilities as well: float32 [texts, classes], cross-fitted where the temperature is the
    test part's own; None where that part is empty.
    """
    tested = predict(classifier, test.encoded) if len(test.labels) else None
    if len(validation.labels):
        validated = predict(classifier, validation.encoded)
        temperature = fit_temperature(validated, validation.labels)
        logits, labels = (validated, validation.labels) if tested is None else (tested, test.labels)
        after, fitted_on = softmax(logits, temperature), "validation"
    elif tested is not None:
        logits, labels = tested, test.labels
        temperature = fit_temperature(logits, labels)
        after, fitted_on = cross_fitted(logits, labels), "test"
    else:
        return Calibration(1.0, "none", None, None), None
    calibration = Calibration(temperature, fitted_on, _error(softmax(logits), labels), _error(after, labels))
    return calibration, None if tested is None else after


def _error(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    return calibration_error(probabilities.max(1), probabilities.argmax(1) == labels)


def facts(made_with: dict[str, Any], calibration: Calibration) -> dict[str, str]:
    """What the page says of how the model was made, by name."""
    parts, recipe = made_with["parts"], made_with["recipe"]["training"]
    said = {
        "base": str(made_with["base"]["name"] or "the encoder that comes with emojob"),
        "texts": (
            f"{parts['train']:,} to learn from, {parts['validation']:,} to choose by, {parts['test']:,} to measure on"
        ),
        "calibration": calibration.summary(),
        "recipe": ", ".join(f"{name} {value}" for name, value in recipe.items()),
    }
    for file in made_with["data"]:
        said[f"data: {file['name']}"] = f"{file['rows']:,} rows as {file['kind']}, sha256 {file['sha256']}"
    said["versions"] = ", ".join(f"{name} {version}" for name, version in made_with["versions"].items())
    return said
