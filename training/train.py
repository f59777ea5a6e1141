"""A fine-tuning run, from annotated utterances to the finished model folder."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.engine import choose
from pipeline.machine import look
from schemas.errors import ArchiveError, OptionError
from schemas.options import SHORTEST_PAIR, ModelOptions
from training import claim
from training.annotated import Annotated, annotate, same_text
from training.base import Base, load_base
from training.corpus import Corpus, CorpusOptions, read_corpus
from training.evaluation import Evaluation
from training.finished import finish
from training.mapping import read_label_map
from training.splits import Split, split
from training.train_recipe import TrainRecipe
from training.trainer import Part, Run, Watch, train


@dataclass(frozen=True)
class TrainOptions:
    """What `emojob train` is asked for, beside the recipe."""

    data: tuple[Path, ...]
    out: Path
    base: str | None = None  # None: the encoder that comes with the package
    test: tuple[Path, ...] = ()  # measured on these rather than on a part of the data
    label_map: str | None = None
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


def train_model(options: TrainOptions, recipe: TrainRecipe, watch: Watch | None = None) -> Outcome:
    """Fine-tune a model on annotated utterances and write its folder, going on where an earlier call was cut off.

    Under torchrun every process calls this, and the first one writes. Raises InputError for what the user can mend,
    BusyError where another run trains into the same folder, Interrupted after `watch.stop.stop`.
    """
    watch = watch or Watch()
    data = read_data(options, recipe)
    made_with = _made_with(options, recipe, data)
    with claim.hold(options.out):
        if claim.claim(options.out, made_with, options.fresh):
            return Outcome(options.out, was_finished=True)
        watch.note(data.annotated.counts.summary())
        base = load_base(options.base, data.annotated.names, recipe.training.seed)
        for note in base.notes:
            watch.note(note)
        run = _run(options, recipe, data, base)
        state = train(base.classifier, run, watch)
        evaluation, notes = finish(options.out, run, base, state, options.corpus.context, made_with)
        if claim.is_first():
            claim.clear(options.out)
        return Outcome(options.out, was_finished=False, evaluation=evaluation, notes=notes)


def read_data(options: TrainOptions, recipe: TrainRecipe) -> Data:
    """Read, clean and split the texts. Raises InputError where they are not what can be learned from."""
    label_map = read_label_map(options.label_map)
    corpus = read_corpus(options.data, options.corpus)
    annotated = annotate(corpus, label_map)
    if len(annotated.names) < 2:
        found = f"only the label {annotated.names[0]!r}" if annotated.names else "no labelled text"
        raise ArchiveError(f"the data has {found}: give texts of two labels at least")
    shares = recipe.split
    if not options.test:
        parts = split(annotated, shares.test, shares.validation, shares.seed, shares.how)
        return _checked(Data(annotated, annotated, parts, (corpus,)), recipe)
    other = read_corpus(options.test, options.corpus)
    test_texts = annotate(other, label_map, annotated.names)
    parts = split(annotated, 0.0, shares.validation, shares.seed, shares.how)
    parts = _without(test_texts, annotated, parts)
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
        raise ArchiveError("the train part has no text left: give more texts, or smaller shares under [split]")
    if recipe.training.keep == "best" and not len(data.parts.validation):
        raise ArchiveError(
            f"the validation part has no text, of {len(data.annotated.texts)} in all: give more texts, a greater "
            'split.validation, or a recipe that keeps the "last" epoch'
        )
    return data


def _made_with(options: TrainOptions, recipe: TrainRecipe, data: Data) -> dict[str, Any]:
    """What a model is made with: stands in its recipe.json, and must stay the same when training goes on."""
    return {
        "recipe": recipe.as_dict(),
        "base": options.base,
        "labels": list(data.annotated.names),
        "context": options.corpus.context,
        "data": [asdict(file) for corpus in data.corpora for file in corpus.files],
        "counts": asdict(data.annotated.counts),
        "parts": {
            "train": len(data.parts.train),
            "validation": len(data.parts.validation),
            "test": len(data.parts.test),
            "dropped": data.parts.dropped,
        },
    }


def _run(options: TrainOptions, recipe: TrainRecipe, data: Data, base: Base) -> Run:
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
    choice = choose(ModelOptions(device=options.device, precision=recipe.training.precision), look())

    def part(annotated: Annotated, rows: NDArray[np.int64]) -> Part:
        taken, length = annotated.take(rows), recipe.training.max_length
        if options.corpus.context == "none":
            return Part(base.tokenizer.encode(taken.texts, length), taken.labels)
        return Part(base.tokenizer.encode_behind(taken.texts, taken.previous, length), taken.labels)

    return Run(
        train=part(data.annotated, data.parts.train),
        validation=part(data.annotated, data.parts.validation),
        test=part(data.test_texts, data.parts.test),
        names=data.annotated.names,
        recipe=recipe.training,
        work=options.out / claim.WORK,
        device=choice.device,
        bf16=choice.precision == "bf16",
    )
