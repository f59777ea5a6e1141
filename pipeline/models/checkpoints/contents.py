"""Finds the weights among the objects in a file of `torch.save` or `pickle.dump`.

`dict.items(content)` instead of `content.items()`: a hostile file can replace methods of an OrderedDict.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from emojob.pipeline.models.checkpoints.names import without_wrappers
from emojob.pipeline.models.checkpoints.unpickling import Unread, dangerous_name
from emojob.schemas.errors import ModelError, OptionError
from emojob.schemas.messages import counted, listed

#: Line that saves the weights of a model, for messages.
SAVE_STATE = '`torch.save(model.state_dict(), "weights.pt")`'

# Keys of dictionaries that hold the weights, the usual one first.
_KEYS = ("state_dict", "model_state_dict", "model", "model_state", "net", "weights", "module", "params")
_WORDS = "embeddings.word_embeddings.weight"
_DEEPEST = 4  # levels of dictionaries and lists that are searched


@dataclass
class CheckpointWeights:
    """The weights of a checkpoint, with the names that the file gives them.

    Attributes:
        file: The file that was read.
        weights: {name: tensor}.
        where: Keys that lead to the weights inside the file, such as ("model_state_dict",).
        dropped: Names of everything else in the file.
        notes: Messages for the user about other weights in the file.
    """

    file: Path
    weights: dict[str, Tensor]
    where: tuple[str, ...] = ()
    dropped: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


_Found = tuple[tuple[str, ...], dict[str, Tensor]]


def find_weights(file: Path, content: Any, unread: set[str], key: str | None) -> CheckpointWeights:
    """Return the weights of one model in a file.

    Args:
        file: The file, for error messages.
        content: The object in the file.
        unread: Names of the objects that were not read.
        key: Key of the weights, or keys joined with dots. None: the usual key.

    Raises:
        ModelError: The file names a command, contains no weights of an encoder, or contains several models and no
            usual key tells which one to take.
        OptionError: No weights have the key.
    """
    _check_names(file, unread)
    found = list(_state_dicts(content))
    if not found:
        raise ModelError(_no_weights(file, content, unread))
    (where, weights), notes = _one_model(found, file) if key is None else (_of_key(found, key, file), [])
    heads = _separate_heads(content, where)
    if heads:  # the encoder and the head were saved as two dictionaries
        weights = {f"{where[-1]}.{name}": weight for name, weight in weights.items()} | heads
    used = {name.partition(".")[0] for name in heads}
    dropped = [name for name in _others(content, where) if name not in used]
    return CheckpointWeights(file, weights, where, dropped, notes)


def tensors_in(file: Path, content: Any, unread: set[str]) -> dict[str, Tensor]:
    """Return the tensors in a file that contains only a part of the weights. Raises ModelError."""
    _check_names(file, unread)
    weights = {name: value.detach() for name, value in _items(content) if isinstance(value, Tensor)}
    if not weights:
        raise ModelError(_no_weights(file, content, unread))
    return weights


def _check_names(file: Path, unread: set[str]) -> None:
    """Raise ModelError if the file names a command."""
    dangerous = dangerous_name(unread)
    if dangerous:
        raise ModelError(
            f"CHECKPOINT {file} would call {dangerous:.80} if another program opened it; emojob ran nothing, and does "
            f"not use the file: get the checkpoint from its author again"
        )


def _one_model(found: list[_Found], file: Path) -> tuple[_Found, list[str]]:
    """Return the weights under the usual key, and a note if other weights in the file differ from them."""
    found = sorted(found, key=lambda one: _rank(one[0]))
    first = found[0]
    others = [where for where, weights in found[1:] if not _are_same(weights, first[1])]
    if not others:
        return first, []
    if any(_is_usual(where) for where in others) or not _is_usual(first[0]):
        keys = [".".join(where) for where in (first[0], *others)]
        raise ModelError(
            f"CHECKPOINT {file} contains the weights of {len(keys)} different models, under the keys {listed(keys)}: "
            f"give the key of one of them, for example --key {keys[0]}"
        )
    keys = [".".join(where) for where in others]
    return first, [
        f"the weights under {listed(keys)} differ from those under {'.'.join(first[0])}, which are converted; --key "
        f"{keys[0]} converts others"
    ]


def _of_key(found: list[_Found], key: str, file: Path) -> _Found:
    keys = [".".join(where) for where, _ in found]
    matching = [one for one, name in zip(found, keys, strict=True) if key == name] or [
        one for one in found if one[0][-1:] == (key,)
    ]
    if len(matching) != 1:
        named = listed([name for name in keys if name])
        advice = f"give one of {named}" if any(keys) else "omit --key"
        count = counted(len(matching), "model") if matching else "no model"
        raise OptionError(f"CHECKPOINT {file} contains {count} under the key {key:.80}: {advice}")
    return matching[0]


def _are_same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Return whether two dictionaries hold the same weights. Wrappers such as `module.` make no difference."""
    left, right = ({without_wrappers(name): weight for name, weight in weights.items()} for weights in (one, other))
    return left.keys() == right.keys() and all(
        weight.dtype == right[name].dtype and weight.shape == right[name].shape and torch.equal(weight, right[name])
        for name, weight in left.items()
    )


def _no_weights(file: Path, content: Any, unread: set[str]) -> str:
    values = [content, *(dict.values(content) if isinstance(content, dict) else ())]
    objects = [value.NAME for value in values if isinstance(value, Unread)] or sorted(unread)
    if any("numpy" in name and name.endswith("._reconstruct") for name in objects):
        return (
            f"CHECKPOINT {file} contains NumPy arrays, but emojob reads tensors: load the file where it was made, and "
            f"save its dictionary with `torch.save({{name: torch.from_numpy(one) for name, one in weights.items()}}, "
            f'"weights.pt")`, then give weights.pt'
        )
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
    if len(where) > _DEEPEST:
        return
    # `named_parameters` gives weights with gradients, whose numbers torch reads with a warning
    weights = {name: value.detach() for name, value in _items(content) if isinstance(value, Tensor)}
    if any(name.endswith(_WORDS) for name in weights):
        yield where, weights
        return
    for key, value in _items(content):
        yield from _state_dicts(value, (*where, key))


def _items(content: Any) -> list[tuple[str, Any]]:
    """Return (key, value) for the content of a dictionary, or of a list, whose keys are the positions."""
    if isinstance(content, dict):
        return [(str(key), value) for key, value in dict.items(content)]
    return [(str(i), value) for i, value in enumerate(content)] if isinstance(content, list | tuple) else []


def _separate_heads(content: Any, where: tuple[str, ...]) -> dict[str, Tensor]:
    """Return the weights of linear layers that lie beside the dictionary of the encoder, as {layer.weight: tensor}."""
    if not where:
        return {}
    for key in where[:-1]:
        content = next(value for name, value in _items(content) if name == key)
    heads: dict[str, Tensor] = {}
    for key, layer in _items(content):
        if (
            isinstance(layer, dict)
            and layer
            and all(str(name).split(".")[-1] in ("weight", "bias") for name in dict.keys(layer))
        ):
            found = {f"{key}.{name}": weight.detach() for name, weight in _items(layer) if isinstance(weight, Tensor)}
            if len(found) <= 2:
                heads |= found
    return heads


def _rank(where: tuple[str, ...]) -> tuple[int, int]:
    """Return a sort key: dictionaries of usual names first, for example before the averaged weights in `ema`."""
    known = _KEYS.index(where[-1]) if where and where[-1] in _KEYS else len(_KEYS)
    return (0 if not where else 1 + known, len(where))


def _is_usual(where: tuple[str, ...]) -> bool:
    return not where or where[-1] in _KEYS


def _others(content: Any, where: tuple[str, ...]) -> list[str]:
    """Return the names of what lies beside the weights in a checkpoint."""
    names = []
    for key in where:
        names += [name for name, _ in _items(content) if name != key]
        content = next(value for name, value in _items(content) if name == key)
    return names + [name for name, value in _items(content) if not isinstance(value, Tensor)]
