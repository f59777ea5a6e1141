"""The results of training: temperature, figures, pictures, page, card, recipe.json and the model folder."""

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
from emojob.training.evaluation.calibration import cross_fitted, fit_temperature, softmax
from emojob.training.evaluation.metrics import Evaluation, calibration_error, evaluate
from emojob.training.evaluation.page import write_page, write_pictures
from emojob.training.evaluation.predict import predict_logits
from emojob.training.finetune.base_model import Base
from emojob.training.finetune.checkpoints import TrainingState
from emojob.training.finetune.distributed import is_first
from emojob.training.finetune.model_card import trained_card
from emojob.training.finetune.watch import EncodedSplit, TrainingInputs

PAGE = "training.html"


@dataclass(frozen=True)
class Calibration:
    """A temperature, and the expected calibration error without and with it.

    Attributes:
        temperature: Divides the logits before the softmax.
        fitted_on: Part of the data: validation, test or none. If it is test, `error_after` is cross-fitted.
        error_before: Error with temperature 1; None if no texts were held out.
        error_after: Error with the temperature, on texts it was not fitted on; None if no texts were held out.
    """

    temperature: float
    fitted_on: str
    error_before: float | None
    error_after: float | None

    def summary(self) -> str:
        """Return one line for the card and the page."""
        if self.fitted_on == "none":
            return "none, because no texts were held out"
        return (
            f"temperature {self.temperature:.4f}, fitted on the {self.fitted_on} part; expected calibration error "
            f"{self.error_before:.3f} before, {self.error_after:.3f} after"
        )


def finish(
    out: Path, inputs: TrainingInputs, base: Base, state: TrainingState, context: str, made_with: dict[str, Any]
) -> tuple[Evaluation | None, tuple[str, ...]]:
    """Calibrate a trained model, measure it on the test part, and write the model folder.

    Args:
        out: The model folder.
        inputs: The run's data and recipe.
        base: The trained classifier with its tokenizer.
        state: The final state of training.
        context: none or previous.
        made_with: The run's inputs, for recipe.json.

    Returns:
        The figures (None without a test part), and notes for the user. A note says so if the packages for drawing are
        missing; the pictures and the page are then left out.
    """
    classifier, notes = base.classifier, []
    calibration, probabilities = calibrate(classifier, inputs.validation, inputs.test)
    evaluation = None
    epochs = len(state.curves.epoch)
    metrics: dict[str, Any] = {
        "epochs": epochs,
        "epoch_kept": state.best_epoch if inputs.recipe.keep == "best" else epochs,
        "calibration": asdict(calibration),
        "curves": asdict(state.curves),
    }
    if probabilities is not None:
        evaluation = evaluate(probabilities, inputs.test.labels, inputs.names)
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
            write_page(out / PAGE, out.name, evaluation, state.curves, page_facts(made_with, calibration))
    write_json(out / "recipe.json", made_with)
    trained = Trained(classifier, base.shape, inputs.names, calibration.temperature, context)
    card = trained_card(base.name, metrics, calibration.summary(), made_with)
    write_model_folder(out, trained, base.tokenizer, metrics, card, torch.float32)
    return evaluation, tuple(notes)


def calibrate(
    classifier: Classifier, validation: EncodedSplit, test: EncodedSplit
) -> tuple[Calibration, NDArray[np.float32] | None]:
    """Fit the temperature on the validation part, or on the test part if there is no validation part.

    Args:
        classifier: The trained model.
        validation: The validation part, maybe empty.
        test: The test part, maybe empty.

    Returns:
        The calibration, and the test part's probabilities float32 [texts, classes]. They are cross-fitted if the
        temperature is fitted on the test part, and None if the test part is empty.
    """
    test_logits = predict_logits(classifier, test.encoded) if len(test.labels) else None
    if len(validation.labels):
        validation_logits = predict_logits(classifier, validation.encoded)
        temperature = fit_temperature(validation_logits, validation.labels)
        if test_logits is None:
            logits, labels = validation_logits, validation.labels
        else:
            logits, labels = test_logits, test.labels
        after, fitted_on = softmax(logits, temperature), "validation"
    elif test_logits is not None:
        logits, labels = test_logits, test.labels
        temperature = fit_temperature(logits, labels)
        after, fitted_on = cross_fitted(logits, labels), "test"
    else:
        return Calibration(1.0, "none", None, None), None
    calibration = Calibration(temperature, fitted_on, _error(softmax(logits), labels), _error(after, labels))
    return calibration, None if test_logits is None else after


def _error(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    return calibration_error(probabilities.max(1), probabilities.argmax(1) == labels)


def page_facts(made_with: dict[str, Any], calibration: Calibration) -> dict[str, str]:
    """Return the page's facts about data, recipe and versions, by name."""
    parts, recipe = made_with["parts"], made_with["recipe"]["training"]
    facts = {
        "base": str(made_with["base"]["name"] or "the encoder that ships with emojob"),
        "texts": f"{parts['train']:,} for training, {parts['validation']:,} for validation, {parts['test']:,} for test",
        "calibration": calibration.summary(),
        "recipe": ", ".join(f"{name} {value}" for name, value in recipe.items()),
    }
    for file in made_with["data"]:
        facts[f"data: {file['name']}"] = f"{file['rows']:,} rows as {file['kind']}, sha256 {file['sha256']}"
    facts["versions"] = ", ".join(f"{name} {version}" for name, version in made_with["versions"].items())
    return facts
