"""Run `emojob train`: read annotated utterances, fine-tune a model, and write the model folder."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emojob.pipeline.inference.engine_choice import choices
from emojob.pipeline.models.model_folder import hash_weights
from emojob.pipeline.storage.permissions import limit_permissions
from emojob.pipeline.system.hardware import detect
from emojob.schemas.errors import ModelError, OptionError
from emojob.schemas.options import SHORTEST_PAIR, ModelOptions
from emojob.training.data.annotated import Annotated
from emojob.training.data.label_map import read_label_map
from emojob.training.evaluation.metrics import Evaluation
from emojob.training.evaluation.seen_texts import read_seen_texts, warnings_about
from emojob.training.evaluation.words import words_of
from emojob.training.finetune import folder
from emojob.training.finetune.base_model import Base, load_base
from emojob.training.finetune.distributed import is_first
from emojob.training.finetune.finish import finish
from emojob.training.finetune.options import TrainOptions, tracker_errors, trackers
from emojob.training.finetune.recipe import TrainRecipe, with_steps
from emojob.training.finetune.trainer import train
from emojob.training.finetune.training_data import TrainingData, read_training_data
from emojob.training.finetune.watch import Callbacks, EncodedSplit, TrainingInputs


@dataclass(frozen=True)
class Outcome:
    """Result of a training run.

    Attributes:
        folder: Path of the model folder.
        was_finished: Whether the model was already finished. If true, this run did nothing.
        evaluation: Metrics on the test split. None: there is no test split, or `was_finished` is true.
        notes: Messages to the user.
    """

    folder: Path
    was_finished: bool
    evaluation: Evaluation | None = None
    notes: tuple[str, ...] = ()


def train_model(options: TrainOptions, recipe: TrainRecipe, callbacks: Callbacks | None = None) -> Outcome:
    """Fine-tune a model and write the model folder, or resume an interrupted run.

    With torchrun, each process calls this function. Only the first process writes files.

    Args:
        options: Files, base model and model folder.
        recipe: Settings of the training.
        callbacks: Functions for progress and messages, and an object for stopping the training.

    Raises:
        InputError: The data, the base model, the recipe or the folder cannot be used.
        BusyError: Another run uses the model folder.
        Interrupted: The training was stopped with `callbacks.stop`.
    """
    callbacks = callbacks or Callbacks()
    report_to = trackers(options.report_to)
    data = read_training_data(options, recipe)
    recipe = with_steps(recipe, len(data.parts.train))
    base = load_base(options.base, data.annotated.names, recipe.training.seed)
    made_with = _made_with(options, recipe, data, base)
    with limit_permissions([*options.data, *options.test]), folder.lock_folder(options.out):
        if folder.begin_or_resume(options.out, made_with, options.fresh):
            if is_first():  # a killed run may have left checkpoints
                folder.remove_checkpoints(options.out)
            return Outcome(options.out, was_finished=True)
        seen = data.seen_texts(options.corpus.context)
        before = [replace(one, by=one.by or base.name) for one in read_seen_texts(base.folder)]
        warnings = warnings_about(before, data.tested(), "this model")
        for note in (*data.notes(), *base.notes, *warnings):
            callbacks.note(note)
        inputs = replace(_training_inputs(options, recipe, data, base), report_to=report_to)
        with tracker_errors():
            state = train(base.classifier, inputs, callbacks)
        words = words_of(options.language)
        evaluation, notes = finish(
            options.out, inputs, base, state, {**made_with, "warnings": warnings}, [seen, *before], options.language,
            warnings_about(before, data.tested(), words["this_model"], words),
        )  # fmt: skip
        if is_first():
            folder.remove_checkpoints(options.out)
        return Outcome(options.out, was_finished=False, evaluation=evaluation, notes=notes)


def _made_with(options: TrainOptions, recipe: TrainRecipe, data: TrainingData, base: Base) -> dict[str, Any]:
    """Return the inputs of the run, which are stored in recipe.json. A resumed run must have the same inputs."""
    maps = {role: read_label_map(getattr(options, role)) for role in ("label_map", "test_label_map")}
    return {
        "recipe": recipe.as_dict(),
        "base": {"name": options.base, "sha256": hash_weights(base.classifier.state_dict())},
        "labels": list(data.annotated.names),
        **{role: label_map and label_map.as_table() for role, label_map in maps.items()},
        "context": options.corpus.context,
        "columns": {key: value for key, value in asdict(options.corpus).items() if key.endswith("column")},
        "encoding": options.corpus.encoding,
        "data": [asdict(file) for corpus in data.corpora for file in corpus.files],
        "counts": asdict(data.annotated.counts),
        "parts": {
            "train": len(data.parts.train),
            "validation": len(data.parts.validation),
            "test": len(data.parts.test),
            "dropped": data.parts.dropped,
        },
        "texts_sha256": data.sha256(),
    }


def _training_inputs(options: TrainOptions, recipe: TrainRecipe, data: TrainingData, base: Base) -> TrainingInputs:
    """Encode the texts of the train, validation and test splits, and select the device and the precision."""
    _check_fit(options.corpus.context, recipe, base)
    wanted = ModelOptions(device=options.device, engine="torch", precision=recipe.training.precision)
    choice = choices(wanted, detect())[0]

    def encoded(annotated: Annotated, rows: NDArray[np.int64]) -> EncodedSplit:
        texts, max_length = annotated.take(rows), recipe.training.max_length
        if options.corpus.context == "none":
            return EncodedSplit(base.tokenizer.encode(texts.texts, max_length), texts.labels)
        return EncodedSplit(base.tokenizer.encode_with_previous(texts.texts, texts.previous, max_length), texts.labels)

    return TrainingInputs(
        train=encoded(data.annotated, data.parts.train),
        validation=encoded(data.annotated, data.parts.validation),
        test=encoded(data.test_texts, data.parts.test),
        names=data.annotated.names,
        recipe=recipe.training,
        work=options.out / folder.WORK,
        device=choice.device,
        bf16=choice.precision == "bf16",
    )


def _check_fit(context: str, recipe: TrainRecipe, base: Base) -> None:
    """Raise an error if the base model, the context and `training.max_length` do not fit together."""
    max_length, shape = recipe.training.max_length, base.shape
    if max_length > shape.max_positions:
        raise OptionError(
            f"recipe: training.max_length is {max_length}, but {base.name} reads at most {shape.max_positions} tokens; "
            f"set training.max_length to {shape.max_positions} or less"
        )
    if context == "previous" and max_length < SHORTEST_PAIR:
        raise OptionError(
            f"recipe: training.max_length is {max_length}, but --context previous needs at least {SHORTEST_PAIR} "
            f"tokens; set training.max_length to {SHORTEST_PAIR} or more"
        )
    if context == "previous" and shape.type_vocab_size < 2:
        raise ModelError(
            f"--context previous needs a base model with 2 segments, but type_vocab_size of {base.name} is "
            f"{shape.type_vocab_size}; give another model with --base, or give --context none"
        )
