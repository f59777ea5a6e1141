"""Places on this machine and in stores, as one kind of thing: named by the user, listed, read, removed."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote

from emojob.pipeline.storage.object_io import AT_ONCE, Reader
from emojob.pipeline.storage.object_store import ObjectPath
from emojob.schemas.errors import OptionError, OutputError, StorageError, name_too_long

AnyPath = Path | ObjectPath

T = TypeVar("T")

#: The package that knows a scheme, and what installs it.
_PACKAGES = {
    "s3": ("s3fs", "'emojob[s3]'"),
    "gs": ("gcsfs", "gcsfs"),
    "az": ("adlfs", "adlfs"),
}
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


def parse_path(given: str) -> AnyPath:
    """A path, of a file:// URL as well, or the place in a store that a URL names.

    Raises OptionError for a URL of another kind, or where the package that knows it is missing.
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
    """A place that is given from a folder: a URL as it is, a path from there on."""
    place = parse_path(given)
    return folder / place if isinstance(place, Path) else place


def read_all(places: Sequence[AnyPath]) -> Iterator[bytes]:
    """Each file's bytes, in order; none where it is missing."""
    return _each(_read, places)


def remove_all(places: Sequence[AnyPath]) -> None:
    """Remove files that may be missing.

    Each is removed in a request of its own: one request for many would not tell which of them were refused.
    """
    for _ in _each(_remove, places):
        pass


def _each(work: Callable[[AnyPath], T], places: Sequence[AnyPath]) -> Iterator[T]:
    """What some work comes to with each place, in order; it is done with several of a store at the same time."""
    if not any(isinstance(place, ObjectPath) for place in places):
        yield from map(work, places)
        return
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(work, places)


def _read(place: AnyPath) -> bytes:
    with contextlib.suppress(FileNotFoundError):
        return place.read_bytes()
    return b""


def _remove(place: AnyPath) -> None:
    place.unlink(missing_ok=True)


def list_files(folder: AnyPath, within: Sequence[str]) -> dict[str, int]:
    """{name from `folder` on: bytes} of the files in it and in these folders within.

    Of a store, those in all folders within, in one request for each thousand.
    """
    if isinstance(folder, ObjectPath):
        return {str(place)[len(str(folder)) + 1 :]: found.st_size for place, found in folder.list_objects().items()}
    there: dict[str, int] = {}
    for name in ("", *within):
        with contextlib.suppress(FileNotFoundError), os.scandir(folder / name) as entries:
            there |= {os.path.join(name, entry.name): entry.stat().st_size for entry in entries if entry.is_file()}  # noqa: PTH118
    return there


def is_empty(folder: AnyPath) -> bool:
    """Return whether a folder holds nothing."""
    return not any(folder.list_objects() if isinstance(folder, ObjectPath) else folder.iterdir())


def make_folder(folder: AnyPath) -> None:
    """Create a folder on a disk with its parents. An object store needs none."""
    if isinstance(folder, Path):
        folder.mkdir(parents=True, exist_ok=True)


def seekable(place: AnyPath) -> Path | Reader:
    """What pyarrow reads a Parquet file from: a path, or an object from anywhere in it."""
    return place if isinstance(place, Path) else place.open(prefetch=False)


@contextlib.contextmanager
def output_errors(place: AnyPath) -> Iterator[None]:
    """Turn what goes wrong with an output into one line: StorageError, or OutputError for a mistake with a store."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise name_too_long(error) from error
        where = f", {error.filename}" if isinstance(error, IsADirectoryError) and error.filename else ""
        why = f"cannot write to {place}{where}: {error.strerror or error}"
        if not isinstance(place, ObjectPath):
            raise StorageError(
                f"{why}; make room or give the right to write, then the same command goes on, or give another place"
            ) from error
        kind = OutputError if isinstance(error, FileNotFoundError | PermissionError) else StorageError
        raise kind(why) from error
