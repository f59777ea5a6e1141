"""Copies of models that lie elsewhere, in a store or on the machine that a cluster's job was started on."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emojob.pipeline.storage.object_store import ObjectPath
from emojob.schemas.errors import ModelError

ModelFiles = dict[str, NDArray[np.uint8]]  # name: bytes


def read_model_files(folder: Path, names: Sequence[str]) -> tuple[ModelFiles, str]:
    """Those files of a model folder that have one of these names, and their digest."""
    there = (folder / name for name in names)
    files = {file.name: np.frombuffer(file.read_bytes(), np.uint8) for file in there if file.exists()}
    digest = hashlib.sha256()
    for name, content in files.items():
        digest.update(f"{name} {len(content)}\n".encode())
        digest.update(content.data)
    return files, digest.hexdigest()


def fetch_model(place: ObjectPath, names: Sequence[str], option: str) -> Path:
    """The copy on this machine of a model folder in a store; fetched anew once an object there has changed.

    names: of the files that are wanted, as far as they are there. Raises ModelError, naming `option`, where there is
    none.
    """
    try:
        there = {one: stored for one, stored in place.list_objects().items() if one in [place / name for name in names]}
        if place / "config.json" not in there:
            raise ModelError(f"{option} {place} holds no config.json: give the folder of a model, and check the bucket")
        sizes = {one.name: stored.st_size for one, stored in there.items()}
        told = "\n".join(f"{one} {stored.st_size} {stored.etag}" for one, stored in there.items())
        return cached_folder(
            hashlib.sha256(told.encode()).hexdigest(),
            lambda: {one.name: np.frombuffer(one.read_parallel(), np.uint8) for one in there},
            lambda folder: all((folder / name).stat().st_size == size for name, size in sizes.items()),
        )
    except OSError as error:
        raise ModelError(f"{option} {place} cannot be fetched: {error.strerror or error}") from error


def cached_folder(digest: str, files: Callable[[], ModelFiles], is_whole: Callable[[Path], bool]) -> Path:
    """The folder on this machine that holds a model: kept, so that the next job need not fetch it.

    digest: hexadecimal, of what is to be in it; files: fetches that; is_whole: whether a folder is as it should be.
    Raises OSError where no folder can be written.
    """
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "emojob" / "models"
    try:
        caches.mkdir(parents=True, exist_ok=True)
        return _unpack(caches, digest, files, is_whole)
    except OSError as error:  # not ours to write, or full
        if "://" in str(error.filename):  # it was the store
            raise
        return _unpack(Path(tempfile.gettempdir()) / f"emojob-models-{os.getuid()}", digest, files, is_whole)


def _unpack(folder: Path, digest: str, files: Callable[[], ModelFiles], is_whole: Callable[[Path], bool]) -> Path:
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(errno.EACCES, "the folder is another user's", str(folder))
    place = folder / digest[:16]
    if _is_whole(place, is_whole):
        return place
    beside = folder / f".{place.name}.{uuid.uuid4().hex}"
    beside.mkdir()
    try:
        for name, content in files().items():
            (beside / name).write_bytes(content.data)
        if place.exists():  # damaged
            place.rename(beside.with_name(f"{beside.name}.damaged"))
            shutil.rmtree(beside.with_name(f"{beside.name}.damaged"), ignore_errors=True)
        beside.rename(place)
    except OSError:  # another process on this machine was sooner
        if not _is_whole(place, is_whole):
            raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return place


def _is_whole(place: Path, is_whole: Callable[[Path], bool]) -> bool:
    try:
        return place.is_dir() and is_whole(place)
    except FileNotFoundError:
        return False
