"""Files that are there whole or not at all: written beside their place, fsynced, renamed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def commit(beside: Path, place: Path) -> None:
    """Bring a finished file to its place: fsync it, rename it, fsync the folder."""
    descriptor = os.open(beside, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    beside.replace(place)
    sync_folder(place.parent)


def sync_folder(folder: Path) -> None:
    """Make renames and removals in a folder last."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(place: Path, value: Any) -> None:
    """Write a JSON file atomically."""
    beside = temporary(place)
    beside.write_bytes(json_bytes(value))
    commit(beside, place)


def json_bytes(value: Any) -> bytes:
    """What `write_json` writes."""
    text = json.dumps(value, ensure_ascii=False, indent=1) + "\n"
    return text.encode("utf-8", "backslashreplace")  # a file's name may be in another encoding


def read_json(file: Path) -> dict[str, Any]:
    """A JSON file's object; {} where there is no such file or no object in it."""
    try:
        plain = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return plain if isinstance(plain, dict) else {}


def temporary(place: Path, token: str = "") -> Path:
    """Where a file is written before it is brought to its place: hidden, in the same folder.

    token: tells those apart who may write the same file at the same time.
    """
    return place.with_name(f".{place.name}.{token}.tmp" if token else f".{place.name}.tmp")
