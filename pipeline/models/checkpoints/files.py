"""Finds the weights in a checkpoint: a file of torch.save or safetensors, or a folder of the Trainer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from emojob.pipeline.models.checkpoints.unpickling import Unread, dangerous_name, load_objects
from emojob.schemas.errors import ModelError
from emojob.schemas.messages import last_line, listed

#: Line that saves the weights of a model, for messages.
SAVE_STATE = '`torch.save(model.state_dict(), "weights.pt")`'

# Keys of dictionaries that hold the weights, the usual one first.
_KEYS = ("state_dict", "model_state_dict", "model", "model_state", "net", "weights", "module", "params")
_WORDS = "embeddings.word_embeddings.weight"
_DEEPEST = 4  # levels of dictionaries that are searched

_WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")
_ENDINGS = (".pt", ".pth", ".bin", ".ckpt", ".safetensors")
_NOT_WEIGHTS = ("optimizer", "scheduler", "rng_state", "training_args", "scaler")

# First bytes of files that are no checkpoints of torch: (bytes, what the file is).
_OTHER_FILES = (
    (b"\x89HDF", "an HDF5 file of Keras (.h5)"),
    (b"\x12\x01\x00\x00", "a parameter file of MXNet"),
    (b"\x08", "an ONNX or a TensorFlow file"),
)


@dataclass
class CheckpointWeights:
    """The weights of a checkpoint, with the names that the file gives them.

    Attributes:
        file: The file that was read.
        weights: {name: tensor}.
        where: Keys that lead to the weights inside the file, such as ("model_state_dict",).
        dropped: Names of everything else in the file.
    """

    file: Path
    weights: dict[str, Tensor]
    where: tuple[str, ...] = ()
    dropped: list[str] = field(default_factory=list)


def read_checkpoint(path: Path) -> CheckpointWeights:
    """Return the weights of a checkpoint. No code in the checkpoint runs.

    Args:
        path: A file of `torch.save` or safetensors, or a folder that contains one.

    Raises:
        ModelError: The checkpoint is missing, damaged, or contains no weights.
    """
    file = _file_in(path) if path.is_dir() else path
    try:
        if file.suffix == ".json":
            return CheckpointWeights(file, _read_shards(file))
        with file.open("rb") as opened:
            first = opened.read(16)
    except OSError as error:
        raise ModelError(
            f"CHECKPOINT {path} cannot be read ({error.strerror}): give a file of torch.save or safetensors, or the "
            f"folder that contains it"
        ) from None
    if first[8:9] == b"{":
        return CheckpointWeights(file, _read_safetensors(file))
    if first[:2] != b"PK" and first[:1] != b"\x80":
        raise ModelError(_no_checkpoint(file, first))
    return _from_objects(file, *load_objects(file))


def _no_checkpoint(file: Path, first: bytes) -> str:
    kind = next((kind for begin, kind in _OTHER_FILES if first.startswith(begin)), "no file of torch.save")
    return (
        f"CHECKPOINT {file} is {kind}, but emojob reads files of torch.save and safetensors: load the model in its own "
        f"program, and save the weights of the PyTorch model with {SAVE_STATE}"
    )


def _file_in(folder: Path) -> Path:
    """Return the file with the weights in a folder. Raises ModelError if there is none, or more than one candidate."""
    for name in _WEIGHT_FILES:
        for file in (folder / name, folder / f"{name}.index.json"):
            if file.is_file():
                return file
    found = sorted(
        file.name
        for file in folder.iterdir()
        if file.is_file() and file.suffix in _ENDINGS and not file.name.startswith(_NOT_WEIGHTS)
    )
    if len(found) != 1:
        what = f"several files that may hold the weights ({listed(found)})" if found else "no file with weights"
        raise ModelError(
            f"CHECKPOINT {folder} contains {what}: give the file itself, which usually ends in "
            f"{', '.join(_ENDINGS[:4])} or {_ENDINGS[4]}"
        )
    return folder / found[0]


def _read_safetensors(file: Path) -> dict[str, Tensor]:
    try:
        return dict(load_file(file))
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{file} cannot be read ({last_line(error)}): copy or download the file again") from None


def _read_shards(index: Path) -> dict[str, Tensor]:
    """Return the weights of a model that is split into several files."""
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise ModelError(f"{index} is damaged: copy or download the folder again") from None
    weights: dict[str, Tensor] = {}
    for name in names:
        file = index.parent / Path(str(name)).name
        weights |= read_checkpoint(file).weights
    return weights


# -- objects of torch.save ---------------------------------------------------------------------------------------------
#
# `dict.items(content)` instead of `content.items()`: a hostile file can replace methods of an OrderedDict.


def _from_objects(file: Path, content: Any, unread: set[str]) -> CheckpointWeights:
    dangerous = dangerous_name(unread)
    if dangerous:
        raise ModelError(
            f"CHECKPOINT {file} would call {dangerous:.80} if another program opened it; emojob ran nothing, and does "
            f"not use the file: get the checkpoint from its author again"
        )
    found = list(_state_dicts(content))
    if not found:
        raise ModelError(_no_weights(file, content, unread))
    where, weights = min(found, key=lambda one: _rank(one[0]))
    heads = _separate_heads(content, where)
    if heads:  # the encoder and the head were saved as two dictionaries
        weights = {f"{where[-1]}.{name}": weight for name, weight in weights.items()} | heads
    used = {name.partition(".")[0] for name in heads}
    return CheckpointWeights(file, weights, where, [name for name in _others(content, where) if name not in used])


def _no_weights(file: Path, content: Any, unread: set[str]) -> str:
    values = [content, *(dict.values(content) if isinstance(content, dict) else ())]
    objects = [value.NAME for value in values if isinstance(value, Unread)] or sorted(unread)
    if objects:
        what = f"an object of the class {objects[0]:.80}"
        return (
            f"CHECKPOINT {file} contains {what}, not only weights, and emojob runs no code from a file: where the "
            f"model was trained, load the file and save its weights with {SAVE_STATE}, then give weights.pt"
        )
    return (
        f"CHECKPOINT {file} contains no weights of a BERT encoder (a name that ends in {_WORDS}): give a checkpoint of "
        f"a BERT classifier, saved with {SAVE_STATE}"
    )


def _state_dicts(content: Any, where: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Tensor]]]:
    """Yield (keys that lead to it, weights) for each dictionary that holds the weights of an encoder."""
    if not isinstance(content, dict) or len(where) > _DEEPEST:
        return
    weights = {str(name): value for name, value in dict.items(content) if isinstance(value, Tensor)}
    if any(name.endswith(_WORDS) for name in weights):
        yield where, weights
        return
    for key, value in dict.items(content):
        yield from _state_dicts(value, (*where, str(key)))


def _separate_heads(content: Any, where: tuple[str, ...]) -> dict[str, Tensor]:
    """Return the weights of linear layers that lie beside the dictionary of the encoder, as {layer.weight: tensor}."""
    if not where:
        return {}
    for key in where[:-1]:
        content = next(value for name, value in dict.items(content) if str(name) == key)
    heads: dict[str, Tensor] = {}
    for key, layer in dict.items(content):
        if (
            isinstance(layer, dict)
            and layer
            and all(str(name).split(".")[-1] in ("weight", "bias") for name in dict.keys(layer))
        ):
            found = {f"{key}.{name}": weight for name, weight in dict.items(layer) if isinstance(weight, Tensor)}
            if len(found) <= 2:
                heads |= found
    return heads


def _rank(where: tuple[str, ...]) -> tuple[int, int]:
    """Return a sort key: dictionaries of usual names first, for example before the averaged weights in `ema`."""
    known = _KEYS.index(where[-1]) if where and where[-1] in _KEYS else len(_KEYS)
    return (0 if not where else 1 + known, len(where))


def _others(content: Any, where: tuple[str, ...]) -> list[str]:
    """Return the names of what lies beside the weights in a checkpoint."""
    names = []
    for key in (*where, None):
        if key is None:
            names += [str(name) for name, value in dict.items(content) if not isinstance(value, Tensor)]
            break
        names += [str(name) for name in dict.keys(content) if str(name) != key]
        content = next(value for name, value in dict.items(content) if str(name) == key)
    return names
