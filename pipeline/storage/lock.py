"""One run at a time: what the kernel locks, and lets go however the process that holds it ends; in a store,
a lease."""

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
except ImportError:  # pragma: no cover - Windows has no such lock; two runs are then the user's to prevent
    fcntl = None  # type: ignore[assignment]


@contextlib.contextmanager
def lock(file: AnyPath, folder: AnyPath) -> Iterator[Callable[[], None]]:
    """Hold `folder` by `file`, which is made where it does not exist. Raises BusyError where another does.

    What it gives raises StorageError once the folder is not held any more, which happens in a store only.
    """
    if isinstance(file, ObjectPath):
        with lease(file, folder) as taken:
            yield taken.check
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as held:
        if fcntl is not None:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BusyError(f"another run holds {folder}: wait until it has ended, or give another -o") from None
        yield lambda: None


@contextlib.contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Wait until no other process is in here with this folder. Raises OSError."""
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
