"""Locks a folder, so that only one run at a time writes to the folder.

A local folder is locked with `flock`. The kernel releases the lock when the process ends or crashes. A folder in an
object store is locked with a lease.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from emojob.pipeline.storage.lease import lease
from emojob.pipeline.storage.object_store import ObjectPath
from emojob.pipeline.storage.paths import AnyPath
from emojob.schemas.errors import BusyError

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows has no fcntl; the user must prevent concurrent runs
    fcntl = None  # type: ignore[assignment]


@contextlib.contextmanager
def lock(file: AnyPath, folder: AnyPath) -> Iterator[Callable[[], None]]:
    """Lock a folder during the `with` block.

    Args:
        file: The lock file. A missing lock file is created.
        folder: The folder to lock, for error messages.

    Yields:
        A function that raises StorageError if the lock was lost. Only locks in object stores can be lost.

    Raises:
        BusyError: Another run holds the lock.
    """
    if isinstance(file, ObjectPath):
        with lease(file, folder) as taken:
            yield taken.check
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as locked:
        if fcntl is not None:
            try:
                fcntl.flock(locked, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BusyError(
                    f"another run is using {folder}: wait until that run has ended, or choose another output"
                ) from None
        yield lambda: None


@contextlib.contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Wait for the lock of a local folder, and hold the lock during the `with` block.

    Raises OSError if the folder cannot be opened or locked.
    """
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
