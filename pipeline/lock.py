"""One run at a time: what the kernel locks, and lets go when the process that holds it ends, however it ends."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from schemas.errors import BusyError

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows has no such lock; two runs are then the user's to prevent
    fcntl = None  # type: ignore[assignment]


@contextlib.contextmanager
def lock(file: Path, folder: Path) -> Iterator[None]:
    """Hold `folder` by locking `file`, which is made where it does not exist. Raises BusyError where another does."""
    with file.open("a") as held:
        if fcntl is not None:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BusyError(f"another run holds {folder}: wait until it has ended, or give another -o") from None
        yield


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
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
