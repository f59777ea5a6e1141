"""Trains the way `answers` of a bot: the classifier over the categories, the encoder of texts, and the answer book."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.models import model
from emojob.pipeline.models.model_folder import hash_weights
from emojob.pipeline.models.saving import Trained, write_model_folder
from emojob.pipeline.replies.answers.book import AnswerBook
from emojob.pipeline.replies.answers.choice import AnswersWay, fit_encoder
from emojob.pipeline.replies.answers.tones import with_tones
from emojob.pipeline.replies.bot_folder import MODEL_FOLDER, write_answers
from emojob.pipeline.replies.checks import check_drafts
from emojob.pipeline.replies.configuration import read_configuration
from emojob.pipeline.storage.paths import output_errors
from emojob.schemas.messages import counted
from emojob.training.data.splits import Split
from emojob.training.finetune.base_model import Base, load_base
from emojob.training.finetune.watch import Callbacks
from emojob.training.replies.answer_measures import AnswersMeasures, measure_answers, tone_agreement
from emojob.training.replies.classifier import CategoryOptions, CategoryTraining, prepare_categories
from emojob.training.replies.pairs import Pairs, to_book

_UNUSED_LABELS = ("encoder", "unused")  # an encoder without categories has a head that nobody uses
_NO_EPOCHS = "--epochs has no effect, because the data has no categories, so no classifier is trained"


@dataclass(frozen=True)
class AnswersOutcome:
    """Result of `train_answers`.

    Attributes:
        measures: Measures on held-out questions.
        uses_classifier: Whether the bot uses the classifier.
        notes: Messages to the user.
    """

    measures: dict[str, Any]
    uses_classifier: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class AnswersOptions:
    """Options of the training.

    Attributes:
        base: Model with the encoder. None: the default model.
        device: auto, cpu or cuda.
        epochs: Number of epochs of the classifier. None: as its recipe says.
    """

    base: str | None = None
    device: str = "auto"
    epochs: int | None = None


@dataclass(frozen=True)
class AnswersTraining:
    """A way `answers` that is ready for training.

    Attributes:
        pairs: All pairs.
        book: Their questions and answers.
        parts: Numbers of the pairs for training, validation and the measures.
        categories: The training of the classifier; None if there are no categories.
        encoder: The base, if there are no categories and the user named a base.
        made_with: Inputs of the training. A resumed training must have the same inputs.
        notes: Messages to the user.
    """

    pairs: Pairs
    book: AnswerBook
    parts: Split
    categories: CategoryTraining | None
    encoder: Base | None
    made_with: dict[str, Any]
    notes: tuple[str, ...] = ()


def prepare_answers(pairs: Pairs, parts: Split, options: AnswersOptions) -> AnswersTraining:
    """Load the base, and check the data and the options. Nothing is written.

    Raises InputError if the data, the base or an option cannot be used.
    """
    book = to_book(pairs)
    made_with: dict[str, Any] = {"data": {"sha256": _hash(pairs)}}
    if pairs.has_categories and len({one.category for one in pairs.pairs}) > 1:
        changes = {} if options.epochs is None else {"epochs": options.epochs}
        categories = prepare_categories(pairs, parts, CategoryOptions(options.base, options.device, changes))
        made_with |= {"base": _base(options.base, categories.base), "recipe": categories.made_with["recipe"]}
        return AnswersTraining(pairs, book, parts, categories, None, made_with)
    notes = () if options.epochs is None else (_NO_EPOCHS,)
    encoder = load_base(options.base, _UNUSED_LABELS, 0)
    made_with["base"] = _base(options.base, encoder)
    return AnswersTraining(pairs, book, parts, None, None if options.base is None else encoder, made_with, notes)


def _base(name: str | None, base: Base) -> dict[str, Any]:
    """Return the name of a base and the hash of its encoder. Its head may be new."""
    return {"name": name, "sha256": hash_weights(base.classifier.encoder.state_dict())}


def train_answers(
    training: AnswersTraining, folder: Path, prompts: Sequence[tuple[str, str]], callbacks: Callbacks
) -> AnswersOutcome:
    """Train the way `answers`, or resume an interrupted training.

    Args:
        training: The result of `prepare_answers`.
        folder: Existing folder in which the way is made.
        prompts: (text, emotion) of texts that measure the tone.
        callbacks: Functions for progress and messages, and an object for stopping the training.

    Raises:
        OutputError: The folder cannot be used.
        StorageError: The folder cannot be written.
        Interrupted: The training was stopped with `callbacks.stop`.
    """
    pairs, own = training.pairs, folder / MODEL_FOLDER
    for note in training.notes:
        callbacks.note(note)
    if training.categories is not None:
        training.categories.train(own, callbacks)
    elif training.encoder is not None:
        with output_errors(folder):
            _write_encoder(own, training.encoder)
    encoder_model = model.load(str(own) if own.is_dir() else None)
    has_classifier = training.categories is not None
    scorer = Scorer.load(str(own), note=callbacks.note, precision="fp32") if has_classifier else None
    measures, use_classifier = _measure(pairs, training.parts, encoder_model, scorer)
    callbacks.note("writing the answer book")
    encoder, vectors = fit_encoder(encoder_model, training.book)
    book = with_tones(training.book, encoder)
    way = AnswersWay(book, encoder, scorer if use_classifier else None, vectors)
    with output_errors(folder):
        write_answers(folder, book, way)
    emotions_model = Scorer.load(precision="fp32")
    measures["tone_agreement"] = _tone_agreement(way, prompts, emotions_model)
    notes = (*_notes(pairs, has_classifier, use_classifier, measures), *_unfit(book, emotions_model))
    return AnswersOutcome(measures, use_classifier, notes)


def _hash(pairs: Pairs) -> str:
    """Return the SHA-256 of the questions, the answers and the categories."""
    rows = [[one.question, one.own_answers, one.category] for one in pairs.pairs]
    texts = json.dumps([rows, sorted(pairs.answers.items())])
    return hashlib.sha256(texts.encode("utf-8", "surrogatepass")).hexdigest()


def _write_encoder(folder: Path, base: Base) -> None:
    """Write the model folder of an encoder without categories."""
    trained = Trained(base.classifier, base.shape, _UNUSED_LABELS, 1.0)
    card = f"# Encoder of questions\n\nThe encoder of {base.name}, for `emojob reply`. Its labels mean nothing.\n"
    write_model_folder(folder, trained, base.tokenizer, {}, card, torch.float32)


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


def _tone_agreement(way: AnswersWay, prompts: Sequence[tuple[str, str]], scorer: Scorer) -> dict[str, Any]:
    """Return the share of prompts whose answer has the tone that suits the emotion."""
    texts, emotions = [text for text, _ in prompts], [emotion for _, emotion in prompts]
    predicted = scorer.score(texts).labels
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


def _unfit(book: AnswerBook, scorer: Scorer) -> list[str]:
    """Return a message about the answers that fail the checks of drafts, so they never become a draft."""
    answers = list(dict.fromkeys(book.answers))
    reasons = Counter(one.reason for one in check_drafts(answers, scorer) if one.reason)
    if not reasons:
        return []
    named = ", ".join(f"{count:,} {reason}" for reason, count in reasons.most_common())
    verb = "becomes" if reasons.total() == 1 else "become"
    return [f"{reasons.total():,} of {counted(len(answers), 'answer')} never {verb} a draft: {named}"]
