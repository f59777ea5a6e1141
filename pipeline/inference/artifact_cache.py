"""What is worked out once for a model and kept: its quantised graph, and which engine is fastest with it.

Kept in the folder `openvino` within the model's, or, where that is not ours to write, in the user's cache. A file is
used where its note names what it was made from and its hash is right; anything else counts as not there.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path
from typing import Any

from emojob.pipeline.models.model import Model
from emojob.pipeline.storage.atomic import commit, read_json, temporary_path, write_json


def folders(model: Model) -> list[Path]:
    """The folders where something may be kept for a model, the one to prefer first."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "emojob" / model.fingerprint[:16]
    return [cache] if model.is_packaged else [model.folder / "openvino", cache]


def load(model: Model, name: str, made_from: dict[str, Any]) -> dict[str, Any] | None:
    """What `keep` kept under a name for the same `made_from`, with its files' folder under "folder"; or None."""
    for folder in folders(model):
        with contextlib.suppress(OSError, KeyError, TypeError, AttributeError):  # it may hold anything
            note = read_json(folder / f"{name}.json")
            whole = all(_hash(folder / file) == sha for file, sha in note["sha256"].items())
            if whole and note["made_from"] == made_from:
                return {**note["value"], "folder": folder}
    return None


def save(model: Model, name: str, made_from: dict[str, Any], value: dict[str, Any], files: dict[str, bytes]) -> None:
    """Keep a value, and files beside it, in the first place that can be written; nothing is said where none can.

    The note, which makes the files count, comes last.
    """
    for folder in folders(model):
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{name}.json").unlink(missing_ok=True)
            for file, content in files.items():
                temporary_path(folder / file).write_bytes(content)
                commit(temporary_path(folder / file), folder / file)
            hashes = {file: hashlib.sha256(content).hexdigest() for file, content in files.items()}
            write_json(folder / f"{name}.json", {"made_from": made_from, "value": value, "sha256": hashes})
            return


def _hash(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
