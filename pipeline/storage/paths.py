"""Defines `AnyPath`, a path on this machine or in an object store, and functions that work on both."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, TypeGuard, TypeVar
from urllib.parse import unquote

from emojob.pipeline.storage.object_io import AT_ONCE, Reader
from emojob.pipeline.storage.object_store import ObjectPath
from emojob.schemas.errors import OptionError, OutputError, StorageError, name_too_long

AnyPath = Path | ObjectPath

T = TypeVar("T")

#: {scheme: (package that handles it, argument of pip install)}
_PACKAGES = {
    "s3": ("s3fs", "'emojob[s3]'"),
    "gs": ("gcsfs", "gcsfs"),
    "az": ("adlfs", "adlfs"),
}
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


# -- kinds of paths ----------------------------------------------------------------------------------------------------


def parse_path(given: str) -> AnyPath:
    """Return the path that a user gave: a local path, a file:// URL, or a URL of an object store.

    Raises:
        OptionError: The URL has another scheme or no bucket, or the package for the scheme is not installed.
    """
    url = _URL.match(given)
    if not url:
        return Path(given)
    scheme = url[1].lower()
    if scheme == "file":
        machine, slash, path = given[len(url[0]) :].partition("/")
        if machine not in ("", "localhost"):
            raise OptionError(f"{given} names the machine {machine!r}; a local file is file:///path, three slashes")
        return Path(unquote(slash + path))
    if scheme not in _PACKAGES:
        raise OptionError(f"{given}: {scheme}:// is not known; give a path, or s3://, gs:// or az://BUCKET/KEY")
    bucket, _, rest = given[len(url[0]) :].partition("/")
    key = f"{bucket}/{rest.strip('/')}".rstrip("/")
    if not bucket:
        raise OptionError(f"{given} names no bucket: give {scheme}://BUCKET/KEY")
    package, name = _PACKAGES[scheme]
    try:
        __import__(package)
    except ImportError:
        raise OptionError(f"{given}: {scheme}:// needs {package}: pip install {name}") from None
    return ObjectPath(scheme, key)


def path_from(folder: Path, given: str) -> AnyPath:
    """Return a path; a relative path is resolved against `folder`. Raises as `parse_path`."""
    path = parse_path(given)
    return folder / path if isinstance(path, Path) else path


def path_name(path: AnyPath) -> str:
    """Return the name of a file in the records of a run: its path or its URL, in valid Unicode."""
    if isinstance(path, ObjectPath):
        return str(path)
    # a file name may not be valid in the system's encoding
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")


def as_local(path: AnyPath) -> Path | None:
    """Return the path if it is on this machine, else None."""
    return path if isinstance(path, Path) else None


def is_object(path: AnyPath) -> TypeGuard[ObjectPath]:
    """Return whether a path is in an object store."""
    return isinstance(path, ObjectPath)


# -- folders -----------------------------------------------------------------------------------------------------------


def list_files(folder: AnyPath, subfolders: Sequence[str]) -> dict[str, int]:
    """Return {path relative to `folder`: size in bytes} of the files in a folder.

    Args:
        folder: The folder; a missing folder has no files.
        subfolders: Relative paths that are listed as well. In an object store, all subfolders are listed, with
            one request per thousand objects.
    """
    if isinstance(folder, ObjectPath):
        return {str(path)[len(str(folder)) + 1 :]: info.st_size for path, info in folder.list_objects().items()}
    found: dict[str, int] = {}
    for name in ("", *subfolders):
        with contextlib.suppress(FileNotFoundError), os.scandir(folder / name) as entries:
            found |= {os.path.join(name, entry.name): entry.stat().st_size for entry in entries if entry.is_file()}  # noqa: PTH118
    return found


def is_empty(folder: AnyPath) -> bool:
    """Return whether a folder contains nothing."""
    return not any(folder.list_objects() if isinstance(folder, ObjectPath) else folder.iterdir())


def make_folder(folder: AnyPath) -> None:
    """Create a folder and its parents on a disk. Do nothing in an object store, which needs no folders."""
    if isinstance(folder, Path):
        folder.mkdir(parents=True, exist_ok=True)


# -- files -------------------------------------------------------------------------------------------------------------


def open_stream(path: AnyPath) -> BinaryIO | Reader:
    """Open a file for sequential reading. Raises OSError."""
    return path.open("rb") if isinstance(path, Path) else path.open()


def seekable(path: AnyPath) -> Path | Reader:
    """Return a source from which pyarrow can read a Parquet file: the path, or a random-access reader of the object."""
    return path if isinstance(path, Path) else path.open(prefetch=False)


def modified_ns(path: AnyPath) -> int:
    """Return the modification time in nanoseconds since 1970; 0 for an object. Raises OSError."""
    return path.stat().st_mtime_ns if isinstance(path, Path) else 0


def read_all(paths: Sequence[AnyPath]) -> Iterator[bytes]:
    """Yield the content of each file, in order; b"" if the file is missing."""
    return _map(_read, paths)


def remove_all(paths: Sequence[AnyPath]) -> None:
    """Remove files; missing files are ignored.

    Each object is removed by its own request, because a request for many objects does not report which of them failed.
    """
    for _ in _map(_remove, paths):
        pass


def _map(work: Callable[[AnyPath], T], paths: Sequence[AnyPath]) -> Iterator[T]:
    """Yield the result for each path, in order; objects are processed concurrently."""
    if not any(isinstance(path, ObjectPath) for path in paths):
        yield from map(work, paths)
        return
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(work, paths)


def _read(path: AnyPath) -> bytes:
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes()
    return b""


def _remove(path: AnyPath) -> None:
    path.unlink(missing_ok=True)


@contextlib.contextmanager
def output_errors(path: AnyPath) -> Iterator[None]:
    """Within the context, translate an OSError of writing an output into an error with a one-line message.

    Args:
        path: The output, for the message.

    Raises:
        OptionError: A name is too long.
        OutputError: The bucket does not exist, or the credentials do not allow the access.
        StorageError: Any other OSError.
    """
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise name_too_long(error) from error
        where = f", {error.filename}" if isinstance(error, IsADirectoryError) and error.filename else ""
        why = f"cannot write to {path}{where}: {error.strerror or error}"
        if not isinstance(path, ObjectPath):
            raise StorageError(
                f"{why}; free space or grant write permission, then run the same command again, or give another path"
            ) from error
        kind = OutputError if isinstance(error, FileNotFoundError | PermissionError) else StorageError
        raise kind(why) from error
