"""Load the base model (BERT, ELECTRA or RoBERTa) of a training run as a BERT classifier."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from emojob.pipeline.models import model_folder
from emojob.pipeline.models.bert import BertShape, Classifier
from emojob.pipeline.models.tokenizer import Tokenizer
from emojob.schemas.errors import ModelError

#: Supported values of `model_type` in config.json.
KINDS = ("bert", "electra", "roberta")

#: Name of the base model that ships with the package.
PACKAGED = "emojob's default model"


@dataclass(frozen=True)
class Base:
    """A base model with a classification head.

    Attributes:
        name: Name of the base model, for messages.
        classifier: The encoder and the head.
        shape: Sizes of the encoder.
        tokenizer: Tokenizer of the base model.
        notes: Messages to the user about new or reused layers.
        folder: Local folder of the base model.
    """

    name: str
    classifier: Classifier
    shape: BertShape
    tokenizer: Tokenizer
    notes: tuple[str, ...]
    folder: Path


def load_base(name: str | None, labels: tuple[str, ...], seed: int) -> Base:
    """Load a base model, and add a classification head for `labels`.

    If the base model is a classifier with exactly these labels, the existing head is kept. If the base model has no
    pooler, a new pooler is added.

    Args:
        name: Path of a model folder, or a name on the Hugging Face hub. None: use the default model of the package.
        labels: The labels, in the order of their ids.
        seed: Random seed of new layers.

    Raises:
        ModelError: Weights of the encoder are missing, or config.json, the weights and the tokenizer do not match.
    """
    if name is not None and not name.strip():
        raise ModelError("--base is empty: give a model folder or a name on the Hugging Face hub, or omit --base")
    shown = name or PACKAGED
    folder = model_folder.find_folder(name, option="--base")
    config = model_folder.read_config(folder, shown, KINDS)
    tokenizer = model_folder.read_tokenizer(folder, shown)
    config, weights = as_bert(config, model_folder.read_weights(folder, shown), shown)
    shape = model_folder.read_shape(config, shown)
    model_folder.check_tokenizer(tokenizer, config, weights, shown)
    torch.manual_seed(seed)
    notes = []
    if "bert.pooler.dense.weight" not in weights:
        notes.append(f"{shown} has no pooler, so a new pooler is trained")
        add_linear(weights, "bert.pooler.dense", shape.hidden_size, shape.hidden_size)
    ids = _label_ids(config)
    if set(ids) == set(labels) and len(weights.get("classifier.weight", ())) == len(labels):
        order = [ids[label] for label in labels]
        weights["classifier.weight"] = weights["classifier.weight"][order]
        weights["classifier.bias"] = weights["classifier.bias"][order]
        notes.append(f"{shown} already has these labels, so its head is trained further")
    else:
        add_linear(weights, "classifier", len(labels), shape.hidden_size)
    return Base(
        shown, model_folder.assemble(weights, shape, len(labels), shown), shape, tokenizer, tuple(notes), folder
    )


def as_bert(config: dict[str, Any], weights: dict[str, Tensor], shown: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Convert a BERT, ELECTRA or RoBERTa encoder to an equivalent BERT encoder.

    Args:
        config: Content of config.json.
        weights: Weights of the encoder: {Hugging Face name: weight}.
        shown: Name of the base model, for messages.

    Returns:
        (config, weights) of the BERT encoder.

    Raises:
        ModelError: The encoder is an ELECTRA model whose embedding_size differs from hidden_size.
    """
    kind = config["model_type"]
    if not any(key.startswith(f"{kind}.") for key in weights):  # names have no prefix in a model without a head
        weights = {f"{kind}.{key}": w for key, w in weights.items()}
    weights = {"bert" + key.removeprefix(kind) if key.startswith(f"{kind}.") else key: w for key, w in weights.items()}
    if kind == "electra":
        embedding_size = config.get("embedding_size", config.get("hidden_size"))
        if embedding_size != config.get("hidden_size"):
            raise ModelError(
                f"--base {shown} is an ELECTRA model with embedding_size {embedding_size} and hidden_size "
                f"{config.get('hidden_size')}; give a model with equal sizes, for example KoELECTRA-Base"
            )
    if kind == "roberta":  # in RoBERTa, the first position is `pad_token_id` + 1
        first = int(config.get("pad_token_id", 1)) + 1
        positions = "bert.embeddings.position_embeddings.weight"
        if positions in weights:
            weights[positions] = weights[positions][first:]
        config = {**config, "max_position_embeddings": int(config.get("max_position_embeddings", first)) - first}
    return config, weights


def add_linear(weights: dict[str, Tensor], name: str, rows: int, columns: int) -> None:
    """Add a linear layer [rows, columns] with random weights (standard deviation 0.02) and zero biases."""
    weights[f"{name}.weight"] = torch.randn(rows, columns) * 0.02
    weights[f"{name}.bias"] = torch.zeros(rows)


def _label_ids(config: dict[str, Any]) -> dict[str, int]:
    """Return {label: id} from config.json. If id2label is missing or invalid, return an empty dict."""
    id2label = config.get("id2label")
    try:
        ids = {str(label): int(i) for i, label in id2label.items()} if isinstance(id2label, dict) else {}
    except (TypeError, ValueError):
        return {}
    return ids if sorted(ids.values()) == list(range(len(ids))) else {}
