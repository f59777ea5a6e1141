"""Infers the sizes of a BERT model from the shapes of its weights."""

from __future__ import annotations

import re
from typing import Any

from torch import Tensor

from emojob.pipeline.models.bert import BertShape
from emojob.schemas.errors import ModelError
from emojob.schemas.messages import counted, listed

_HEAD = 64  # size of an attention head in almost all BERT models
_LAYER = re.compile(r"bert\.encoder\.layer\.(\d+)\.")

# Keys of config.json: (name in BertShape, what the weights say).
_FROM_WEIGHTS = {
    "vocab_size": "vocab_size",
    "hidden_size": "hidden_size",
    "num_hidden_layers": "layers",
    "intermediate_size": "intermediate_size",
    "max_position_embeddings": "max_positions",
    "type_vocab_size": "type_vocab_size",
}


def infer_shape(weights: dict[str, Tensor], base: dict[str, Any] | None, shown: str) -> tuple[BertShape, list[str]]:
    """Return the sizes of the model, and what is assumed because no weight shows it.

    Args:
        weights: {name in transformers: tensor} of the encoder.
        base: Content of the config.json of the same kind of model; None: there is none.
        shown: Name of the checkpoint, for error messages.

    Raises:
        ModelError: A weight is missing or has another size than the others, or the sizes contradict `base`.
    """
    layers = _count_layers(weights, shown)
    _check_complete(weights, layers, shown)
    words = weights["bert.embeddings.word_embeddings.weight"]
    hidden = words.shape[1]
    heads, assumed = _heads(hidden, base, shown)
    eps = (base or {}).get("layer_norm_eps", 1e-12)
    if not isinstance(eps, int | float):
        raise ModelError(f"config.json of the base model has layer_norm_eps {eps!r}: give the --base of this model")
    if base is None:
        assumed.append("layer_norm_eps 1e-12 and hidden_act gelu")
    shape = BertShape(
        vocab_size=words.shape[0],
        hidden_size=hidden,
        layers=layers,
        heads=heads,
        intermediate_size=weights["bert.encoder.layer.0.intermediate.dense.weight"].shape[0],
        max_positions=weights["bert.embeddings.position_embeddings.weight"].shape[0],
        type_vocab_size=weights["bert.embeddings.token_type_embeddings.weight"].shape[0],
        layer_norm_eps=float(eps),
    )
    if shape.type_vocab_size == 1 and base is None:
        raise ModelError(
            f"{shown} has one kind of segment (token_type_embeddings), as RoBERTa has, and RoBERTa counts positions in "
            f"another way: give --base FOLDER with the config.json of the model if it is a BERT model"
        )
    _check_shapes(weights, shape, shown)
    _check_base(shape, base, shown)
    return shape, assumed


def _count_layers(weights: dict[str, Tensor], shown: str) -> int:
    numbers = sorted({int(found[1]) for name in weights if (found := _LAYER.match(name))})
    if not numbers or numbers != list(range(len(numbers))):
        raise ModelError(
            f"{shown} has the layers {listed([str(one) for one in numbers])}, but the layers of an encoder have the "
            f"numbers from 0 without a gap: the file may be incomplete, so save the weights again"
        )
    return len(numbers)


def _expected(weights: dict[str, Tensor], layers: int) -> list[str]:
    """Return the names of all weights of an encoder. Only a model without a head needs no pooler."""
    parts = [f"embeddings.{kind}_embeddings.weight" for kind in ("word", "position", "token_type")]
    has_pooler = "classifier.weight" in weights or any("pooler" in name for name in weights)
    modules = ["embeddings.LayerNorm", *["pooler.dense"] * has_pooler]
    for i in range(layers):
        of_layer = [f"attention.self.{kind}" for kind in ("query", "key", "value")]
        of_layer += ["attention.output.dense", "attention.output.LayerNorm", "intermediate.dense"]
        modules += [f"encoder.layer.{i}.{part}" for part in (*of_layer, "output.dense", "output.LayerNorm")]
    parts += [f"{module}.{kind}" for module in modules for kind in ("weight", "bias")]
    return [f"bert.{part}" for part in parts]


def _check_complete(weights: dict[str, Tensor], layers: int, shown: str) -> None:
    missing = [name for name in _expected(weights, layers) if name not in weights]
    if any("pooler" in name for name in missing):
        raise ModelError(
            f"{shown} lacks BERT's pooler (bert.pooler.dense), so its head reads something else than the pooled output "
            f"(for example the mean of the tokens), which emojob does not compute: fine-tune with the pooled output, "
            f"for example with `emojob train`"
        )
    if missing:
        raise ModelError(
            f"{shown} lacks {counted(len(missing), 'weight')} of the encoder ({listed(missing[:4])}): the file may be "
            f"incomplete, so save the weights of the whole model again"
        )


def _heads(hidden: int, base: dict[str, Any] | None, shown: str) -> tuple[int, list[str]]:
    """Return (number of attention heads, assumption). No weight shows the number of heads."""
    if base is not None:
        try:
            heads = int(base["num_attention_heads"])
        except (KeyError, TypeError, ValueError):
            heads = 0
        if heads < 1 or hidden % heads:
            raise ModelError(
                f"config.json of the base model has num_attention_heads {base.get('num_attention_heads')!r}, but the "
                f"hidden size of {shown} is {hidden}, which must be a multiple: give the --base of this model"
            )
        return heads, []
    if hidden % _HEAD:
        raise ModelError(
            f"{shown} has the hidden size {hidden}, which is no multiple of {_HEAD}, so the number of attention heads "
            f"is unknown: give --base FOLDER, a folder with the config.json of the model (num_attention_heads)"
        )
    return hidden // _HEAD, [f"{counted(hidden // _HEAD, 'attention head')} ({_HEAD} dimensions each)"]


def _check_shapes(weights: dict[str, Tensor], shape: BertShape, shown: str) -> None:
    """Raise ModelError if a weight has another shape than the sizes require, for example after head pruning."""
    hidden, wide = shape.hidden_size, shape.intermediate_size
    special = {
        "word_embeddings.weight": (shape.vocab_size, hidden),
        "position_embeddings.weight": (shape.max_positions, hidden),
        "token_type_embeddings.weight": (shape.type_vocab_size, hidden),
        "intermediate.dense.weight": (wide, hidden),
        "intermediate.dense.bias": (wide,),
    }
    for name in _expected(weights, shape.layers):
        expected: tuple[int, ...] = (hidden, hidden) if name.endswith("dense.weight") else (hidden,)
        if ".attention.self." in name and name.endswith("weight"):
            expected = (hidden, hidden)
        if name.endswith("output.dense.weight") and ".attention." not in name:
            expected = (hidden, wide)
        expected = next((size for end, size in special.items() if name.endswith(end)), expected)
        found = tuple(weights[name].shape)
        if found != expected:
            raise ModelError(
                f"{shown} has the weight {name} of the shape {found}, but the other weights require {expected} (pruned "
                f"heads and layers of different sizes are not supported): give a checkpoint of an ordinary BERT model"
            )


def _check_base(shape: BertShape, base: dict[str, Any] | None, shown: str) -> None:
    """Raise ModelError if the config.json of the base model has other sizes than the weights."""
    for key, name in _FROM_WEIGHTS.items():
        given = (base or {}).get(key)
        if key != "vocab_size" and given is not None and given != getattr(shape, name):  # rows may have been added
            raise ModelError(
                f"{shown} has {key} {getattr(shape, name)}, but config.json of the base model has {given!r}: give the "
                f"--base that the model was fine-tuned from"
            )
