"""Calibrate and measure a trained model, and write the files of the model folder."""

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
    """Result of a calibration.

    Attributes:
        temperature: Number by which the logits are divided before the softmax.
        fitted_on: Split on which the temperature is fitted: validation, test or none.
        error_before: Expected calibration error with temperature 1. None: there are no held-out texts.
        error_after: Expected calibration error with `temperature`. None: there are no held-out texts. If `fitted_on` is
            test, the error is computed from the probabilities that `cross_fitted` returns.
    """

    temperature: float
    fitted_on: str
    error_before: float | None
    error_after: float | None

    def summary(self) -> str:
        """Return a one-line summary for the model card and the HTML page."""
        if self.fitted_on == "none":
            return "none, because no texts were held out"
        return (
            f"temperature {self.temperature:.4f}, fitted on the {self.fitted_on} split; expected calibration error "
            f"{self.error_before:.3f} before calibration, {self.error_after:.3f} after calibration"
        )


def finish(
    out: Path, inputs: TrainingInputs, base: Base, state: TrainingState, context: str, made_with: dict[str, Any]
) -> tuple[Evaluation | None, tuple[str, ...]]:
    """Calibrate and measure a trained model, and write the model folder.

    If the packages for drawing are missing, curves.png and training.html are not written, and a note explains why.

    Args:
        out: Path of the model folder.
        inputs: Data and recipe of the run.
        base: The trained classifier and its tokenizer.
        state: Final state of the training.
        context: Value of --context: none or previous.
        made_with: Inputs of the run, to be stored in recipe.json.

    Returns:
        (metrics, notes for the user). The metrics are None if there is no test split.
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
        notes.append(f"curves.png and {PAGE} are not written: {error}")
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
    """Fit the temperature on the validation split. If the validation split is empty, use the test split.

    Args:
        classifier: The trained model.
        validation: The validation split; may be empty.
        test: The test split; may be empty.

    Returns:
        (calibration, probabilities of the test split). The probabilities are float32 [texts, classes], or None if the
        test split is empty. If the temperature is fitted on the test split, the probabilities come from `cross_fitted`.
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
    """Return the facts for the HTML page as {name: text}: data, recipe and package versions."""
    parts, recipe = made_with["parts"], made_with["recipe"]["training"]
    facts = {
        "base": str(made_with["base"]["name"] or "emojob's default model"),
        "texts": f"{parts['train']:,} for training, {parts['validation']:,} for validation, {parts['test']:,} for test",
        "calibration": calibration.summary(),
        "recipe": ", ".join(f"{name} {value}" for name, value in recipe.items()),
    }
    for file in made_with["data"]:
        facts[f"data: {file['name']}"] = f"{file['kind']}, {file['rows']:,} rows, SHA-256 {file['sha256']}"
    facts["versions"] = ", ".join(f"{name} {version}" for name, version in made_with["versions"].items())
    return facts
