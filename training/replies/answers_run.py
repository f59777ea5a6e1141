"""Trains the way `answers` of a bot: the classifier over the categories, the encoder of texts, and the answer book."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.models import model
from emojob.pipeline.models.saving import Trained, write_model_folder
from emojob.pipeline.replies.answers.choice import AnswersWay, fit_encoder
from emojob.pipeline.replies.answers.tones import with_tones
from emojob.pipeline.replies.bot_folder import MODEL_FOLDER, WAY_FILE, write_answers
from emojob.pipeline.replies.configuration import read_configuration
from emojob.pipeline.storage import atomic
from emojob.pipeline.storage.paths import make_folder, remove_all
from emojob.schemas.errors import OutputError
from emojob.schemas.messages import counted
from emojob.training.data.splits import Split
from emojob.training.finetune.base_model import load_base
from emojob.training.finetune.watch import Callbacks
from emojob.training.replies.answer_measures import AnswersMeasures, measure_answers, tone_agreement
from emojob.training.replies.classifier import CategoryOptions, train_categories
from emojob.training.replies.pairs import Pairs, to_book

_UNUSED_LABELS = ("encoder", "unused")  # an encoder without categories has a head that nobody uses


@dataclass(frozen=True)
class AnswersOutcome:
    """Result of `train_answers`.

    Attributes:
        was_finished: Whether the way was there already, made from the same data and options.
        measures: Measures on held-out questions; empty if `was_finished` is true.
        notes: Messages to the user.
    """

    was_finished: bool
    measures: dict[str, Any]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class AnswersOptions:
    """Options of the training.

    Attributes:
        base: Model with the encoder. None: the default model.
        device: auto, cpu or cuda.
        epochs: Number of epochs of the classifier. None: as its recipe says.
        fresh: Whether to delete an earlier result and start again.
    """

    base: str | None = None
    device: str = "auto"
    epochs: int | None = None
    fresh: bool = False


def train_answers(
    pairs: Pairs,
    parts: Split,
    folder: Path,
    options: AnswersOptions,
    prompts: Sequence[tuple[str, str]],
    callbacks: Callbacks,
) -> AnswersOutcome:
    """Train the way `answers`, or resume an interrupted training.

    Args:
        pairs: All pairs. Their questions and answers become the answer book.
        parts: Numbers of the pairs for training, validation and the measures.
        folder: Folder of the way; created if missing.
        options: Base, device and epochs.
        prompts: (text, emotion) of texts that measure the tone.
        callbacks: Functions for progress and messages, and an object for stopping the training.

    Raises:
        OutputError: The folder has the way of other data or options.
        InputError: The data or the base cannot be used.
        BusyError: Another run uses the folder.
        Interrupted: The training was stopped with `callbacks.stop`.
    """
    make_folder(folder)
    made_with = _made_with(pairs, options)
    if _is_finished(folder, made_with, options.fresh):
        return AnswersOutcome(True, {})
    has_classifier = _train_model(pairs, parts, folder, options, callbacks)
    own = folder / MODEL_FOLDER
    encoder_model = model.load(str(own) if own.is_dir() else None)
    scorer = Scorer.load(str(own), note=callbacks.note, precision="fp32") if has_classifier else None
    measures, use_classifier = _measure(pairs, parts, encoder_model, scorer)
    callbacks.note("writing the answer book")
    book = to_book(pairs)
    encoder, vectors = fit_encoder(encoder_model, book)
    book = with_tones(book, encoder)
    way = AnswersWay(book, encoder, scorer if use_classifier else None, vectors)
    write_answers(folder, book, way)
    measures["tone_agreement"] = _tone_agreement(way, prompts)
    atomic.write_json(folder / WAY_FILE, {"made_with": made_with, "classifier": use_classifier})
    return AnswersOutcome(False, measures, _notes(pairs, has_classifier, use_classifier, measures))


def _made_with(pairs: Pairs, options: AnswersOptions) -> dict[str, Any]:
    """Return the inputs of the run. A run with the same inputs does nothing."""
    rows = [[one.question, one.answer, one.category] for one in pairs.pairs]
    texts = json.dumps([rows, sorted(pairs.answers.items())])
    return {
        "base": options.base,
        "epochs": options.epochs,
        "pairs_sha256": hashlib.sha256(texts.encode("utf-8", "surrogatepass")).hexdigest(),
    }


def _is_finished(folder: Path, made_with: dict[str, Any], fresh: bool) -> bool:
    """Return whether the folder has the finished way of the same inputs. With `fresh`, remove what is there."""
    file = folder / WAY_FILE
    if fresh:
        remove_all([file])
        return False
    recorded = atomic.read_json(file)
    if not recorded:
        return False
    if recorded.get("made_with") != made_with:
        raise OutputError(
            f"-o {folder.parent} has an answer book from other data or options; give another folder with -o, or add "
            "--fresh to replace it"
        )
    return True


def _train_model(pairs: Pairs, parts: Split, folder: Path, options: AnswersOptions, callbacks: Callbacks) -> bool:
    """Make the model folder, if the way needs one. Return whether it is a classifier over the categories."""
    categories = {one.category for one in pairs.pairs}
    if pairs.has_categories and len(categories) > 1:
        changes = {} if options.epochs is None else {"epochs": options.epochs}
        wanted = CategoryOptions(options.base, options.device, options.fresh, changes)
        train_categories(pairs, parts, folder / MODEL_FOLDER, wanted, callbacks)
        return True
    if options.base is not None and (options.fresh or not (folder / MODEL_FOLDER / "config.json").exists()):
        base = load_base(options.base, _UNUSED_LABELS, 0)
        trained = Trained(base.classifier, base.shape, _UNUSED_LABELS, 1.0)
        card = f"# Encoder of questions\n\nThe encoder of {base.name}, for `emojob reply`. Its labels mean nothing.\n"
        write_model_folder(folder / MODEL_FOLDER, trained, base.tokenizer, {}, card, torch.float32)
    return False


def _measure(
    pairs: Pairs, parts: Split, encoder_model: model.Model, scorer: Scorer | None
) -> tuple[dict[str, Any], bool]:
    """Return (measures on the held-out questions, whether the category is found at least as often with the classifier).

    The held-out questions are not in the book that is measured.
    """
    held_out = pairs.take(parts.test)
    book = to_book(pairs.take(np.union1d(parts.train, parts.validation)))
    encoder, vectors = fit_encoder(encoder_model, book)
    way, least = AnswersWay(book, encoder, vectors=vectors), read_configuration().answers.least_score
    by_questions = measure_answers(way, held_out, least)
    if scorer is None:
        return _as_json(by_questions, None), False
    with_classifier = measure_answers(AnswersWay(book, encoder, scorer, way.vectors), held_out, least)
    use = (with_classifier.top_1 or 0) >= (by_questions.top_1 or 0)
    return _as_json(by_questions, with_classifier), use


def _as_json(by_questions: AnswersMeasures, with_classifier: AnswersMeasures | None) -> dict[str, Any]:
    found: dict[str, Any] = {"nearest_questions": by_questions.as_json()}
    if with_classifier is not None:
        names = ("drafted", "top_1", "top_3")
        found["classifier"] = {name: getattr(with_classifier, name) for name in names}
    return found


def _tone_agreement(way: AnswersWay, prompts: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return the share of prompts whose answer has the tone that suits the emotion."""
    texts, emotions = [text for text, _ in prompts], [emotion for _, emotion in prompts]
    predicted = Scorer.load(precision="fp32").score(texts).labels
    configuration = read_configuration()
    tones = {emotion: configuration.of(emotion).tone for emotion in (*emotions, *predicted)}
    return {"prompts": len(prompts), "share": tone_agreement(way, texts, emotions, predicted, tones)}


def _notes(pairs: Pairs, has_classifier: bool, use_classifier: bool, measures: dict[str, Any]) -> tuple[str, ...]:
    notes = []
    if has_classifier and not use_classifier:
        notes.append(
            "the nearest questions find the category of the held-out questions more often without the classifier, so "
            "the bot does not use the classifier"
        )
    held_out = measures["nearest_questions"]["held_out"]
    if not held_out:
        notes.append("the data is too small to hold out questions, so how well the bot finds answers is not measured")
    elif len({one.category for one in pairs.pairs}) == 1 and pairs.has_categories:
        notes.append("there is only one category, so how well the bot finds the category is not measured")
    elif not measures["nearest_questions"]["retrieval"]["questions"]:
        notes.append(
            f"no answer to the {counted(held_out, 'held-out question')} is also the answer to another question, so how "
            "well the bot finds answers is not measured"
        )
    return tuple(notes)
