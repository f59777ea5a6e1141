"""Writes a classifier in the forms that people keep: names of the classes that they trained, and files around them."""

from __future__ import annotations

import argparse
import collections
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

State = dict[str, Tensor]

PREFIXES = (
    "",
    "module.",
    "_orig_mod.",
    "model.",
    "net.",
    "module._orig_mod.",
    "_orig_mod.module.model.",
    "net.module.",
)
HEADS = ("classifier", "classifier.0", "classifier.1", "fc", "out_proj", "linear", "head.1", "cls_fc")


class Stranger:
    """A class that the reader of a checkpoint does not have."""

    def __init__(self) -> None:
        self.rate = 0.1


def renamed(state: State, prefix: str = "", head: str = "classifier", encoder: str = "bert") -> State:
    """The same weights under other names."""
    names = {}
    for name, weight in state.items():
        first, _, rest = name.partition(".")
        names[f"{prefix}{ {'bert': encoder, 'classifier': head}[first] }.{rest}"] = weight
    return names


def old_names(state: State) -> State:
    """The names of weights that came from TensorFlow."""
    return {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): weight
        for name, weight in state.items()
    }


def with_buffers(state: State) -> State:
    """The buffers that earlier transformers saved, the heads of pretraining, and the weights of a loss."""
    prefix = next(name for name in state if name.endswith("word_embeddings.weight")).partition("embeddings.")[0]
    return state | {
        f"{prefix}embeddings.position_ids": torch.arange(512)[None],
        f"{prefix}embeddings.token_type_ids": torch.zeros(1, 512, dtype=torch.int64),
        "cls.predictions.bias": torch.zeros(8002),
        "criterion.weight": torch.ones(6),
    }


def with_more_rows(state: State, rows: int) -> State:
    """Word embeddings with rows that no piece of the tokenizer has."""
    name = next(name for name in state if name.endswith("word_embeddings.weight"))
    return state | {name: torch.cat([state[name], torch.randn(rows, state[name].shape[1], dtype=state[name].dtype)])}


def half(state: State, dtype: torch.dtype = torch.float16) -> State:
    """The weights in half precision."""
    return {name: weight.to(dtype) if weight.is_floating_point() else weight for name, weight in state.items()}


#: What lies around the weights: {name: function that returns the object to save}.
WRAPPED: dict[str, Callable[[State], Any]] = {
    "plain": lambda state: state,
    "ordered": collections.OrderedDict,
    "model": lambda state: {"model": state},
    "state_dict": lambda state: {
        "state_dict": state, "epoch": 3, "pytorch-lightning_version": "2.1.0", "hyper_parameters": {"lr": 5e-5},
        "callbacks": {}, "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(3)}}}],
    },
    "model_state_dict": lambda state: {
        "epoch": 1, "model_state_dict": state, "optimizer": {"state": {0: torch.zeros(2)}}, "loss": 0.5,
    },
    "numpy_scalar": lambda state: {"model_state_dict": state, "best_acc": np.float64(0.9)},
    "namespace": lambda state: {"model": state, "args": argparse.Namespace(lr=0.1), "other": Stranger()},
    "deep": lambda state: {"checkpoint": {"model": state, "ema": {n: w + 1 for n, w in state.items()}}},
}  # fmt: skip


def write(state: State, file: Path, wrapped: str = "plain", legacy: bool = False) -> Path:
    """Save a checkpoint, as safetensors if the file's name says so."""
    if file.suffix == ".safetensors":
        save_file({name: weight.contiguous() for name, weight in state.items()}, file)
    else:
        torch.save(WRAPPED[wrapped](state), file, _use_new_zipfile_serialization=not legacy)
    return file
