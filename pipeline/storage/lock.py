"""Locks a folder, so that only one run at a time writes to the folder.

A local folder is locked with `flock` on a lock file. The kernel releases the lock when the process ends or crashes. A
folder in an object store is locked with a lease.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from emojob.pipeline.storage.folders import make_folders
from emojob.pipeline.storage.lease import lease
from emojob.pipeline.storage.object_store import ObjectPath
from emojob.pipeline.storage.paths import AnyPath
from emojob.schemas.errors import BusyError, StorageError

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows has no fcntl; the user must prevent concurrent runs
    fcntl = None  # type: ignore[assignment]

_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


@contextlib.contextmanager
def lock(
    file: AnyPath, folder: AnyPath, note: Callable[[str], None] = lambda text: None
) -> Iterator[Callable[[], None]]:
    """Lock a folder during the `with` block.

    Args:
        file: The lock file. A missing lock file is created.
        folder: The folder to lock, for messages.
        note: callback(message), called if the lock must wait (only in an object store).

    Yields:
        A function that raises StorageError if the lock was lost.

    Raises:
        BusyError: Another run holds the lock.
        OSError: The lock file cannot be created.
    """
    if isinstance(file, ObjectPath):
        with lease(file, folder, note) as taken:
            yield taken.check
        return
    descriptor = _open_locked(file, folder)
    try:
        yield lambda: _ensure_in_place(descriptor, file, folder)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Wait for the lock of a local folder, and hold the lock during the `with` block.

    Raises OSError if the folder cannot be opened or locked.
    """
    if fcntl is None:
        yield
        return
    while True:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_same(descriptor, folder.stat()):
                yield
                return
        finally:
            os.close(descriptor)


def _open_locked(file: Path, folder: AnyPath) -> int:
    """Return the descriptor of the locked lock file. The descriptor must be closed to release the lock.

    The process that held the lock before may have removed the lock file, and another process may have created a new
    lock file. A lock on a removed file protects nothing. So the lock counts only if the locked file is still in place.
    """
    while True:
        make_folders(file.parent)
        try:
            descriptor = os.open(file, _FLAGS, 0o666)
        except FileNotFoundError:  # another process has removed the folder
            continue
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(errno.EINVAL, "the lock file is not a regular file", str(file))
            if fcntl is not None:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_in_place(descriptor, file):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            raise BusyError(
                f"another run is using {folder}: wait until that run has ended, then run the same command again"
            ) from None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _ensure_in_place(descriptor: int, file: Path, folder: AnyPath) -> None:
    """Raise StorageError if the locked file was removed or replaced, so that another run could lock the new file."""
    if not _is_in_place(descriptor, file):
        raise StorageError(
            f"this run lost its lock on {folder}, because the file {file} was removed or replaced: make sure that no "
            "other run is writing to this folder, then run the same command again"
        )


def _is_in_place(descriptor: int, file: Path) -> bool:
    """Return whether `file` is the open file."""
    try:
        return _is_same(descriptor, file.lstat())
    except FileNotFoundError:
        return False


def _is_same(descriptor: int, about: os.stat_result) -> bool:
    return os.path.samestat(os.fstat(descriptor), about)
