"""Creates temporary files and folders, and removes those that killed processes left.

A temporary name is `.NAME.TOKEN.tmp`. TOKEN contains a random number, and a hash of NAME and the number. So two writers
never use the same temporary file, and a file of the user never has a temporary name by chance.

A process locks its temporary files with `flock`. If a process is killed, the kernel releases the lock. Then `sweep`
removes the file. A temporary folder contains a marker file. `sweep` removes only folders with this marker file.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows has no flock, so `sweep` removes nothing
    fcntl = None  # type: ignore[assignment]

#: Name of the marker file in a temporary folder. The marker file contains MARK and the name of the folder.
MARKER = ".emojob-temporary"
_MARK = "This folder was made by emojob. It is removed when the command ends.\n"

_NAME = re.compile(r"\.(.*)\.([0-9a-f]{16})([0-9a-f]{16})\.tmp", re.DOTALL)
_LONGEST = 200  # bytes of NAME in a temporary name; a file name has at most 255 bytes
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_OPEN = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)

_swept: set[tuple[int, str]] = set()  # (process, folder)


# -- names -------------------------------------------------------------------------------------------------------------


def temporary_name(name: str) -> str:
    """Return a new temporary name for the file `name`. Each call returns another name."""
    begin = os.fsencode(name)
    if len(begin) > _LONGEST:
        name = begin[:_LONGEST].decode("utf-8", "ignore")
    number = secrets.token_hex(8)
    return f".{name}.{number}{_check(name, number)}.tmp"


def is_temporary_name(name: str) -> bool:
    """Return whether `temporary_name` returned this name, in this or in another process."""
    found = _NAME.fullmatch(name)
    return bool(found and secrets.compare_digest(found[3], _check(found[1], found[2])))


def _check(name: str, number: str) -> str:
    return hashlib.sha256(b"emojob temporary\n" + os.fsencode(name) + b"\n" + number.encode()).hexdigest()[:16]


# -- creating ----------------------------------------------------------------------------------------------------------


def create_file(path: Path, mode: int = 0o666) -> tuple[Path, int]:
    """Create and lock a temporary file for `path`, in the folder of `path`.

    Never opens an existing file, and never follows a symbolic link. The first call in a folder also removes the
    temporary files that killed processes left there.

    Args:
        path: The file that the temporary file will replace.
        mode: Permissions of the new file, before the umask.

    Returns:
        (path of the temporary file, open file descriptor). The caller must close the descriptor, which ends the lock.
    """
    sweep_once(path.parent)
    if len(os.fsencode(path.name)) > _LONGEST:
        with contextlib.suppress(FileNotFoundError):
            path.lstat()  # raises OSError now, not at the end, if the name is too long
    while True:
        temporary = path.with_name(temporary_name(path.name))
        descriptor = os.open(temporary, _CREATE, mode)
        if _lock_new(descriptor):
            return temporary, descriptor
        os.close(descriptor)


@contextlib.contextmanager
def temporary_folder(parent: Path, name: str) -> Iterator[Path]:
    """Create a temporary folder that only this user can read, and remove the folder at the end of the `with` block.

    Args:
        parent: The folder in which the temporary folder is created.
        name: NAME in the name of the temporary folder.

    Raises:
        OSError: The folder cannot be created.
    """
    sweep_once(parent)
    folder, descriptor = _create_folder(parent, name)
    try:
        yield folder
    finally:
        _remove_folder(folder)
        os.close(descriptor)


def _create_folder(parent: Path, name: str) -> tuple[Path, int]:
    """Return (new temporary folder, open descriptor of the locked marker file)."""
    while True:
        folder = parent / temporary_name(name)
        folder.mkdir(0o700)
        try:
            descriptor = os.open(folder / MARKER, _CREATE, 0o600)
        except FileNotFoundError:  # another process has swept the folder, because the marker file was missing
            continue
        try:
            if _lock_new(descriptor):
                os.write(descriptor, _marker_content(folder.name))
                return folder, descriptor
        except OSError:
            os.close(descriptor)
            _remove_folder(folder)
            raise
        os.close(descriptor)


def _remove_folder(folder: Path) -> None:
    """Remove a temporary folder. The marker file is removed last, so `sweep` can remove the rest after a kill."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name != MARKER:
                path.unlink(missing_ok=True)
        (folder / MARKER).unlink(missing_ok=True)
        folder.rmdir()


def _marker_content(name: str) -> bytes:
    return _MARK.encode() + os.fsencode(name) + b"\n"


def _lock_new(descriptor: int) -> bool:
    """Lock a new file. Return False if another process has already swept the file."""
    try:
        return not fcntl or _lock(descriptor)
    except OSError:  # the file system has no locks, so no process sweeps there
        return True


def _lock(descriptor: int) -> bool:
    """Lock a file. Return False if another process holds the lock, or if the file was removed. Raises OSError."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(descriptor).st_nlink > 0


# -- sweeping ----------------------------------------------------------------------------------------------------------


def sweep_once(folder: Path) -> None:
    """Call `sweep` if this process has not called `sweep_once` for this folder yet."""
    key = os.getpid(), os.path.abspath(folder)  # noqa: PTH100 - Path.resolve is slow, and fails for circular links
    if key not in _swept:
        _swept.add(key)
        sweep(folder)


def sweep(folder: Path) -> None:
    """Remove the temporary files and folders that killed processes of this user left in `folder`.

    Files that a running process has locked are not removed. Errors are ignored: the next call tries again.
    """
    if fcntl is None:
        return
    with contextlib.suppress(OSError):
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if is_temporary_name(entry.name)]
        for name in names:
            with contextlib.suppress(OSError):
                _sweep(folder / name)


def _sweep(path: Path) -> None:
    about = path.lstat()
    if about.st_uid != os.geteuid():
        return
    if stat.S_ISREG(about.st_mode):
        with _locked(path) as is_unused:
            if is_unused:
                path.unlink()
    elif stat.S_ISDIR(about.st_mode):
        names = os.listdir(path)  # noqa: PTH208
        if not names:  # the process was killed before it wrote the marker file
            path.rmdir()
        elif MARKER in names:
            with _locked(path / MARKER) as is_unused:
                if is_unused and _is_marked(path, names):
                    _remove_folder(path)


def _is_marked(folder: Path, names: list[str]) -> bool:
    """Return whether a folder is a temporary folder of emojob. `names` are the names of the files in the folder."""
    content, expected = (folder / MARKER).read_bytes(), _marker_content(folder.name)
    # a process that was killed while it wrote the marker file has written no other file
    return content == expected or (names == [MARKER] and expected.startswith(content))


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[bool]:
    """Lock a file during the `with` block, and yield True. Yield False if another process holds the lock."""
    descriptor = os.open(file, _OPEN)  # NFS needs write access for the lock
    try:
        yield _lock(descriptor)
    finally:
        os.close(descriptor)
