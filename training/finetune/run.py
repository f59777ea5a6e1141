"""A fine-tuning run, from annotated utterances to the finished model folder."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emojob.pipeline.inference.engine import choices
from emojob.pipeline.models.model_folder import hash_weights
from emojob.pipeline.storage.permissions import limit_permissions
from emojob.pipeline.system.hardware import detect
from emojob.schemas.errors import DataError, ModelError, OptionError
from emojob.schemas.messages import listed
from emojob.schemas.options import SHORTEST_PAIR, ModelOptions
from emojob.training.data.annotated import Annotated, annotate, same_text
from emojob.training.data.corpus import Corpus, CorpusOptions, read_corpus
from emojob.training.data.label_map import read_label_map
from emojob.training.data.splits import Split, split
from emojob.training.evaluation.metrics import Evaluation
from emojob.training.finetune import folder
from emojob.training.finetune.base_model import Base, load_base
from emojob.training.finetune.finish import finish
from emojob.training.finetune.recipe import TrainRecipe
from emojob.training.finetune.trainer import train
from emojob.training.finetune.watch import Callbacks, EncodedSplit, TrainingInputs


@dataclass(frozen=True)
class TrainOptions:
    """What `emojob train` is asked for, beside the recipe."""

    data: tuple[Path, ...]
    out: Path
    base: str | None = None  # None: the encoder that comes with the package
    test: tuple[Path, ...] = ()  # measured on these rather than on a part of the data
    label_map: str | None = None
    test_label_map: str | None = None  # of the files in `test`; None: as the data's
    corpus: CorpusOptions = field(default_factory=CorpusOptions)
    device: str = "auto"
    fresh: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a training run came to.

    evaluation: on the test part, None where there is none, or where the model had been finished before; notes: what
    the user should know.
    """

    folder: Path
    was_finished: bool
    evaluation: Evaluation | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Data:
    """The texts of a run. parts: rows of `annotated`; its test part, of `test_texts`: the same, or those of --test."""

    annotated: Annotated
    test_texts: Annotated
    parts: Split
    corpora: tuple[Corpus, ...]


def train_model(options: TrainOptions, recipe: TrainRecipe, callbacks: Callbacks | None = None) -> Outcome:
    """Fine-tune a model on annotated utterances and write its folder, going on where an earlier call was cut off.

    Under torchrun every process calls this, and the first one writes. Raises InputError for what the user can mend,
    BusyError where another run trains into the same folder, Interrupted after `callbacks.stop.stop`.
    """
    callbacks = callbacks or Callbacks()
    data = read_data(options, recipe)
    base = load_base(options.base, data.annotated.names, recipe.training.seed)
    made_with = _made_with(options, recipe, data, base)
    with limit_permissions([*options.data, *options.test]), folder.hold(options.out):
        if folder.claim(options.out, made_with, options.fresh):
            if folder.is_first():  # where the last run was cut off right at its end
                folder.clear(options.out)
            return Outcome(options.out, was_finished=True)
        for note in _notes(data):
            callbacks.note(note)
        for note in base.notes:
            callbacks.note(note)
        run = _run(options, recipe, data, base)
        state = train(base.classifier, run, callbacks)
        evaluation, notes = finish(options.out, run, base, state, options.corpus.context, made_with)
        if folder.is_first():
            folder.clear(options.out)
        return Outcome(options.out, was_finished=False, evaluation=evaluation, notes=notes)


def read_data(options: TrainOptions, recipe: TrainRecipe) -> Data:
    """Read, clean and split the texts. Raises InputError where they are not what can be learned from."""
    label_map = read_label_map(options.label_map)
    corpus = read_corpus(options.data, options.corpus)
    annotated = annotate(corpus, label_map)
    if len(annotated.names) < 2:
        found = f"only the label {annotated.names[0]!r}" if annotated.names else "no labelled text"
        raise DataError(f"the data has {found}: give texts of two labels at least")
    shares = recipe.split
    if not options.test:
        parts = split(annotated, shares.test, shares.validation, shares.seed, shares.how)
        return _checked(Data(annotated, annotated, parts, (corpus,)), recipe)
    other = read_corpus(options.test, options.corpus)
    test_map = read_label_map(options.test_label_map) if options.test_label_map else label_map
    test_texts = annotate(other, test_map, annotated.names)
    if not test_texts.texts:
        raise DataError(f"--test has no labelled text: {test_texts.counts.summary()}; give other files")
    parts = split(annotated, 0.0, shares.validation, shares.seed, shares.how)
    parts = _without(test_texts, annotated, parts)
    if not len(parts.train):
        raise DataError(
            f"all of the {len(annotated.texts):,} texts to learn from stand in --test as well: give other files to one "
            "of the two"
        )
    return _checked(Data(annotated, test_texts, parts, (corpus, other)), recipe)


def _without(test_texts: Annotated, annotated: Annotated, parts: Split) -> Split:
    """The parts without texts that stand in `test_texts`, all of which are the test part."""

    tested = {same_text(text) for text in test_texts.texts}

    def apart(rows: NDArray[np.int64]) -> NDArray[np.int64]:
        return rows[[same_text(annotated.texts[row]) not in tested for row in rows]]

    train, validation = apart(parts.train), apart(parts.validation)
    dropped = len(parts.train) + len(parts.validation) - len(train) - len(validation)
    return Split(train, validation, np.arange(len(test_texts.texts)), parts.dropped + dropped)


def _checked(data: Data, recipe: TrainRecipe) -> Data:
    if not len(data.parts.train):
        raise DataError("the train part has no text left: give more texts, or smaller shares under [split]")
    if recipe.training.keep == "best" and not len(data.parts.validation):
        conversations = set(data.annotated.conversations)
        found = f"{len(data.annotated.texts):,} in all"
        if len(conversations) == 1 and None not in conversations:  # which no part may share with another
            found += ", all of one conversation (is it the right --conversation-column?)"
        raise DataError(
            f"the validation part has no text, of {found}: give more texts, a greater split.validation, or a recipe "
            'that keeps the "last" epoch'
        )
    return data


def _notes(data: Data) -> list[str]:
    """What the user should know of the data before training begins: what became of its rows, labels without texts."""
    annotated = data.annotated
    rejected = sum(corpus.rejected for corpus in data.corpora)
    notes = [annotated.counts.summary() + (f"; {rejected:,} more could not be read" if rejected else "")]
    learned = np.bincount(annotated.labels[data.parts.train], minlength=len(annotated.names))
    if data.test_texts is not annotated:
        notes.append(f"--test: {data.test_texts.counts.summary()}")
    missing = [name for name, texts in zip(annotated.names, learned.tolist(), strict=True) if not texts]
    if missing:
        notes.append(f"no text to learn from has the label {listed(missing)}: the model will not give it")
    return notes


def _made_with(options: TrainOptions, recipe: TrainRecipe, data: Data, base: Base) -> dict[str, Any]:
    """What a model is made with: stands in its recipe.json, and must stay the same when training goes on."""
    maps = {role: read_label_map(getattr(options, role)) for role in ("label_map", "test_label_map")}
    return {
        "recipe": recipe.as_dict(),
        "base": {"name": options.base, "sha256": hash_weights(base.classifier.state_dict())},
        "labels": list(data.annotated.names),
        **{role: one and one.as_table() for role, one in maps.items()},
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
        "texts_sha256": _hash_texts(data),
    }


def _hash_texts(data: Data) -> str:
    """SHA-256 of every text of each part, with its label and what was said before it."""
    digest = hashlib.sha256()
    parts = {"train": data.annotated, "validation": data.annotated, "test": data.test_texts}
    for name, texts in parts.items():
        taken = texts.take(getattr(data.parts, name))
        rows = zip(taken.texts, taken.previous, taken.labels.tolist(), strict=True)
        digest.update(json.dumps([name, *rows]).encode())
    return digest.hexdigest()


def _run(options: TrainOptions, recipe: TrainRecipe, data: Data, base: Base) -> TrainingInputs:
    if recipe.training.max_length > base.shape.max_positions:
        raise OptionError(
            f"recipe: training.max_length is {recipe.training.max_length}, but {base.name} has "
            f"{base.shape.max_positions} positions; shorten it"
        )
    if options.corpus.context == "previous" and recipe.training.max_length < SHORTEST_PAIR:
        raise OptionError(
            f"recipe: training.max_length is {recipe.training.max_length}, but a pair of utterances needs "
            f"{SHORTEST_PAIR} tokens; lengthen it"
        )
    if options.corpus.context == "previous" and base.shape.type_vocab_size < 2:
        raise ModelError(
            f"--context previous needs a base with 2 segments, but {base.name} has {base.shape.type_vocab_size}; give "
            "another --base, or --context none"
        )
    wanted = ModelOptions(device=options.device, engine="torch", precision=recipe.training.precision)
    choice = choices(wanted, detect())[0]

    def part(annotated: Annotated, rows: NDArray[np.int64]) -> EncodedSplit:
        taken, length = annotated.take(rows), recipe.training.max_length
        if options.corpus.context == "none":
            return EncodedSplit(base.tokenizer.encode(taken.texts, length), taken.labels)
        return EncodedSplit(base.tokenizer.encode_with_previous(taken.texts, taken.previous, length), taken.labels)

    return TrainingInputs(
        train=part(data.annotated, data.parts.train),
        validation=part(data.annotated, data.parts.validation),
        test=part(data.test_texts, data.parts.test),
        names=data.annotated.names,
        recipe=recipe.training,
        work=options.out / folder.WORK,
        device=choice.device,
        bf16=choice.precision == "bf16",
    )
