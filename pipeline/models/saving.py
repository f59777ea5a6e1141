"""Writes a model folder that `transformers` can load without remote code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

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
    make_folder(folder)
    remove_all([folder / "config.json"])
    state = {name: w.detach().cpu().to(dtype) for name, w in trained.classifier.state_dict().items()}
    weights = {name: w.contiguous() for name, w in to_hf(state).items()}
    # `save_file` of safetensors is not used: it leaves a temporary file if the process is killed
    write_bytes(folder / "model.safetensors", save(weights, metadata={"format": "pt"}))
    write_tokenizer(tokenizer, folder, trained.shape.max_positions)
    write_json(folder / "metrics.json", metrics)
    write_bytes(folder / "README.md", card.encode())
    write_json(folder / "config.json", _config(trained, dtype))


def _config(trained: Trained, dtype: torch.dtype) -> dict[str, Any]:
    shape = trained.shape
    return {
        "architectures": ["BertForSequenceClassification"],
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
        "id2label": {str(i): label for i, label in enumerate(trained.labels)},
        "label2id": {label: i for i, label in enumerate(trained.labels)},
        "dtype": str(dtype).removeprefix("torch."),
        "emojob_format": MODEL_FORMAT,
        "emojob_temperature": round(trained.temperature, 6),
        "emojob_context": trained.context,
    }
