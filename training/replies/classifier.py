"""Fine-tunes a classifier over the categories of an answer book, and writes it as a model folder."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from emojob.pipeline.inference.engine_choice import choices
from emojob.pipeline.models.model_folder import hash_weights
from emojob.pipeline.models.saving import Trained, write_model_folder
from emojob.pipeline.system.hardware import detect
from emojob.schemas.errors import DataError
from emojob.schemas.options import ModelOptions
from emojob.training.data.splits import Split
from emojob.training.evaluation.predict import predict_logits
from emojob.training.finetune import folder
from emojob.training.finetune.base_model import Base, load_base
from emojob.training.finetune.finish import calibrate
from emojob.training.finetune.recipe import FEWEST_LOGGED, TrainingRecipe, read_train_recipe
from emojob.training.finetune.trainer import train
from emojob.training.finetune.watch import Callbacks, EncodedSplit, TrainingInputs
from emojob.training.replies.pairs import Pairs

# Settings that differ from the default recipe of `emojob train`. There are many categories with a few questions each.
_COMMON = {"epochs": 20, "class_weights": 0.0, "label_smoothing": 0.1, "patience": 4}
_SMALL_BASE = {"batch": 16, "learning_rate": 8e-4, "layer_decay": 1.0}
_LARGE_BASE = {"batch": 32, "learning_rate": 1e-4, "layer_decay": 0.95}

#: Hidden size from which a base model counts as large.
_LARGE = 512


@dataclass(frozen=True)
class CategoryOptions:
    """Options of the fine-tuning.

    Attributes:
        base: Path of a model folder, or a name on the Hugging Face hub. None: the default model of the package.
        device: auto, cpu or cuda.
        changes: Settings of `TrainingRecipe` that replace ours, such as {"epochs": 3}.
    """

    base: str | None = None
    device: str = "auto"
    changes: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True)
class CategoryTraining:
    """A classifier over categories that is ready for training.

    Attributes:
        made_with: Inputs of the training. A resumed training must have the same inputs.
    """

    pairs: Pairs
    parts: Split
    base: Base
    recipe: TrainingRecipe
    device: str
    bf16: bool
    made_with: dict[str, Any]

    def train(self, out: Path, callbacks: Callbacks | None = None) -> bool:
        """Fine-tune the classifier and write the model folder, or resume an interrupted run.

        Args:
            out: The model folder.
            callbacks: Functions for progress and messages, and an object for stopping the training.

        Returns:
            Whether the folder already held the finished model, so that nothing was done.

        Raises:
            OutputError: The folder cannot be used.
            BusyError: Another run uses the folder.
            Interrupted: The training was stopped with `callbacks.stop`.
        """
        callbacks = callbacks or Callbacks()
        with folder.lock_folder(out):
            if folder.begin_or_resume(out, self.made_with, fresh=False):
                folder.remove_checkpoints(out)
                return True
            for note in self.base.notes:
                callbacks.note(note)
            inputs = _inputs(self, out)
            train(self.base.classifier, inputs, callbacks)
            _write(out, inputs, self.base, self.made_with)
            folder.remove_checkpoints(out)
        return False


def prepare_categories(pairs: Pairs, parts: Split, options: CategoryOptions) -> CategoryTraining:
    """Load the base and check the data and the options. Nothing is written.

    The labels are the categories of all pairs, in the order of `pairs`.

    Args:
        pairs: Pairs that all have a category.
        parts: Numbers of the pairs for training and validation, from `split_questions`.
        options: Base model, device and settings.

    Raises:
        DataError: There are fewer than two categories, or no pair is left for training.
        InputError: The base model or a setting cannot be used.
    """
    names = _names(pairs)
    if len(names) < 2 or not pairs.has_categories or not len(parts.train):
        raise DataError(
            f"the data has {len(names)} categories and {len(parts.train)} questions for training, but a classifier "
            "needs two categories; give more data, or data without a column of categories"
        )
    recipe = read_train_recipe().training
    choice = choices(ModelOptions(device=options.device, engine="torch", precision=recipe.precision), detect())[0]
    base = load_base(options.base, names, recipe.seed)
    recipe = _fitting(recipe, base, parts, options.changes)
    made_with = _made_with(pairs, parts, options, recipe, base)
    return CategoryTraining(pairs, parts, base, recipe, choice.device, choice.precision == "bf16", made_with)


def _names(pairs: Pairs) -> tuple[str, ...]:
    return tuple(dict.fromkeys(pair.category or "" for pair in pairs.pairs))


def _fitting(recipe: TrainingRecipe, base: Base, parts: Split, changes: dict[str, Any]) -> TrainingRecipe:
    """Return the settings for a base model and for the number of questions."""
    sized = _LARGE_BASE if base.shape.hidden_size >= _LARGE else _SMALL_BASE
    changes = {**_COMMON, **sized, "max_length": min(recipe.max_length, base.shape.max_positions), **changes}
    if not len(parts.validation):
        changes |= {"keep": "last", "patience": 0}
    recipe = dataclasses.replace(recipe, **changes)
    steps = recipe.epochs * -(-len(parts.train) // recipe.batch)
    return dataclasses.replace(recipe, log_every=max(1, min(recipe.log_every, steps // FEWEST_LOGGED)))


def _made_with(
    pairs: Pairs, parts: Split, options: CategoryOptions, recipe: TrainingRecipe, base: Base
) -> dict[str, Any]:
    """Return the inputs of the run. A resumed run must have the same inputs."""
    rows = [[pair.question, pair.category] for pair in pairs.pairs]
    splits = [part.tolist() for part in (parts.train, parts.validation)]
    return {
        "recipe": {"training": dataclasses.asdict(recipe)},
        "base": {"name": options.base, "sha256": hash_weights(base.classifier.state_dict())},
        "texts_sha256": hashlib.sha256(json.dumps([rows, splits]).encode()).hexdigest(),
    }


def _inputs(training: CategoryTraining, out: Path) -> TrainingInputs:
    names = _names(training.pairs)
    numbers = {name: number for number, name in enumerate(names)}

    def encoded(rows: NDArray[np.int64]) -> EncodedSplit:
        some = [training.pairs.pairs[row] for row in rows.tolist()]
        labels = np.array([numbers[pair.category or ""] for pair in some], np.int64)
        questions = [pair.question for pair in some]
        return EncodedSplit(training.base.tokenizer.encode(questions, training.recipe.max_length), labels)

    return TrainingInputs(
        train=encoded(training.parts.train),
        validation=encoded(training.parts.validation),
        test=encoded(training.parts.test),
        names=names,
        recipe=training.recipe,
        work=out / folder.WORK,
        device=training.device,
        bf16=training.bf16,
        report_to=["none"],
    )


def _write(out: Path, inputs: TrainingInputs, base: Base, made_with: dict[str, Any]) -> None:
    """Calibrate the trained classifier, and write the model folder."""
    calibration, _ = calibrate(base.classifier, inputs.validation, inputs.test)
    measured = {
        name: _accuracies(predict_logits(base.classifier, split.encoded), split.labels)
        for name, split in (("validation", inputs.validation), ("test", inputs.test))
        if len(split.labels)
    }
    trained = Trained(base.classifier, base.shape, inputs.names, calibration.temperature)
    card = (
        f"# Categories of questions\n\nA classifier over {len(inputs.names):,} categories of an answer book, made with "
        f"`emojob train-replies` from {base.name} and {len(inputs.train.labels):,} questions. The bot uses it to find "
        "the category of a question.\n"
    )
    write_model_folder(out, trained, base.tokenizer, {**measured, "made_with": made_with}, card, torch.float32)


def _accuracies(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> dict[str, float]:
    """Return the number of texts, and the shares of texts whose label is the best one and among the three best."""
    order = np.argsort(-logits, axis=1, kind="stable")
    hits = order == labels[:, None]
    return {"texts": len(labels), "top_1": float(hits[:, :1].any(1).mean()), "top_3": float(hits[:, :3].any(1).mean())}
