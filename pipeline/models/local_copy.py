"""Copies a model folder to the local disk: from an object store, or from the machine that started a cluster job."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emojob.pipeline.storage.atomic import write_bytes
from emojob.pipeline.storage.folders import user_cache
from emojob.pipeline.storage.object_errors import is_object_error
from emojob.pipeline.storage.object_store import ObjectPath
from emojob.pipeline.storage.temporary import temporary_folder
from emojob.schemas.errors import ModelError

#: The files of a model folder: {file name: content}.
ModelFiles = dict[str, NDArray[np.uint8]]


def read_model_files(folder: Path, names: Sequence[str]) -> tuple[ModelFiles, str]:
    """Read the files of a model folder.

    Args:
        folder: The model folder.
        names: Names of the files to read; missing files are skipped.

    Returns:
        ({file name: content}, hexadecimal SHA-256 of all names and contents).
    """
    paths = (folder / name for name in names)
    files = {file.name: np.frombuffer(file.read_bytes(), np.uint8) for file in paths if file.exists()}
    digest = hashlib.sha256()
    for name, content in files.items():
        digest.update(f"{name} {len(content)}\n".encode())
        digest.update(content.data)
    return files, digest.hexdigest()


def fetch_model(folder: ObjectPath, names: Sequence[str], option: str) -> Path:
    """Copy a model folder from an object store to the local disk, and return the local folder.

    If no object has changed since an earlier download, nothing is downloaded.

    Args:
        folder: The model folder.
        names: Names of the files to download; missing files are skipped.
        option: Name of the option that gives the folder, such as --model, for error messages.

    Raises:
        ModelError: The folder contains no config.json, or a file cannot be downloaded.
    """
    wanted = {folder / name for name in names}
    try:
        found = {path: info for path, info in folder.list_objects().items() if path in wanted}
        if folder / "config.json" not in found:
            raise ModelError(
                f"{option} {folder} contains no config.json: check the name of the bucket, and give the folder that "
                f"contains the model's config.json"
            )
        sizes = {path.name: info.st_size for path, info in found.items()}
        versions = "\n".join(f"{path} {info.st_size} {info.etag}" for path, info in found.items())
        return cached_folder(
            hashlib.sha256(versions.encode()).hexdigest(),
            lambda: {path.name: np.frombuffer(path.read_parallel(), np.uint8) for path in found},
            lambda copy: all((copy / name).stat().st_size == size for name, size in sizes.items()),
        )
    except OSError as error:
        raise ModelError(
            f"{option} {folder} cannot be downloaded: {error.strerror or error}. Check the URL, the network and the "
            f"free disk space, then run the same command again"
        ) from error


def cached_folder(digest: str, files: Callable[[], ModelFiles], is_complete: Callable[[Path], bool]) -> Path:
    """Return a local folder that contains the files of a model. The folder is kept in the user's cache.

    Args:
        digest: Hexadecimal hash of the content.
        files: callback() that returns the files; not called if the cache already contains them.
        is_complete: callback(folder) that returns whether a folder has the expected content.

    Raises:
        OSError: Neither the cache nor the temporary folder can be written, or `files` failed.
    """
    caches = user_cache() / "models"
    try:
        caches.mkdir(parents=True, exist_ok=True)
        return _unpack(caches, digest, files, is_complete)
    except OSError as error:  # the cache is not writable, or its disk is full
        if is_object_error(error):
            raise
        return _unpack(Path(tempfile.gettempdir()) / f"emojob-models-{os.getuid()}", digest, files, is_complete)


def _unpack(folder: Path, digest: str, files: Callable[[], ModelFiles], is_complete: Callable[[Path], bool]) -> Path:
    folder.mkdir(mode=0o700, exist_ok=True)
    in_shared_folder = folder.parent == Path(tempfile.gettempdir())  # other users can create links there
    about = folder.lstat() if in_shared_folder else folder.stat()
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid():
        raise PermissionError(errno.EACCES, "the folder is a link, or belongs to another user", str(folder))
    target = folder / digest[:16]
    if _exists_complete(target, is_complete):
        return target
    with temporary_folder(folder, target.name) as parent:
        written = parent / "model"
        written.mkdir()
        try:
            for name, content in files().items():
                write_bytes(written / name, content.tobytes())
            if target.exists():  # the existing folder is damaged
                target.rename(parent / "damaged")
            written.rename(target)
        except OSError:  # another process may have created the folder
            if not _exists_complete(target, is_complete):
                raise
    return target


def _exists_complete(folder: Path, is_complete: Callable[[Path], bool]) -> bool:
    try:
        return folder.is_dir() and is_complete(folder)
    except FileNotFoundError:
        return False
