"""Caches two results for each model: the int8 graph, and the measured rate of each engine.

The cache is the subfolder `openvino` of the model folder. For the default model, or if the model folder is not
writable, emojob uses the user's cache folder instead. A result is used only if the result was made from the same values
(for example the same model and package versions), and the hashes of the files are correct.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Collection
from pathlib import Path
from typing import Any

from emojob.pipeline.models.model import Model
from emojob.pipeline.storage.atomic import read_json, write_bytes, write_json
from emojob.pipeline.storage.folders import user_cache
from emojob.pipeline.storage.paths import make_folder


def folders(model: Model) -> list[Path]:
    """Return the folders that may contain cached results of a model, the preferred folder first."""
    cache = user_cache() / model.fingerprint[:16]
    return [cache] if model.is_packaged else [model.folder / "openvino", cache]


def load(model: Model, name: str, made_from: dict[str, Any]) -> dict[str, Any] | None:
    """Return a cached result, or None if there is no valid result.

    The result has the extra key "folder": the folder that contains the files of the result.

    Args:
        model: The model.
        name: Name of the result.
        made_from: The values from which the result was computed, as JSON. The result is returned only if the
            result was saved with the same `made_from`.
    """
    for folder in folders(model):
        with contextlib.suppress(OSError, KeyError, TypeError, AttributeError):  # a damaged file is treated as missing
            entry = read_json(folder / f"{name}.json")
            is_complete = all(_hash(folder / file) == sha for file, sha in entry["sha256"].items())
            if is_complete and entry["made_from"] == made_from:
                return {**entry["value"], "folder": folder}
    return None


def save(model: Model, name: str, made_from: dict[str, Any], value: dict[str, Any], files: dict[str, bytes]) -> None:
    """Save a result and its files in the first writable folder. If no folder is writable, nothing is saved.

    Files that emojob did not write are not overwritten. The JSON file is written last, and contains the hashes of the
    files: `load` ignores a result whose files have other hashes.

    Args:
        model: The model.
        name: Name of the result.
        made_from: The values from which the result was computed, as JSON.
        value: The result, as JSON.
        files: {file name: content} of the files of the result, for example the int8 graph.
    """
    for folder in folders(model):
        with contextlib.suppress(OSError):
            make_folder(folder)
            if folder.parent == model.folder and not _may_write(folder, name, files):
                continue
            for file, content in files.items():
                write_bytes(folder / file, content)
            hashes = {file: hashlib.sha256(content).hexdigest() for file, content in files.items()}
            write_json(folder / f"{name}.json", {"made_from": made_from, "value": value, "sha256": hashes})
            return


def _may_write(folder: Path, name: str, files: Collection[str]) -> bool:
    """Return whether the files of a result do not exist yet, or belong to an earlier result. Others are the user's."""
    entry = read_json(folder / f"{name}.json")
    if entry and not {"made_from", "value", "sha256"} <= entry.keys():
        return False
    ours = entry.get("sha256")
    return all(isinstance(ours, dict) and one in ours for one in files if (folder / one).exists())


def _hash(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
