"""Caches results that are computed once per model: the int8 graph, and the measured rate of each engine.

Entries are saved in the subfolder `openvino` of the model folder. If this folder is not writable, or if the model is
the default model, entries are saved in the user's cache folder. An entry is used only if it was computed from the same
inputs and the hashes of its files are correct.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path
from typing import Any

from emojob.pipeline.models.model import Model
from emojob.pipeline.storage.atomic import read_json, write_bytes, write_json


def folders(model: Model) -> list[Path]:
    """Return the folders that may contain entries of a model, the preferred folder first."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "emojob" / model.fingerprint[:16]
    return [cache] if model.is_packaged else [model.folder / "openvino", cache]


def load(model: Model, name: str, made_from: dict[str, Any]) -> dict[str, Any] | None:
    """Return a cached value.

    Args:
        model: The model.
        name: Name of the entry.
        made_from: Inputs of the computation, as JSON. An entry is used only if it was saved with equal inputs.

    Returns:
        The value. It has the additional key "folder": the folder of the entry's files. None if no entry is valid.
    """
    for folder in folders(model):
        with contextlib.suppress(OSError, KeyError, TypeError, AttributeError):  # a damaged file is treated as missing
            entry = read_json(folder / f"{name}.json")
            is_complete = all(_hash(folder / file) == sha for file, sha in entry["sha256"].items())
            if is_complete and entry["made_from"] == made_from:
                return {**entry["value"], "folder": folder}
    return None


def save(model: Model, name: str, made_from: dict[str, Any], value: dict[str, Any], files: dict[str, bytes]) -> None:
    """Save a value and its files in the first writable folder. If no folder is writable, nothing is saved.

    The JSON file is written last. Until then, the entry is not valid.

    Args:
        model: The model.
        name: Name of the entry.
        made_from: Inputs of the computation, as JSON.
        value: Result of the computation, as JSON.
        files: Other files of the entry: {file name: content}.
    """
    for folder in folders(model):
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{name}.json").unlink(missing_ok=True)
            for file, content in files.items():
                write_bytes(folder / file, content)
            hashes = {file: hashlib.sha256(content).hexdigest() for file, content in files.items()}
            write_json(folder / f"{name}.json", {"made_from": made_from, "value": value, "sha256": hashes})
            return


def _hash(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
