"""Writes a model folder that `transformers` can load without remote code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from emojob.pipeline.models.bert import BertShape, Classifier, to_hf
from emojob.pipeline.models.hf_tokenizer import write_tokenizer
from emojob.pipeline.models.model import MODEL_FORMAT
from emojob.pipeline.models.tokenizer import Tokenizer
from emojob.pipeline.storage.atomic import write_bytes, write_json
from emojob.pipeline.storage.paths import make_folder, remove_all


@dataclass(frozen=True)
class Trained:
    """A trained classifier and the settings that are saved with it.

    Attributes:
        labels: Names of the labels, in id order.
        temperature: Number by which the logits are divided before the softmax.
        context: `none` or `previous`, as in `Model`.
    """

    classifier: Classifier
    shape: BertShape
    labels: tuple[str, ...]
    temperature: float
    context: str = "none"


def write_model_folder(
    folder: Path,
    trained: Trained,
    tokenizer: Tokenizer,
    metrics: dict[str, Any],
    card: str,
    dtype: torch.dtype = torch.bfloat16,
) -> None:
    """Write a model folder: config.json, model.safetensors, the tokenizer's files, metrics.json and README.md.

    config.json is written last. Therefore a folder that contains config.json is complete.

    Args:
        folder: The model folder; created if missing.
        trained: The classifier and its settings.
        tokenizer: The tokenizer that the classifier was trained with.
        metrics: Content of metrics.json.
        card: Content of README.md, the model card.
        dtype: dtype of the weights in model.safetensors.
    """
    state = {name: w.detach().cpu() for name, w in trained.classifier.state_dict().items()}
    config = model_config(trained.shape, trained.labels, trained.temperature, trained.context, dtype)
    write_files(folder, to_hf(state), config, tokenizer, metrics, card, dtype)


def write_files(
    folder: Path,
    weights: dict[str, Tensor],
    config: dict[str, Any],
    tokenizer: Tokenizer,
    metrics: dict[str, Any],
    card: str,
    dtype: torch.dtype,
) -> None:
    """Write the files of a model folder, config.json last.

    Args:
        folder: The model folder; created if missing.
        weights: {Hugging Face name: tensor}.
        config: Content of config.json.
        tokenizer: The tokenizer that the model was trained with.
        metrics: Content of metrics.json.
        card: Content of README.md, the model card.
        dtype: dtype of the weights in model.safetensors.
    """
    make_folder(folder)
    remove_all([folder / "config.json"])
    weights = {name: weight.to(dtype).contiguous() for name, weight in weights.items()}
    # `save_file` of safetensors is not used: it leaves a temporary file if the process is killed
    write_bytes(folder / "model.safetensors", save(weights, metadata={"format": "pt"}))
    write_tokenizer(tokenizer, folder, config["max_position_embeddings"])
    write_json(folder / "metrics.json", metrics)
    write_bytes(folder / "README.md", card.encode())
    write_json(folder / "config.json", config)


def model_config(
    shape: BertShape, labels: tuple[str, ...], temperature: float, context: str, dtype: torch.dtype
) -> dict[str, Any]:
    """Return the content of config.json. Without labels, the model is a base model without a classification head."""
    sizes = {
        "architectures": ["BertForSequenceClassification" if labels else "BertModel"],
        "model_type": "bert",
        "vocab_size": shape.vocab_size,
        "hidden_size": shape.hidden_size,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "intermediate_size": shape.intermediate_size,
        "max_position_embeddings": shape.max_positions,
        "type_vocab_size": shape.type_vocab_size,
        "layer_norm_eps": shape.layer_norm_eps,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "pad_token_id": shape.pad_id,
        "dtype": str(dtype).removeprefix("torch."),
    }
    if not labels:
        return sizes
    return sizes | {
        "id2label": {str(i): label for i, label in enumerate(labels)},
        "label2id": {label: i for i, label in enumerate(labels)},
        "emojob_format": MODEL_FORMAT,
        "emojob_temperature": round(temperature, 6),
        "emojob_context": context,
    }
