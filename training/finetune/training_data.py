"""Read annotated texts, and split the texts into train, validation and test."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emojob.schemas.errors import DataError
from emojob.schemas.messages import listed
from emojob.training.data.annotated import Annotated, annotate
from emojob.training.data.corpus import Corpus, read_corpus
from emojob.training.data.label_map import read_label_map
from emojob.training.data.splits import Split, split
from emojob.training.evaluation.seen_texts import SeenTexts
from emojob.training.finetune.options import TrainOptions
from emojob.training.finetune.recipe import TrainRecipe


@dataclass(frozen=True)
class TrainingData:
    """Texts of a training run.

    Attributes:
        annotated: Texts of --data.
        test_texts: Texts of --test. If --test is not given: `annotated`.
        parts: Row numbers of the train and validation splits in `annotated`, and of the test split in `test_texts`.
        corpora: The corpus of --data, and the corpus of --test if --test is given.
    """

    annotated: Annotated
    test_texts: Annotated
    parts: Split
    corpora: tuple[Corpus, ...]

    def notes(self) -> list[str]:
        """Return messages to the user about unused rows and about labels without texts."""
        annotated, parts = self.annotated, self.parts
        rejected = sum(corpus.rejected for corpus in self.corpora)
        notes = [annotated.counts.summary() + (f"; {rejected:,} more could not be read" if rejected else "")]
        notes += [note for corpus in self.corpora for note in corpus.notes]
        if self.test_texts is not annotated:
            notes.append(f"--test: {self.test_texts.counts.summary()}")
        notes.append(
            f"split: {len(parts.train):,} train + {len(parts.validation):,} validation + {len(parts.test):,} test"
            + (f" + {parts.dropped:,} left out (the same text is in another split)" if parts.dropped else "")
        )
        missing = self._labels_without_texts(annotated.labels[parts.train])
        if missing:
            notes.append(f"the train split has no text with the label {listed(missing)}: the model will not predict it")
        unmeasured = self._labels_without_texts(self.test_texts.labels[parts.test])
        if unmeasured and len(parts.test):
            notes.append(f"the test split has no text with the label {listed(unmeasured)}: this label is not measured")
        return notes

    def _labels_without_texts(self, labels: NDArray[np.int64]) -> list[str]:
        texts_of_label = np.bincount(labels, minlength=len(self.annotated.names)).tolist()
        return [name for name, texts in zip(self.annotated.names, texts_of_label, strict=True) if not texts]

    def tested(self) -> Annotated:
        """Return the texts of the test split."""
        return self.test_texts.take(self.parts.test)

    def seen_texts(self, context: str) -> SeenTexts:
        """Return a record of the texts for training and validation, without the texts themselves."""
        rows = np.concatenate([self.parts.train, self.parts.validation])
        return SeenTexts.of(self.annotated.take(rows).keys(), context, self.sha256())

    def sha256(self) -> str:
        """Return the SHA-256 hash of all texts, previous utterances and labels."""
        digest = hashlib.sha256()
        parts = {"train": self.annotated, "validation": self.annotated, "test": self.test_texts}
        for name, texts in parts.items():
            taken = texts.take(getattr(self.parts, name))
            rows = zip(taken.texts, taken.previous, taken.labels.tolist(), strict=True)
            digest.update(json.dumps([name, *rows]).encode())
        return digest.hexdigest()


def read_training_data(options: TrainOptions, recipe: TrainRecipe) -> TrainingData:
    """Read the annotated files, and split the texts into train, validation and test.

    Args:
        options: Files, label maps and columns.
        recipe: The recipe with the fractions of the split.

    Raises:
        InputError: A file cannot be read, or there are too few texts or labels.
    """
    label_map = read_label_map(options.label_map)
    corpus = read_corpus(options.data, options.corpus)
    annotated = annotate(corpus, label_map)
    if len(annotated.names) < 2:
        found = f"only the label {annotated.names[0]!r}" if annotated.names else "no text with a usable label"
        raise DataError(f"--data has {found}: {annotated.counts.summary()}; give files with at least two labels")
    fractions = recipe.split
    if not options.test:
        parts = split(annotated, fractions.test, fractions.validation, fractions.seed, fractions.how)
        return _checked(TrainingData(annotated, annotated, parts, (corpus,)), recipe)
    test_corpus = read_corpus(options.test, options.corpus)
    test_map = read_label_map(options.test_label_map) if options.test_label_map else label_map
    test_texts = annotate(test_corpus, test_map, annotated.names)
    if not test_texts.texts:
        raise DataError(
            f"--test has no text with a usable label: {test_texts.counts.summary()}; correct the labels, or give "
            "other files with --test"
        )
    parts = split(annotated, 0.0, fractions.validation, fractions.seed, fractions.how)
    parts = _without_test_texts(parts, annotated, test_texts)
    if not len(parts.train):
        raise DataError(
            f"no text is left for training: all {len(annotated.texts):,} texts of --data are also in --test or in the "
            "validation split; give other files with --data or --test"
        )
    return _checked(TrainingData(annotated, test_texts, parts, (corpus, test_corpus)), recipe)


def _without_test_texts(parts: Split, annotated: Annotated, test_texts: Annotated) -> Split:
    """Use all texts of --test as the test split. Remove these texts from the train and validation splits.

    With the context `previous`, a text with another previous utterance is another text.
    """
    tested, keys = set(test_texts.keys()), annotated.keys()

    def untested(rows: NDArray[np.int64]) -> NDArray[np.int64]:
        return rows[[keys[row] not in tested for row in rows.tolist()]]

    train, validation = untested(parts.train), untested(parts.validation)
    dropped = len(parts.train) + len(parts.validation) - len(train) - len(validation)
    return Split(train, validation, np.arange(len(test_texts.texts)), parts.dropped + dropped)


def _checked(data: TrainingData, recipe: TrainRecipe) -> TrainingData:
    """Return the data. Raise DataError if the recipe needs a split that is empty."""
    if not len(data.parts.train):
        raise DataError(
            f"the train split is empty: --data has only {len(data.annotated.texts):,} texts; give more texts, or "
            "reduce split.test and split.validation in the recipe"
        )
    if recipe.training.keep == "best" and not len(data.parts.validation):
        conversations = set(data.annotated.conversations)
        found = f"--data has {len(data.annotated.texts):,} texts"
        if len(conversations) == 1 and None not in conversations:  # a conversation stays in one split
            found += ", all in one conversation (check --conversation-column)"
        raise DataError(
            f"the validation split is empty: {found}; give more texts, increase split.validation in the recipe, "
            'or set training.keep to "last"'
        )
    return data
