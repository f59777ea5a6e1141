"""Finds the weights in a checkpoint: a file of torch.save, pickle.dump or safetensors, or a folder."""

from __future__ import annotations

import json
import re
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from emojob.pipeline.models.checkpoints.contents import SAVE_STATE, CheckpointWeights, find_weights, tensors_in
from emojob.pipeline.models.checkpoints.unpickling import load_objects
from emojob.pipeline.models.refusals import check_pointer
from emojob.schemas.errors import ModelError, OptionError
from emojob.schemas.messages import last_line, listed

_WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")
_ENDINGS = (".pt", ".pth", ".bin", ".ckpt", ".safetensors")
_PICKLE_ENDINGS = (".pkl", ".pickle")  # often of other objects, so only where no other file may hold the weights
_NOT_WEIGHTS = ("optimizer", "scheduler", "rng_state", "random_states", "training_args", "scaler")

_SHARD = re.compile(r"(.+)-\d{5}-of-\d{5}(\.\w+)")  # name of one of several files of a model

# First bytes of pickles: protocol 2 and later, and earlier protocols, which look like text.
_PICKLE = (b"\x80",)
_OLD_PICKLE = (b"(", b"c", b"}", b"]")

_SAVE = f"load the model in its own program, and save the weights of the PyTorch model with {SAVE_STATE}"

# First bytes of files that are no checkpoints of torch: (bytes, what the file is, the next step).
_OTHER_FILES = (
    (b"\x89HDF", "an HDF5 file of Keras (.h5)", _SAVE),
    (b"\x12\x01\x00\x00", "a parameter file of MXNet", _SAVE),
    (b"\x08", "an ONNX or a TensorFlow file", _SAVE),
    (b"\x1f\x8b", "a file of gzip", "unpack it with `gunzip` (.gz) or `tar -xzf` (.tar.gz), and give the file in it"),
    (b"<", "a web page or XML", "download the file itself again, not the page that shows it"),
)


def read_checkpoint(path: Path, key: str | None = None) -> CheckpointWeights:
    """Return the weights of a checkpoint. No code in the checkpoint runs.

    Args:
        path: A file of `torch.save`, `pickle.dump` or safetensors, or a folder that contains one.
        key: Key of the weights in the file, if the file contains the weights of several models.

    Raises:
        ModelError: The checkpoint is missing, damaged, contains no weights, or contains several models.
        OptionError: No weights have the key.
    """
    file = _file_in(path) if path.is_dir() else _index_of(path)
    try:
        read = CheckpointWeights(file, _read_shards(file)) if file.suffix == ".json" else _read_file(file, key)
    except OSError as error:
        raise ModelError(
            f"CHECKPOINT {file} cannot be read ({error.strerror}): give a file of torch.save or safetensors, or the "
            f"folder that contains it"
        ) from None
    if key is not None and not read.where:
        raise OptionError(
            f"--key {key:.80} is given, but CHECKPOINT {file} contains the weights of one model: omit --key"
        )
    return read


def _read_file(file: Path, key: str | None) -> CheckpointWeights:
    if _is_safetensors(file):
        return CheckpointWeights(file, _read_safetensors(file))
    return find_weights(file, *load_objects(file), key)


def _is_safetensors(file: Path) -> bool:
    """Return whether a file is of safetensors (True) or a pickle. Raises ModelError for other files, and OSError."""
    with file.open("rb") as opened:
        first = opened.read(16)
    check_pointer(file, f"CHECKPOINT {file}")
    if first[8:9] == b"{":
        return True
    begins = _PICKLE + _OLD_PICKLE * (file.suffix in _PICKLE_ENDINGS)
    if first[:2] == b"PK" or first[:1] in begins:
        return False
    raise ModelError(_no_checkpoint(file, first))


def _no_checkpoint(file: Path, first: bytes) -> str:
    if not first:
        return f"CHECKPOINT {file} is empty: copy or download the file again"
    kinds = ((kind, advice) for begin, kind, advice in _OTHER_FILES if first.lstrip().startswith(begin))
    kind, advice = next(kinds, ("no file of torch.save", _SAVE))
    return f"CHECKPOINT {file} is {kind}, but emojob reads files of torch.save and safetensors: {advice}"


# -- folders and models in several files -------------------------------------------------------------------------------


def _file_in(folder: Path) -> Path:
    """Return the file with the weights in a folder. Raises ModelError if there is none, or more than one candidate."""
    for name in _WEIGHT_FILES:
        for file in (folder / name, folder / f"{name}.index.json"):
            if file.is_file():
                return file
    found = _candidates(folder)
    if len(found) == 1:
        return _index_of(folder / found[0])
    if found:
        raise ModelError(
            f"CHECKPOINT {folder} contains several files that may hold the weights ({listed(found)}): give one of "
            f"them, for example {folder / found[0]}"
        )
    inner = sorted(
        (one.name for one in folder.iterdir() if one.is_dir() and _candidates(one)),
        key=lambda name: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)],
    )
    if inner:
        names = f"the folder {inner[0]} does" if len(inner) == 1 else f"the folders {listed(inner)} do"
        raise ModelError(
            f"CHECKPOINT {folder} contains no file with weights, but {names}: give {folder / inner[-1]}"
            + ", or another of them" * (len(inner) > 1)
        )
    raise ModelError(
        f"CHECKPOINT {folder} contains no file with weights: give the file itself, which usually ends in "
        f"{', '.join(_ENDINGS[:4])} or {_ENDINGS[4]}"
    )


def _candidates(folder: Path) -> list[str]:
    """Return the names of the files in a folder that may hold weights, sorted."""
    files = [file for file in folder.iterdir() if file.is_file() and not file.name.startswith(_NOT_WEIGHTS)]
    found = [file.name for file in files if file.suffix in _ENDINGS]
    return sorted(found or [file.name for file in files if file.suffix in _PICKLE_ENDINGS])


def _index_of(file: Path) -> Path:
    """Return the index of a model that is split into several files, if `file` is one of them; otherwise `file`."""
    shard = _SHARD.fullmatch(file.name)
    if not shard:
        return file
    index = file.with_name(f"{shard[1]}{shard[2]}.index.json")
    if not index.is_file():
        raise ModelError(
            f"CHECKPOINT {file} is one of several files of a model, but {index.name} is not beside it: copy all files "
            f"of the model into one folder, and give the folder"
        )
    return index


def _read_safetensors(file: Path) -> dict[str, Tensor]:
    try:
        return dict(load_file(file))
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"CHECKPOINT {file} is damaged or incomplete ({last_line(error)}): copy or download the file again"
        ) from None


def _read_shards(index: Path) -> dict[str, Tensor]:
    """Return the weights of a model that is split into several files. Raises ModelError or OSError."""
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ModelError(f"CHECKPOINT {index} is damaged: copy or download the folder again") from None
    files = [index.parent / Path(str(name)).name for name in names]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise ModelError(
            f"CHECKPOINT {index.parent} lacks {listed(missing)}, which {index.name} names: copy or download the "
            f"missing files into the folder"
        )
    weights: dict[str, Tensor] = {}
    for file in files:
        if _is_safetensors(file):
            weights |= _read_safetensors(file)
        else:
            weights |= tensors_in(file, *load_objects(file))
    return weights
