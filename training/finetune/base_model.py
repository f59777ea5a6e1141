"""The base of a fine-tuning run: a BERT-like encoder, with or without a head of its own, as a BERT classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from emojob.pipeline.models import model_folder as model
from emojob.pipeline.models.bert import BertShape, Classifier
from emojob.pipeline.models.tokenizer import Tokenizer
from emojob.schemas.errors import ModelError

#: The kinds of encoder, by config.json's model_type, whose layers are BERT's.
KINDS = ("bert", "electra", "roberta")

#: The one that comes with the package: the default model's encoder.
PACKAGED = "emojob's default model"


@dataclass(frozen=True)
class Base:
    """An encoder under a head for `labels`. notes: what had to be made anew, for the user."""

    name: str
    classifier: Classifier
    shape: BertShape
    tokenizer: Tokenizer
    notes: tuple[str, ...]


def load_base(name: str | None, labels: tuple[str, ...], seed: int) -> Base:
    """Load an encoder from a folder, from the Hugging Face hub, or (None) the one that comes with the package.

    The head is new, with weights from `seed`, unless the base is a classifier of the very same labels. Raises
    ModelError where anything but the head and the pooler is missing or does not fit together.
    """
    if name is not None and not name.strip():
        raise ModelError("--base is empty: give a model folder, or a name on the Hugging Face hub, or leave it out")
    shown = name or PACKAGED
    folder = model.find_folder(name, option="--base")
    config = model.read_config(folder, shown, KINDS)
    tokenizer = model.read_tokenizer(folder, shown)
    config, weights = as_bert(config, model.read_weights(folder, shown), shown)
    shape = model.read_shape(config, shown)
    model.check_tokenizer(tokenizer, config, weights, shown)
    torch.manual_seed(seed)
    notes = []
    if "bert.pooler.dense.weight" not in weights:
        notes.append(f"{shown} has no pooler: a new one is trained")
        put_linear(weights, "bert.pooler.dense", shape.hidden_size, shape.hidden_size)
    ids = _label_ids(config)
    if set(ids) == set(labels) and len(weights.get("classifier.weight", ())) == len(labels):
        order = [ids[label] for label in labels]
        weights["classifier.weight"] = weights["classifier.weight"][order]
        weights["classifier.bias"] = weights["classifier.bias"][order]
        notes.append(f"{shown} has these labels already: its head is trained further")
    else:
        put_linear(weights, "classifier", len(labels), shape.hidden_size)
    return Base(shown, model.assemble(weights, shape, len(labels), shown), shape, tokenizer, tuple(notes))


def as_bert(config: dict[str, Any], weights: dict[str, Tensor], shown: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The config and the weights, by their Hugging Face names, of a BERT that gives the same hidden states.

    Raises ModelError where the encoder has no such twin.
    """
    kind = config["model_type"]
    if not any(key.startswith(f"{kind}.") for key in weights):  # an encoder that was stored on its own
        weights = {f"{kind}.{key}": w for key, w in weights.items()}
    weights = {"bert" + key.removeprefix(kind) if key.startswith(f"{kind}.") else key: w for key, w in weights.items()}
    if kind == "electra":
        narrow = config.get("embedding_size", config.get("hidden_size"))
        if narrow != config.get("hidden_size"):
            raise ModelError(
                f"--base {shown} is an ELECTRA whose embeddings are {narrow} wide and its layers "
                f"{config.get('hidden_size')}: give one where they are equal (the base and large sizes)"
            )
    if kind == "roberta":  # its first token stands at the position behind the padding id
        first = int(config.get("pad_token_id", 1)) + 1
        positions = "bert.embeddings.position_embeddings.weight"
        if positions in weights:
            weights[positions] = weights[positions][first:]
        config = {**config, "max_position_embeddings": int(config.get("max_position_embeddings", first)) - first}
    return config, weights


def _label_ids(config: dict[str, Any]) -> dict[str, int]:
    """The ids of a base's labels; none where config.json does not name them, or not in a way that can be."""
    known = config.get("id2label")
    try:
        ids = {str(label): int(i) for i, label in known.items()} if isinstance(known, dict) else {}
    except (TypeError, ValueError):
        return {}
    return ids if sorted(ids.values()) == list(range(len(ids))) else {}


def put_linear(weights: dict[str, Tensor], name: str, rows: int, columns: int) -> None:
    """A new linear layer with BERT's first weights: normal, 0.02."""
    weights[f"{name}.weight"] = torch.randn(rows, columns) * 0.02
    weights[f"{name}.bias"] = torch.zeros(rows)
