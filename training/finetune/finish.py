"""Calibrate and measure a trained model, and write the files of the model folder."""

from __future__ import annotations

from collections.abc import Sequence
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
from emojob.training.evaluation.curves import Curves
from emojob.training.evaluation.intervals import FEWEST_FOR_CALIBRATION, FEWEST_TEXTS
from emojob.training.evaluation.metrics import Evaluation, calibration_error, evaluate, losses
from emojob.training.evaluation.page import write_page, write_pictures
from emojob.training.evaluation.predict import predict_logits
from emojob.training.evaluation.seen_texts import FILE as SEEN_FILE
from emojob.training.evaluation.seen_texts import SeenTexts, seen_as_json
from emojob.training.evaluation.words import Words, words_of
from emojob.training.finetune.base_model import Base
from emojob.training.finetune.checkpoints import TrainingState
from emojob.training.finetune.distributed import is_first
from emojob.training.finetune.model_card import trained_card
from emojob.training.finetune.watch import EncodedSplit, TrainingInputs

PAGE = "training.html"


@dataclass(frozen=True)
class Calibration:
    """Result of a calibration.

    A temperature is used only if it helps on texts on which it was not fitted. So the errors and the log-losses after
    calibration are computed from the probabilities that `cross_fitted` returns.

    Attributes:
        temperature: Number by which the model's logits are divided before the softmax; 1: no calibration.
        fitted_on: Split on which a temperature was fitted: validation, test or none.
        texts: Number of texts in this split.
        fitted: The fitted temperature. It is not used if it does not help. None: there are too few texts.
        error_before: Expected calibration error with temperature 1, on the texts of `fitted_on`. None: there are too
            few texts.
        error_after: Expected calibration error with fitted temperatures. None: there are too few texts.
        log_loss_before: Log-loss with temperature 1. None: there are too few texts.
        log_loss_after: Log-loss with fitted temperatures. None: there are too few texts.
    """

    temperature: float = 1.0
    fitted_on: str = "none"
    texts: int = 0
    fitted: float | None = None
    error_before: float | None = None
    error_after: float | None = None
    log_loss_before: float | None = None
    log_loss_after: float | None = None

    def summary(self, words: Words | None = None) -> str:
        """Return a one-line summary. `words` are the texts of the language, from `words_of`. None: English."""
        words = words or words_of("en")
        split = words.get(self.fitted_on, self.fitted_on)
        if not self.texts:
            return str(words["calibration_no_texts"])
        if self.fitted is None:
            return str(words["calibration_few"].format(split=split, texts=self.texts, fewest=FEWEST_TEXTS))
        effect = words["calibration_loss"].format(
            before=_shown(self.log_loss_before), after=_shown(self.log_loss_after)
        )
        if self.error_before is not None:
            effect += words["calibration_ece"].format(before=_shown(self.error_before), after=_shown(self.error_after))
        name = "calibration_used" if self.is_used else "calibration_unused"
        return str(words[name].format(split=split, effect=effect, temperature=f"{self.temperature:.4f}"))

    @property
    def is_used(self) -> bool:
        """Return whether the fitted temperature is used."""
        return self.fitted is not None and self.temperature == self.fitted


def _shown(figure: float | None) -> str:
    return "–" if figure is None else f"{figure:.3f}"


def _kept_epoch(inputs: TrainingInputs, state: TrainingState) -> list[str]:
    """Return a note if the training stopped early, or if the weights are not those of the last epoch."""
    done, best, recipe = len(state.curves.epoch), state.best_epoch, inputs.recipe
    if recipe.keep != "best" or not best:
        return []
    if done < recipe.epochs:
        return [
            f"training stopped early, after epoch {done} of {recipe.epochs}: no epoch was better than epoch {best} "
            f"(patience {recipe.patience}); the model has the weights of epoch {best}"
        ]
    return [f"the model has the weights of epoch {best} of {done}, which is the best one"] if best < done else []


def finish(
    out: Path,
    inputs: TrainingInputs,
    base: Base,
    state: TrainingState,
    made_with: dict[str, Any],
    seen: Sequence[SeenTexts],
    language: str = "en",
    page_warnings: Sequence[str] = (),
) -> tuple[Evaluation | None, tuple[str, ...]]:
    """Calibrate and measure a trained model, and write the model folder.

    The test split is measured here for the first time, unless the recipe says `test_each_epoch`. If the packages for
    drawing are missing, curves.png and training.html are not written, and a note explains why.

    Args:
        out: Path of the model folder.
        inputs: Data and recipe of the run.
        base: The trained classifier and its tokenizer.
        state: Final state of the training.
        made_with: Inputs of the run, to be stored in recipe.json, and `warnings` about the test split.
        seen: The texts that the model and its base models were trained on.
        language: Language of training.html: en or ko.
        page_warnings: The warnings about the test split, in this language.

    Returns:
        (metrics, notes for the user). The metrics are None if there is no test split.
    """
    classifier, notes = base.classifier, list[str]()
    notes += _kept_epoch(inputs, state)
    calibration, probabilities = calibrate(classifier, inputs.validation, inputs.test)
    if calibration.texts and not calibration.is_used:
        notes.append(f"calibration: {calibration.summary()}")
    evaluation = None if probabilities is None else evaluate(probabilities, inputs.test.labels, inputs.names)
    if not is_first():
        return evaluation, ()
    metrics = _metrics(inputs, state, calibration, evaluation)
    made_with = {**made_with, "versions": installed_versions()}
    facts = page_facts(made_with, calibration, words_of(language))
    notes += _write_page(out, state.curves, evaluation, facts, language, page_warnings)
    write_json(out / "recipe.json", made_with)
    write_json(out / SEEN_FILE, seen_as_json(seen))
    trained = Trained(classifier, base.shape, inputs.names, calibration.temperature, made_with["context"])
    card = trained_card(base.name, metrics, evaluation, calibration.summary(), made_with)
    write_model_folder(out, trained, base.tokenizer, metrics, card, torch.float32)
    return evaluation, tuple(notes)


def _write_page(
    out: Path,
    curves: Curves,
    evaluation: Evaluation | None,
    facts: dict[str, str],
    language: str,
    warnings: Sequence[str],
) -> list[str]:
    """Write curves.png and training.html. If the packages for drawing are missing, return a note instead."""
    try:
        check_drawable()
    except OptionError as error:
        return [f"curves.png and {PAGE} are not written: {error}"]
    write_pictures(out, curves)
    if evaluation:
        write_page(out / PAGE, out.name, evaluation, curves, facts, warnings=warnings, language=language)
    return []


def _metrics(
    inputs: TrainingInputs, state: TrainingState, calibration: Calibration, evaluation: Evaluation | None
) -> dict[str, Any]:
    """Return the content of metrics.json."""
    epochs = len(state.curves.epoch)
    kept = state.best_epoch if inputs.recipe.keep == "best" else epochs
    metrics: dict[str, Any] = {
        "epochs": epochs,
        "epoch_kept": kept,
        "validation": _validation(state.curves, kept, len(inputs.validation.labels)),
        "calibration": asdict(calibration),
        "curves": asdict(state.curves),
    }
    return metrics if evaluation is None else metrics | {"test": evaluation.as_json()}


def _validation(curves: Curves, epoch: int, texts: int) -> dict[str, float] | None:
    """Return the metrics on the validation split after an epoch; None if there is no validation split."""
    if not texts:
        return None
    at = epoch - 1
    return {
        "texts": texts,
        "macro_f1": curves.validation_macro_f1[at],
        "accuracy": curves.validation_accuracy[at],
        "log_loss": curves.validation_loss[at],
    }


def calibrate(
    classifier: Classifier, validation: EncodedSplit, test: EncodedSplit
) -> tuple[Calibration, NDArray[np.float32] | None]:
    """Fit the temperature on the validation split. If the validation split is empty, use the test split.

    The temperature is used only if it lowers the log-loss of texts on which it was not fitted. If there are enough
    texts to measure the calibration error, the temperature must not raise it either.

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
        calibration = _fitted(predict_logits(classifier, validation.encoded), validation.labels, "validation")
    elif test_logits is not None:
        calibration = _fitted(test_logits, test.labels, "test")
    else:
        calibration = Calibration()
    if test_logits is None:
        return calibration, None
    if calibration.fitted_on == "test" and calibration.is_used:
        return calibration, cross_fitted(test_logits, test.labels)
    return calibration, softmax(test_logits, calibration.temperature)


def _fitted(logits: NDArray[np.float32], labels: NDArray[np.int64], split: str) -> Calibration:
    """Return the calibration with the temperature that is fitted on a split, if the temperature helps."""
    texts = len(labels)
    if texts < FEWEST_TEXTS:
        return Calibration(1.0, split, texts)
    temperature = fit_temperature(logits, labels)
    before, after = softmax(logits), cross_fitted(logits, labels)
    loss_before, loss_after = (float(losses(one, labels).mean()) for one in (before, after))
    error_before = error_after = None
    helps = loss_after < loss_before
    if texts >= FEWEST_FOR_CALIBRATION:
        error_before, error_after = _error(before, labels), _error(after, labels)
        helps &= error_after <= error_before
    used = temperature if helps else 1.0
    return Calibration(used, split, texts, temperature, error_before, error_after, loss_before, loss_after)


def _error(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    return calibration_error(probabilities.max(1), probabilities.argmax(1) == labels)


def page_facts(made_with: dict[str, Any], calibration: Calibration, words: Words) -> dict[str, str]:
    """Return the facts for the HTML page as {name: text}: data, recipe and package versions."""
    parts, recipe = made_with["parts"], made_with["recipe"]["training"]
    counts = {name: f"{parts[name]:,}" for name in ("train", "validation", "test")}
    facts = {
        words["fact_base"]: str(made_with["base"]["name"] or words["default_base"]),
        words["fact_texts"]: words["parts"].format(**counts),
        words["fact_calibration"]: calibration.summary(words),
        words["fact_recipe"]: ", ".join(f"{name} {value}" for name, value in recipe.items()),
    }
    for file in made_with["data"]:
        facts[f"{words['fact_data']}: {file['name']}"] = words["fact_training_file"].format(
            kind=file["kind"], rows=f"{file['rows']:,}", sha256=file["sha256"]
        )
    facts[words["fact_versions"]] = ", ".join(f"{name} {version}" for name, version in made_with["versions"].items())
    return facts
