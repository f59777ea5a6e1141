"""Refuses models whose probabilities emojob would compute wrongly, and names the reason."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from emojob.schemas.errors import ModelError

#: Values of problem_type: a text has exactly one label, or any number of labels.
SINGLE, MULTI = "single_label_classification", "multi_label_classification"
TASKS = (SINGLE, MULTI)

#: Values of hidden_act that mean the exact GELU (with the error function), which emojob computes.
EXACT_GELU = ("gelu", "gelu_python")

_POINTER = b"version https://git-lfs"

_GIVE_ANOTHER = "give another model, such as a KoBERT classifier"

# Parts of weight names: (what a model with such weights contains, the next step).
_OTHER_PARTS = {
    "distance_embedding": ("relative position embeddings", _GIVE_ANOTHER),
    "crossattention": ("cross-attention", _GIVE_ANOTHER),
    "lora_": ("LoRA adapters", "merge them with `model = model.merge_and_unload()`, and save the model again"),
    "_packed_params": ("quantized weights", "save the model before quantization"),
}


def check_pointer(file: Path, shown: str) -> None:
    """Raise ModelError if a file is a pointer of Git LFS, which stands for a large file. Raises OSError.

    Args:
        file: A file of the model.
        shown: Name of the file, for error messages.
    """
    with file.open("rb") as opened:
        first = opened.read(len(_POINTER))
    if first == _POINTER:
        raise ModelError(
            f"{shown} is a pointer of Git LFS, not the file itself: run `git lfs pull` in its folder, or download the "
            f"file again"
        )


def check_config(config: dict[str, Any], shown: str) -> None:
    """Raise ModelError if config.json describes an encoder that emojob does not compute.

    Args:
        config: Content of config.json.
        shown: Name of the model, for error messages.
    """
    act = config.get("hidden_act", "gelu")
    if act not in EXACT_GELU:
        raise ModelError(
            f"{shown} has hidden_act {act!r} in its config.json, but emojob supports only 'gelu': give another model"
        )
    positions = config.get("position_embedding_type") or "absolute"
    if positions != "absolute":
        raise ModelError(
            f"{shown} has position_embedding_type {positions!r} in its config.json (relative position embeddings), but "
            f"emojob supports only 'absolute': {_GIVE_ANOTHER}"
        )
    for key, what in (("add_cross_attention", "cross-attention"), ("is_decoder", "a decoder")):
        if config.get(key):
            raise ModelError(
                f"{shown} has {key} true in its config.json ({what}), but emojob supports only encoders: "
                f"{_GIVE_ANOTHER}"
            )
    if config.get("quantization_config"):
        raise ModelError(
            f"{shown} has quantization_config in its config.json (quantized weights), but emojob reads only weights in "
            f"fp32, fp16 or bf16: save the model before quantization; `--precision int8` of emojob quantizes it"
        )


def check_names(names: Collection[str], shown: str) -> None:
    """Raise ModelError if the weights have other names, or belong to a part that emojob does not compute.

    Args:
        names: Names of the weights.
        shown: Name of the model, for error messages.
    """
    words = "embeddings.word_embeddings.weight"
    prefixes = {name.removesuffix(words) for name in names if name.endswith(words)}
    if prefixes and not prefixes & {"bert.", ""}:
        raise ModelError(
            f"the weights of {shown} have other names than those of transformers (for example {min(prefixes)}{words}): "
            f"make a model folder from it with `emojob convert {shown} -o DIR --labels L1,L2,...`"
        )
    for name in names:
        for part, (what, advice) in _OTHER_PARTS.items():
            if part in name:
                raise ModelError(
                    f"{shown} has {what} (the weight {name:.120}), which emojob does not compute: {advice}"
                )


def check_task(config: dict[str, Any], outputs: int, shown: str) -> None:
    """Raise ModelError if the head is not a classifier with an output for each label.

    Args:
        config: Content of config.json.
        outputs: Number of outputs of the head.
        shown: Name of the model, for error messages.
    """
    task = config.get("problem_type")
    if task not in (None, *TASKS):
        raise ModelError(
            f"{shown} has problem_type {task!r} in its config.json, which predicts "
            f"{'a number' if task == 'regression' else 'no labels'}: give a model with at least two labels, whose "
            f"problem_type is {SINGLE} (one label for each text) or {MULTI} (a sigmoid for each label)"
        )
    if outputs == 1:
        raise ModelError(
            f"{shown} has one output (a regression, or a yes-no model with a sigmoid), so each text would get the same "
            f"label: give a model with at least two labels, such as yes and no, or with a sigmoid for each of several "
            "labels"
        )
    head = next((name for name in config.get("architectures") or [] if not _is_text_classifier(str(name))), None)
    if head:
        raise ModelError(
            f"{shown} is a {head:.60} in its config.json, but emojob supports only BertForSequenceClassification: "
            f"{_GIVE_ANOTHER}"
        )


def _is_text_classifier(architecture: str) -> bool:
    """Return False for a class of transformers with another head, such as BertForTokenClassification."""
    return re.fullmatch(r"Bert(For(?!SequenceClassification)\w+|LMHeadModel)", architecture) is None
