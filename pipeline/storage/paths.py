"""Parses paths, and reads, lists and removes files. An `AnyPath` is a local path or a path in an object store."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, TypeGuard, TypeVar
from urllib.parse import unquote

from emojob.pipeline.storage.folders import make_folders, sync_folder
from emojob.pipeline.storage.object_io import AT_ONCE, Reader
from emojob.pipeline.storage.object_store import ObjectPath
from emojob.schemas.errors import DataError, NothingFound, OptionError, OutputError, StorageError, name_too_long

AnyPath = Path | ObjectPath

T = TypeVar("T")

#: {URL scheme: (package for this scheme, argument of `pip install`)}
_PACKAGES = {
    "s3": ("s3fs", "'emojob[s3]'"),
    "gs": ("gcsfs", "gcsfs"),
    "az": ("adlfs", "adlfs"),
}
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


# -- kinds of paths ----------------------------------------------------------------------------------------------------


def parse_path(given: str) -> AnyPath:
    """Parse the path that a user gave: a local path, a file:// URL, or a URL in an object store.

    Raises:
        OptionError: The URL is invalid, or the package for the URL scheme is not installed.
    """
    url = _URL.match(given)
    if not url:
        return Path(given)
    scheme = url[1].lower()
    if scheme == "file":
        machine, slash, path = given[len(url[0]) :].partition("/")
        if machine not in ("", "localhost"):
            raise OptionError(
                f"{given} names a file on the machine {machine!r}; for a file on this machine, give file:///PATH "
                "with three slashes"
            )
        return Path(unquote(slash + path))
    if scheme not in _PACKAGES:
        raise OptionError(
            f"{given}: URLs that begin with {scheme}:// are not supported; give a local path, or a URL such as "
            "s3://BUCKET/KEY, gs://BUCKET/KEY or az://CONTAINER/KEY"
        )
    bucket, _, rest = given[len(url[0]) :].partition("/")
    key = f"{bucket}/{rest.strip('/')}".rstrip("/")
    if not bucket:
        raise OptionError(f"{given} has no bucket name: give {scheme}://BUCKET/KEY")
    package, name = _PACKAGES[scheme]
    try:
        __import__(package)
    except ImportError:
        raise OptionError(
            f"{given}: {scheme}:// URLs need the package {package}, which is not installed: run pip install {name}"
        ) from None
    return ObjectPath(scheme, key)


def no_such_input(given: str) -> NothingFound:
    """Return the error for an input that does not exist."""
    return NothingFound(f"{given}: no such file or folder; check the path (relative paths begin at {Path.cwd()})")


def no_archive(out: AnyPath) -> OutputError:
    """Return the error for a labelled archive that does not exist."""
    return OutputError(f"{out} does not exist: give the folder or file that `emojob score` wrote")


def path_from(folder: Path, given: str) -> AnyPath:
    """Parse a path with `parse_path`. Relative paths are relative to `folder`."""
    path = parse_path(given)
    return folder / path if isinstance(path, Path) else path


def path_name(path: AnyPath) -> str:
    """Return a path or URL as valid Unicode, for JSON and Parquet files."""
    if isinstance(path, ObjectPath):
        return str(path)
    # a file name on a disk may contain bytes that are not valid UTF-8
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")


def as_local(path: AnyPath) -> Path | None:
    """Return a local path unchanged; None for a path in an object store."""
    return path if isinstance(path, Path) else None


def is_object(path: AnyPath) -> TypeGuard[ObjectPath]:
    """Return whether a path is in an object store."""
    return isinstance(path, ObjectPath)


# -- folders -----------------------------------------------------------------------------------------------------------


def list_files(folder: AnyPath, subfolders: Sequence[str]) -> dict[str, int]:
    """Return {path relative to `folder`: size in bytes} for the files in `folder` and in `subfolders`.

    Args:
        folder: The folder to list. If the folder does not exist, the result is {}.
        subfolders: Subfolders to list, relative to `folder`. In an object store, this argument is ignored, and all
            subfolders are listed.

    Raises:
        DataError: A pipe, a socket or a device has the name of a JSON or Parquet file.
    """
    if isinstance(folder, ObjectPath):
        return {str(path)[len(str(folder)) + 1 :]: info.st_size for path, info in folder.list_objects().items()}
    found: dict[str, int] = {}
    for name in ("", *subfolders):
        with contextlib.suppress(FileNotFoundError), os.scandir(folder / name) as entries:
            for entry in entries:
                if entry.is_file():
                    found[os.path.join(name, entry.name)] = entry.stat().st_size  # noqa: PTH118
                elif entry.name.endswith((".json", ".parquet")) and not entry.is_dir():
                    ensure_regular(Path(entry.path))
    return found


def is_empty(folder: AnyPath) -> bool:
    """Return whether a folder contains no files and no subfolders."""
    return not any(folder.list_objects() if isinstance(folder, ObjectPath) else folder.iterdir())


def make_folder(folder: AnyPath) -> None:
    """Create a local folder and the parent folders, and sync their names. Do nothing in an object store."""
    if isinstance(folder, Path):
        make_folders(folder)


# -- files -------------------------------------------------------------------------------------------------------------


def open_stream(path: AnyPath) -> BinaryIO | Reader:
    """Open a file for sequential reading."""
    return path.open("rb") if isinstance(path, Path) else path.open()


def seekable(path: AnyPath) -> Path | Reader:
    """Return an input for pyarrow.parquet: a local path, or a seekable reader of an object.

    Raises DataError if the path is a pipe, a socket or a device.
    """
    if not isinstance(path, Path):
        return path.open(prefetch=False)
    ensure_regular(path)
    return path


def read_file(path: AnyPath) -> bytes:
    """Return the content of a file. A pipe or a device is refused at once, and is not read.

    Raises:
        DataError: The path is a pipe, a socket or a device.
        OSError: The file is missing or cannot be read.
    """
    if not isinstance(path, Path):
        return path.read_bytes()
    ensure_regular(path)
    flags = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    try:  # another process may have replaced the file since `ensure_regular`
        _ensure_regular_mode(path, os.fstat(descriptor).st_mode)
        with open(descriptor, "rb", closefd=False) as stream:
            return stream.read()
    finally:
        os.close(descriptor)


def ensure_regular(path: Path) -> None:
    """Raise DataError if a path is a pipe, a socket or a device. Reading such a file could block forever."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        _ensure_regular_mode(path, path.stat().st_mode)


def _ensure_regular_mode(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise DataError(f"{path} is not a regular file (perhaps a pipe or a device); remove it, then try again")


def modified_ns(path: AnyPath) -> int:
    """Return the modification time of a file in nanoseconds since 1970; 0 if the file is in an object store."""
    return path.stat().st_mtime_ns if isinstance(path, Path) else 0


def read_all(paths: Sequence[AnyPath]) -> Iterator[bytes]:
    """Yield the content of each file, in the order of `paths`; b"" if a file is missing. Raises as `read_file`."""
    return map_paths(_read, paths)


def remove_all(paths: Sequence[AnyPath]) -> None:
    """Remove files, and sync the removals to the disk. Missing files are ignored.

    Each object is removed in a separate request, because a bulk request does not report which removals failed.
    """
    for _ in map_paths(_remove, paths):
        pass
    for folder in dict.fromkeys(path.parent for path in paths if isinstance(path, Path)):
        with contextlib.suppress(FileNotFoundError, PermissionError):
            sync_folder(folder)


def map_paths(work: Callable[[AnyPath], T], paths: Sequence[AnyPath]) -> Iterator[T]:
    """Yield `work(path)` for each path, in the order of `paths`. Paths in object stores are processed concurrently."""
    if not any(isinstance(path, ObjectPath) for path in paths):
        yield from map(work, paths)
        return
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(work, paths)


def _read(path: AnyPath) -> bytes:
    with contextlib.suppress(FileNotFoundError):
        return read_file(path)
    return b""


def _remove(path: AnyPath) -> None:
    path.unlink(missing_ok=True)


@contextlib.contextmanager
def output_errors(path: AnyPath) -> Iterator[None]:
    """In the `with` block, replace OSErrors with emojob errors.

    Args:
        path: The output that the `with` block writes, for the message.

    Raises:
        OptionError: A file name or a path is too long.
        OutputError: The bucket does not exist, or the credentials do not permit writing.
        StorageError: Any other OSError, for example a full disk.
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
                f"{why}; free disk space, grant write permission, or give another path, then run the command again"
            ) from error
        kind = OutputError if isinstance(error, FileNotFoundError | PermissionError) else StorageError
        raise kind(why) from error
