"""Finds the encoder and the head among the names of a checkpoint, and gives them the names of transformers.

The name of a weight depends on the class that was trained: `module.bert.encoder...` after DataParallel, `_orig_mod.`
after torch.compile, `model.` or `net.` in a LightningModule, and the head is called classifier, fc, out_proj, linear.
The encoder is recognized by the names inside BERT, which are always the same. The head is the only other linear layer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from emojob.pipeline.models.refusals import check_names
from emojob.schemas.errors import ModelError
from emojob.schemas.messages import counted, listed

# Parts of a name that DataParallel, DDP, DeepSpeed, FSDP and torch.compile add.
_WRAPPERS = {"module", "_orig_mod", "_forward_module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}

_WORDS = "embeddings.word_embeddings.weight"
_LAYER = r"encoder\.layer\.\d+\."
_ENCODER = re.compile(
    r"embeddings\.((word|position|token_type)_embeddings\.weight|LayerNorm\.(weight|bias))"
    rf"|{_LAYER}attention\.self\.(query|key|value)\.(weight|bias)"
    rf"|{_LAYER}(attention\.output|output)\.(dense|LayerNorm)\.(weight|bias)"
    rf"|{_LAYER}intermediate\.dense\.(weight|bias)"
    r"|pooler\.dense\.(weight|bias)"
)
_BUFFERS = re.compile(r"embeddings\.(position_ids|token_type_ids)")
_INSIDE = ("embeddings.", "encoder.", "pooler.")

# Heads of pretraining, and losses and metrics of a training framework. They have no influence on the logits.
_PRETRAINING = re.compile(r"(^|\.)(cls\.(predictions|seq_relationship)|predictions\.(transform|decoder))\.")
_TRAINING = re.compile(
    r"(^|\.)\w*(loss|criterion|metric|accuracy|confusion|f1_?score|auroc|class_?weight|pos_?weight)\w*(\.|$)|(^|\.)\w*_acc(\.|$)",
    re.I,
)

# Other encoders, by the part of the name that holds them.
_OTHER_FAMILIES = ("electra", "roberta", "distilbert", "albert", "deberta", "funnel", "xlnet", "gpt2")

# Parts of names inside encoders that have their own layers, whatever the encoder is called.
_OTHER_INSIDE = {"transformer.layer": "DistilBERT", "albert_layer_groups": "ALBERT", "embeddings_project": "ELECTRA"}


@dataclass(frozen=True)
class Parts:
    """The parts of a checkpoint.

    Attributes:
        weights: {name in transformers: tensor} of the encoder and of the head (`classifier`).
        head: Name of the head in the checkpoint, without wrappers; None for a base model without a head.
        prefix: What stands before `embeddings.` in the checkpoint, without wrappers; for example `model.bert.`.
        dropped: Names in the checkpoint that the model does not need.
        invented: Names of weights that the checkpoint lacks, and that are zero.
    """

    weights: dict[str, Tensor]
    head: str | None
    prefix: str
    dropped: list[str]
    invented: list[str]


def find_parts(given: Mapping[str, Tensor], shown: str) -> Parts:
    """Return the encoder and the head of a checkpoint.

    Args:
        given: {name: tensor} of the checkpoint.
        shown: Name of the checkpoint, for error messages.

    Raises:
        ModelError: The checkpoint has no BERT encoder, several different encoders, or other layers.
    """
    names = _short_names(given, shown)
    check_names([name for name in names if not name.endswith(_WORDS)], shown)
    prefix = _prefix(names, shown)
    weights: dict[str, Tensor] = {}
    dropped: list[str] = []
    others: dict[str, Tensor] = {}
    for name, weight in names.items():
        inside = _modern(name.removeprefix(prefix)) if name.startswith(prefix) else ""
        if _ENCODER.fullmatch(inside):
            _check_layout(name, weight, 2 if inside.endswith("embeddings.weight") else 1, shown)
            weights[f"bert.{inside}"] = weight
        elif _BUFFERS.fullmatch(inside) or _is_unneeded(name, weight):
            dropped.append(name)
        elif inside.startswith(_INSIDE) and prefix:
            raise ModelError(
                f"{shown} has the weight {name:.120} inside the encoder, which BERT does not have: give a checkpoint "
                f"of a BERT classifier"
            )
        else:
            others[name] = weight
    if not others:
        return Parts(weights, None, prefix, dropped, [])
    head, copies = _head(others, weights, prefix, shown)
    return _with_head(weights, others, head, prefix, dropped + copies)


def _check_layout(name: str, weight: Tensor, dimensions: int, shown: str) -> None:
    if weight.layout != torch.strided or weight.ndim < dimensions or weight.is_meta or not weight.numel():
        raise ModelError(
            f"{shown} has the weight {name:.120} of the shape {tuple(weight.shape)}, which is no dense weight of BERT: "
            f"save the weights of the model again"
        )


def _with_head(
    weights: dict[str, Tensor], others: dict[str, Tensor], head: str, prefix: str, dropped: list[str]
) -> Parts:
    invented = []
    weights["classifier.weight"] = others[f"{head}.weight"]
    bias = others.get(f"{head}.bias")
    if bias is None:
        bias = torch.zeros(len(weights["classifier.weight"]))
        invented.append("classifier.bias")
    weights["classifier.bias"] = bias
    return Parts(weights, head, prefix, dropped, invented)


def without_wrappers(name: str) -> str:
    """Return the name of a weight without the parts that DataParallel, torch.compile and others add."""
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)


def _short_names(given: Mapping[str, Tensor], shown: str) -> dict[str, Tensor]:
    names: dict[str, Tensor] = {}
    for name, weight in given.items():
        short = without_wrappers(name)
        if short in names and not _are_equal(names[short], weight):
            raise ModelError(
                f"{shown} has two different weights for {short:.120}: save the weights of one model, and give that file"
            )
        names[short] = weight
    return names


def _modern(name: str) -> str:
    """Return the name of a weight in transformers. Weights from TensorFlow have gamma and beta in LayerNorm."""
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")


def _are_equal(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.equal(one, other)


def _prefix(names: dict[str, Tensor], shown: str) -> str:
    """Return what stands before `embeddings.`. Equal copies of the encoder are removed from `names`."""
    prefixes = sorted(
        (name.removesuffix(_WORDS) for name in names if name.endswith(_WORDS)), key=lambda one: (len(one), one)
    )
    for inside, kind in _OTHER_INSIDE.items():
        if any(inside in name for name in names):
            raise ModelError(_other_family(kind, shown))
    family = next((one for name in names for one in _OTHER_FAMILIES if one in name.split(".")[:3]), None)
    last = prefixes[0].rstrip(".").rpartition(".")[2] if prefixes else ""
    if family and (not prefixes or last in _OTHER_FAMILIES):
        raise ModelError(_other_family(last or family, shown))
    if not prefixes:
        raise ModelError(
            f"{shown} contains no BERT encoder (no name ends in {_WORDS}): give a checkpoint of a BERT classifier"
        )
    first = prefixes[0]
    for other in prefixes[1:]:
        copies = [name for name in names if name.startswith(other) and first + name.removeprefix(other) in names]
        if not all(_are_equal(names[name], names[first + name.removeprefix(other)]) for name in copies):
            raise ModelError(
                f"{shown} contains several different encoders ({listed(prefixes)}): save the weights of one model, and "
                f"give that file"
            )
        for name in copies:
            del names[name]
    return first


def _other_family(kind: str, shown: str) -> str:
    return (
        f"{shown} is a model of the kind {kind}, but emojob computes only BERT: train a BERT model with `emojob "
        f"train`, which also accepts RoBERTa and ELECTRA models as --base"
    )


def _is_unneeded(name: str, weight: Tensor) -> bool:
    """Return whether a weight has no influence on the logits of a classifier."""
    is_counter = not weight.is_floating_point() and (weight.numel() == 1 or name.endswith("_ids"))
    return bool(_PRETRAINING.search(name) or _TRAINING.search(name) or is_counter)


def _head(others: dict[str, Tensor], encoder: dict[str, Tensor], prefix: str, shown: str) -> tuple[str, list[str]]:
    """Return (name of the head, names of equal copies). The head is the only linear layer outside the encoder.

    Raises:
        ModelError: There are other layers than one linear layer.
    """
    hidden = encoder["bert." + _WORDS].shape[1]
    modules: dict[str, dict[str, Tensor]] = {}
    for name, weight in others.items():
        module, _, kind = name.rpartition(".")
        modules.setdefault(module, {})[kind] = weight
    linear = [
        module
        for module, one in modules.items()
        if set(one) <= {"weight", "bias"}
        and "weight" in one
        and one["weight"].shape[1:] == (hidden,)
        and one["weight"].layout == torch.strided
        and ("bias" not in one or one["bias"].shape == one["weight"].shape[:1])
    ]
    copies = [
        module
        for module in linear[1:]
        if modules[module].keys() == modules[linear[0]].keys()
        and all(_are_equal(weight, modules[linear[0]][kind]) for kind, weight in modules[module].items())
    ]
    rest = [name for name in others if name.rpartition(".")[0] not in (*linear[:1], *copies)]
    if not linear or rest:
        layers = rest or list(others)
        raise ModelError(
            f"{shown} has {counted(len(layers), 'weight')} outside the encoder that emojob does not compute "
            f"({listed(layers[:6])}): the head must be one linear layer on BERT's pooled output, as in "
            f"BertForSequenceClassification"
        )
    return linear[0], [name for name in others if name.rpartition(".")[0] in copies]
