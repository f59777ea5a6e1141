"""Loads a model from a folder, an object store or the Hugging Face hub, and checks the files."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from emojob.pipeline.models.bert import BertShape, Classifier
from emojob.pipeline.models.label_names import contradiction, is_placeholder, named_ids
from emojob.pipeline.models.model_folder import (
    DEFAULT,
    assemble,
    check_tokenizer,
    find_folder,
    hash_weights,
    read_config,
    read_shape,
    read_tokenizer,
    read_weights,
)
from emojob.pipeline.models.refusals import MULTI, check_names, check_task
from emojob.pipeline.models.tokenizer import Encoded, Tokenizer
from emojob.schemas.columns import DEFAULT_THRESHOLD
from emojob.schemas.errors import ModelError, OptionError
from emojob.schemas.messages import listed
from emojob.schemas.options import CONTEXTS

#: Version of the emojob_ keys in config.json. emojob refuses a model folder with a newer version.
MODEL_FORMAT = 1


@dataclass(frozen=True)
class Model:
    """A text classifier with its tokenizer. The classifier is on the CPU, in fp32.

    Attributes:
        name: Name of the model, for messages.
        labels: Names of the labels, in id order.
        temperature: Number by which the logits are divided before the softmax, or the sigmoid.
        thresholds: For a model whose texts can carry several labels: the probability at which a text carries each
            label, in id order. None: a text has exactly one label.
        context: `none`: the model reads only the text. `previous`: the model also reads the previous utterance.
        fingerprint: Hexadecimal hash of weights, tokenizer, labels, temperature and task.
        stored_in: dtype of the weights in the model folder.
        is_packaged: Whether the model is the default model, which is installed with emojob.
        notes: Messages for the user about the model.
    """

    name: str
    classifier: Classifier
    shape: BertShape
    tokenizer: Tokenizer
    labels: tuple[str, ...]
    temperature: float
    thresholds: tuple[float, ...] | None
    context: str
    fingerprint: str
    stored_in: torch.dtype
    folder: Path
    is_packaged: bool
    notes: tuple[str, ...] = ()

    @property
    def is_multi(self) -> bool:
        """Whether a text can carry several labels. Then the probabilities of the labels are independent."""
        return self.thresholds is not None

    def fingerprint_for(self, max_length: int) -> str:
        """Return a hash of everything that determines the labels: the model, `max_length`, context and thresholds."""
        thresholds = () if self.thresholds is None else (repr(self.thresholds),)
        return _digest(self.fingerprint, str(max_length), self.context, *thresholds)[:16]

    def encode_consecutive(self, texts: list[str], max_length: int) -> Encoded:
        """Encode the texts of one conversation.

        If the context is `previous`, each text is encoded as a pair with the previous text.

        Args:
            texts: Utterances in the order of the conversation.
            max_length: Maximum number of tokens, including [CLS] and [SEP].
        """
        if self.context == "previous":
            return self.tokenizer.encode_with_previous(texts, [None, *texts[:-1]], max_length)
        return self.tokenizer.encode(texts, max_length)


def load(name: str | None = None, threads: int | None = None, threshold: float | None = None) -> Model:
    """Load a model.

    Args:
        name: A folder, a URL, or a name on the Hugging Face hub; None or `default` selects the default model.
        threads: Number of threads of the tokenizer; None uses one thread per core.
        threshold: Probability at which a text carries a label. None: the thresholds of the model.

    Raises:
        ModelError: A file is missing or damaged, or the files do not fit together.
        OptionError: A threshold is given, but a text has exactly one label.
    """
    folder = find_folder(name)
    is_packaged = folder.resolve() == find_folder(None).resolve()
    shown = "the default model" if is_packaged and name in (None, DEFAULT) else str(name)
    config = read_config(folder, shown)
    tokenizer = read_tokenizer(folder, shown, threads)
    _check_format(config, shown)
    weights = read_weights(folder, shown)
    shape = read_shape(config, shown)
    check_names(weights, shown)
    _check_head(config, weights, shown)
    labels = _labels(config, weights, shown)
    check_tokenizer(tokenizer, config, weights, shown)
    classifier = assemble(weights, shape, len(labels), shown)
    temperature = read_temperature(config, shown)
    stored_in = weights["bert.embeddings.word_embeddings.weight"].dtype
    thresholds = _thresholds(config, labels, threshold, shown)
    task = () if thresholds is None else (MULTI,)
    fingerprint = _digest(hash_weights(weights), *map(_file_hash, tokenizer.files), *labels, repr(temperature), *task)
    context = read_context(config, shape, shown)
    return Model(
        shown,
        classifier.eval(),
        shape,
        tokenizer,
        labels,
        temperature,
        thresholds,
        context,
        fingerprint,
        stored_in,
        folder,
        is_packaged,
        (*_notes(labels, shown), *contradiction(config, shown, "`emojob evaluate` with labelled texts")),
    )


def _check_format(config: dict[str, Any], shown: str) -> None:
    given = config.get("emojob_format", MODEL_FORMAT)
    if not isinstance(given, int) or given > MODEL_FORMAT:
        raise ModelError(
            f"{shown} was written by a newer emojob (emojob_format in config.json is {given!r}, but this emojob reads "
            f"at most {MODEL_FORMAT}): update emojob, or train the model again with this emojob"
        )


def read_temperature(config: dict[str, Any], shown: str) -> float:
    """Return emojob_temperature in config.json, or 1. Raises ModelError for a wrong value."""
    given = config.get("emojob_temperature", 1.0)
    if not isinstance(given, (int, float)) or not 0 < given < float("inf"):
        raise ModelError(
            f"{shown} has emojob_temperature {given!r} in its config.json: change the value to a number above 0"
        )
    return float(given)


def _thresholds(
    config: dict[str, Any], labels: tuple[str, ...], given: float | None, shown: str
) -> tuple[float, ...] | None:
    """Return the threshold of each label; None if a text has exactly one label.

    emojob_thresholds in config.json is {label: number}. A label without a threshold has DEFAULT_THRESHOLD.
    """
    if config.get("problem_type") != MULTI:
        if given is not None:
            raise OptionError(
                f"--threshold {given:g}: {shown} gives each text exactly one label, the most probable one; leave out "
                f"--threshold, or give a model with problem_type {MULTI}"
            )
        return None
    if given is not None:
        return (given,) * len(labels)
    found = config.get("emojob_thresholds", {})
    if not isinstance(found, dict):
        raise ModelError(
            f"{shown} has emojob_thresholds {found!r:.60} in its config.json: write an object such as "
            f'{{"{labels[0]}": {DEFAULT_THRESHOLD}}}'
        )
    for label, value in found.items():
        if label not in labels:
            raise ModelError(
                f"{shown} has emojob_thresholds for {label!r:.60} in its config.json, but its labels are "
                f"{listed(labels)}: correct the name"
            )
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
            raise ModelError(
                f"{shown} has the threshold {value!r:.60} for {label!r:.60} in its config.json: change it to a number "
                "from 0 to 1"
            )
    return tuple(float(found.get(label, DEFAULT_THRESHOLD)) for label in labels)


def read_context(config: dict[str, Any], shape: BertShape, shown: str) -> str:
    """Return emojob_context in config.json, or `none`. Raises ModelError for a wrong value."""
    given = config.get("emojob_context", "none")
    if given not in CONTEXTS:
        raise ModelError(
            f"{shown} has emojob_context {given!r} in its config.json: change the value to {' or '.join(CONTEXTS)}"
        )
    if given == "previous" and shape.type_vocab_size < 2:
        raise ModelError(
            f"{shown} has emojob_context 'previous' and type_vocab_size {shape.type_vocab_size} in its config.json, "
            f"but 'previous' needs a type_vocab_size of at least 2: set emojob_context to 'none', or give another model"
        )
    return str(given)


def _check_head(config: dict[str, Any], weights: dict[str, Tensor], shown: str) -> None:
    if "classifier.weight" not in weights:
        raise ModelError(
            f"{shown} is a base model without a classification head: fine-tune it first with "
            f"`emojob train --base {shown} --data FILE -o DIR`, then give DIR as the model"
        )
    check_task(config, len(weights["classifier.weight"]), shown)


def _labels(config: dict[str, Any], weights: dict[str, Tensor], shown: str) -> tuple[str, ...]:
    number = weights["classifier.weight"].shape[0]
    named = named_ids(config)
    if config.get("id2label") is None and isinstance(config.get("label2id"), dict):
        named = {str(i): str(label) for label, i in config["label2id"].items()}
    elif config.get("id2label") is None and number == 2:  # transformers omits its default names of two labels
        named = {"0": "LABEL_0", "1": "LABEL_1"}
    if not named:
        raise ModelError(
            f"{shown} has no id2label in its config.json: add the names of the {number} labels to config.json, for "
            f'example "id2label": {{"0": "happy", "1": "sad"}}'
        )
    labels = tuple(named.get(str(i), "") for i in range(number))
    if len(named) != number or not all(labels) or len(set(labels)) != number:
        raise ModelError(
            f"{shown} has {number} outputs, but id2label in its config.json has {len(named)} entries with "
            f"{len(set(labels) - {''})} different labels: give each id from 0 to {number - 1} a "
            f"label, and use each label only once"
        )
    return labels


def _notes(labels: tuple[str, ...], shown: str) -> tuple[str, ...]:
    """Return a message if the labels are the placeholders of transformers."""
    unnamed = [label for label in labels if is_placeholder(label)]
    if not unnamed:
        return ()
    return (
        f"labels of {shown} have no names ({listed(unnamed)}): write their names into id2label in its config.json, "
        f"in the order of the training",
    )


def _file_hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
