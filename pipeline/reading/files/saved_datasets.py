"""Finds the files of a dataset in a folder that `datasets` of Hugging Face wrote.

`save_to_disk` writes the files of a dataset, and lists them in state.json. Beside them are descriptions
(dataset_info.json, dataset_dict.json), and perhaps files of the cache, which repeat rows of the dataset.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from emojob.pipeline.storage.atomic import parse_json
from emojob.pipeline.storage.object_store import ObjectPath
from emojob.pipeline.storage.paths import AnyPath, read_file
from emojob.schemas.errors import DataError

P = TypeVar("P", Path, ObjectPath)

_STATE, _INFO, _SPLITS = "state.json", "dataset_info.json", "dataset_dict.json"
_MOST_BYTES = 1 << 24  # a state.json with the names of 100,000 files is smaller
_CACHE = re.compile(r"(cache|tmp)[-_0-9a-z]*\.arrow")
_DESCRIPTION = "a description of a Hugging Face dataset"
_CACHED = "a file of the cache of Hugging Face"
_OTHER = f"not listed in {_STATE}"
_COPY = "from datasets import load_from_disk; load_from_disk({folder}).flatten_indices().save_to_disk({copy})"


def other_files(paths: Iterable[P]) -> dict[P, str]:
    """Return {path: what it is} for the files in the folders of Hugging Face datasets that are no files of the dataset.

    Args:
        paths: Files that were found for an input.

    Raises:
        DataError: The dataset contains only some rows of its files, or a file of the dataset is missing.
        OSError: A description cannot be read.
    """
    files = list(paths)
    folders = {path.parent for path in files if path.name.lower().endswith(".arrow")}
    lists = {folder: _listed(folder) for folder in folders}
    found: dict[P, str] = {}
    for path in files:
        if path.name == _SPLITS and isinstance(_read(path).get("splits"), list):
            found[path] = _DESCRIPTION
        if path.parent not in folders:
            continue
        listed = lists[path.parent]
        if path.name in (_STATE, _INFO) and (listed is not None or "features" in _read(path)):
            found[path] = _DESCRIPTION
        elif listed is not None and path.name not in listed:
            found[path] = _CACHED if _CACHE.fullmatch(path.name) else _OTHER
        elif listed is None and _CACHE.fullmatch(path.name) and (path.parent / _INFO).is_file():
            found[path] = _CACHED
    return found


def check_whole(path: AnyPath) -> None:
    """Raise DataError if a file belongs to a dataset that contains only some rows of its files."""
    if path.name.lower().endswith(".arrow"):
        _listed(path.parent)


def _listed(folder: AnyPath) -> set[str] | None:
    """Return the names of the files of the dataset in a folder; None if no state.json lists them."""
    state = _read(folder / _STATE)
    if not isinstance(state.get("_data_files"), list) or "_fingerprint" not in state:
        return None
    names = {str(one.get("filename")) for one in state["_data_files"] if isinstance(one, dict)}
    if indices := state.get("_indices_data_files"):
        copy = f"{folder.name} copy"
        code = _COPY.format(
            folder=json.dumps(str(folder), ensure_ascii=False), copy=json.dumps(copy, ensure_ascii=False)
        )
        file = indices[0].get("filename", "a file") if isinstance(indices[0], dict) else "a file"
        raise DataError(
            f"{folder} is a Hugging Face dataset that contains only some rows of its files ({file} lists them), which "
            f"emojob cannot read: write a copy (python -c {shlex.quote(code)}), and give {shlex.quote(copy)}"
        )
    missing = sorted(name for name in names if not (folder / name).is_file())
    if missing:
        raise DataError(f"{folder / missing[0]} is missing, but {_STATE} lists it: copy the dataset again")
    return names


def _read(file: AnyPath) -> dict[str, Any]:
    """Return the object in a JSON file; {} if there is no such file or object."""
    if not file.is_file() or file.stat().st_size > _MOST_BYTES:
        return {}
    return parse_json(read_file(file))
