"""Places in object stores (s3://, gs://, az://), through fsspec: what emojob does with objects, each in few requests.

An object is there whole or not at all, in one request or with the last one of several, so nothing is renamed. Where
the store is and who asks comes from what its own tools read (AWS_PROFILE, AWS_ENDPOINT_URL and so on).
"""

from __future__ import annotations

import contextlib
import errno
import functools
import io
import itertools
import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from schemas.errors import OptionError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

BLOCK = 4 << 20  # bytes that are read ahead of a stream
UPLOAD = 16 << 20  # bytes up to which an object is put in one request; a longer one comes in pieces of that size

#: The package that knows a scheme, and what installs it.
_PACKAGES = {
    "s3": ("s3fs", "'emojob[s3]'"),
    "gs": ("gcsfs", "gcsfs"),
    "az": ("adlfs", "adlfs"),
}
_RETRIES = {"mode": "standard", "max_attempts": 5}  # with s3fs's own, some 40 seconds of trying
_WILDCARD = re.compile(r"[*?[]")
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_AT_ONCE = 32  # requests
_PIECE = 8 << 20  # bytes of one request
_GAP = 64 << 10  # bytes that nobody wants, read along rather than asked around
_NO_OBJECT = "no such object"

#: Packages whose exceptions are a store's, also where they are no OSError.
_CLIENTS = {"adlfs", "aiobotocore", "aiohttp", "azure", "botocore", "fsspec", "gcsfs", "google", "s3fs"}

_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or AZURE_STORAGE_CONNECTION_STRING",
}
_REFUSED = {
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "AuthorizationHeaderMalformed",
}


@dataclass(frozen=True)
class Stored:
    """What a store tells of an object. st_size: bytes; tag: another for every content (S3's ETag)."""

    st_size: int
    tag: str


@dataclass(frozen=True, order=True)
class StorePath:
    """A place in a store, with those names and methods of pathlib.Path that emojob needs.

    key: bucket and key, without a slash at the end. What goes wrong in the store is raised as OSError, mostly of a
    narrower kind, whose `strerror` says it in words.
    """

    scheme: str
    key: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.key}"

    def __truediv__(self, other: str) -> StorePath:
        return StorePath(self.scheme, f"{self.key}/{other}")

    @property
    def name(self) -> str:
        """What stands behind the last slash."""
        return self.key.rpartition("/")[2]

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return Path(self.name).stem

    @property
    def suffix(self) -> str:
        """What the name ends in, from its last dot on."""
        return Path(self.name).suffix

    @property
    def parent(self) -> StorePath:
        """The folder; of a bucket, the bucket."""
        return StorePath(self.scheme, self.key.rpartition("/")[0] or self.key)

    def with_name(self, name: str) -> StorePath:
        """Another place in the same folder."""
        return self.parent / name

    def resolve(self) -> StorePath:
        """The place itself: a store has no links."""
        return self

    def is_relative_to(self, folder: StorePath) -> bool:
        """Whether this is the folder, or in it."""
        return self.scheme == folder.scheme and f"{self.key}/".startswith(f"{folder.key}/")

    def folders_from(self, folder: StorePath) -> list[str]:
        """The names of the folders between `folder` and this."""
        return self.key[len(folder.key) :].strip("/").split("/")[:-1]

    @contextlib.contextmanager
    def worded(self) -> Iterator[None]:
        """Turn what the store's client raises into an OSError in words."""
        try:
            yield
        except Exception as error:
            if not isinstance(error, OSError) and type(error).__module__.partition(".")[0] not in _CLIENTS:
                raise
            raise _fault(self, error) from error

    # -- what is there -------------------------------------------------------------------------------------------------

    @property
    def _fs(self) -> AbstractFileSystem:
        return _filesystem(self.scheme, os.getpid())

    def stat(self) -> Stored:
        """Size and tag of the object. Raises FileNotFoundError where there is none."""
        found = self._info()
        if found is None or found["type"] != "file":
            raise FileNotFoundError(errno.ENOENT, _NO_OBJECT, str(self))
        return _stored(found)

    def is_file(self) -> bool:
        """Whether there is an object of this name. Raises FileNotFoundError where there is no such bucket."""
        found = self._info()
        return found is not None and found["type"] == "file"

    def is_dir(self) -> bool:
        """Whether there is no object of this name, but others below. Raises as `is_file`."""
        found = self._info()
        return found is not None and found["type"] == "directory"

    def exists(self) -> bool:
        """Whether there is an object of this name, or others below. Raises as `is_file`."""
        return self._info() is not None

    def _info(self) -> dict[str, Any] | None:
        try:
            with self.worded():
                found: dict[str, Any] = self._fs.info(self.key)
                return found
        except FileNotFoundError as error:
            if error.strerror == _NO_OBJECT:
                return None
            raise

    def below(self) -> dict[StorePath, Stored]:
        """All objects below, sorted; one request for each thousand of them."""
        with self.worded():
            found = self._fs.find(f"{self.key}/", detail=True)
        return {
            StorePath(self.scheme, key): _stored(info)
            for key, info in sorted(found.items())
            if info["type"] == "file" and not key.endswith("/")
        }

    def glob(self) -> dict[StorePath, Stored]:
        """The objects that this matches as a pattern, and those below the folders that it matches, sorted.

        All whose names begin as the pattern does are listed, for fsspec's own glob passes over what it may not list.
        """
        from fsspec.utils import glob_translate

        beginning = _WILDCARD.split(self.key)[0]
        folder, _, prefix = beginning.rpartition("/")
        narrower = {"prefix": prefix} if prefix and self.scheme in ("s3", "gs") else {}
        with self.worded():
            found = self._fs.find(f"{folder}/", detail=True, **narrower)
        matches = functools.cache(re.compile(glob_translate(self.key)).match)
        return {
            StorePath(self.scheme, key): _stored(info)
            for key, info in sorted(found.items())
            if info["type"] == "file" and any(map(matches, _with_folders(key)))
        }

    # -- reading -------------------------------------------------------------------------------------------------------

    def read_bytes(self) -> bytes:
        """The whole object, in one request."""
        one = {"max_concurrency": 1} if self.scheme == "s3" else {}  # else s3fs asks for the size first
        with self.worded():
            data: bytes = self._fs.cat_file(self.key, **one)
        return data

    def read_pieces(self) -> bytes:
        """The whole object, which is a long one, in requests at the same time."""
        with self.open(ahead=False) as reader:
            reader.fetch([(0, reader.size)])
            return reader.read()

    def read_text(self, encoding: str) -> str:
        """The whole object as text."""
        return self.read_bytes().decode(encoding)

    def open(self, ahead: bool = True) -> Reader:
        """Open the object for reading. ahead: as a stream, whose next bytes are fetched while these are read."""
        kind: dict[str, Any] = {"cache_type": "none"}
        if ahead:
            kind = {"cache_type": "background", "block_size": BLOCK, "cache_options": {"maxblocks": 4}}
        with self.worded():
            return Reader(self, self._fs.open(self.key, "rb", **kind))

    # -- writing -------------------------------------------------------------------------------------------------------

    def write_bytes(self, data: bytes, only_new: bool = False, instead_of: Stored | None = None) -> None:
        """Put an object.

        only_new: raise FileExistsError where there is one already; instead_of: raise OSError (ESTALE) where another is
        there, of which S3 alone makes sure.
        """
        condition = {"IfMatch": f'"{instead_of.tag}"'} if instead_of and self.scheme == "s3" else {}
        with self.worded():
            self._fs.pipe_file(self.key, data, mode="create" if only_new else "overwrite", **condition)

    def upload(self) -> Upload:
        """A file to write to, which becomes the object."""
        with self.worded():
            return Upload(self, self._fs.open(self.key, "wb", block_size=UPLOAD))

    def unlink(self, missing_ok: bool = False) -> None:
        """Remove the object."""
        with contextlib.suppress(FileNotFoundError) if missing_ok else contextlib.nullcontext(), self.worded():
            self._fs.rm_file(self.key)


Place = Path | StorePath


class Reader(io.RawIOBase):
    """An object, read from anywhere in it. Raises OSError once another object is in its place."""

    def __init__(self, place: StorePath, file: Any) -> None:
        self._place, self._file, self._at = place, file, 0
        self._kept: list[tuple[int, bytes]] = []
        self.size = int(file.size)

    def fetch(self, ranges: Sequence[tuple[int, int]]) -> None:
        """Get these bytes, (first, behind the last) each, in requests at the same time; kept until the next call."""
        self._kept = []
        whole = _joined(ranges)
        pieces = [(at, min(at + _PIECE, stop)) for start, stop in whole for at in range(start, stop, _PIECE)]
        with self._place.worded(), ThreadPoolExecutor(_AT_ONCE) as pool:
            found = pool.map(lambda one: self._file._fetch_range(*one), pieces)
            for start, stop in whole:
                data = b"".join(itertools.islice(found, -(-(stop - start) // _PIECE)))
                if len(data) != stop - start:
                    raise OSError(errno.EIO, "the store gave fewer bytes than there are", str(self._place))
                self._kept.append((start, data))

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a byte."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        return self._at

    def tell(self) -> int:
        """The byte that is read next."""
        return self._at

    def readinto(self, buffer: Any) -> int:
        """The next bytes, as many as there is room for."""
        wanted = min(len(buffer), max(0, self.size - self._at))
        data = self._found(wanted) if wanted else b""
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _found(self, wanted: int) -> bytes | memoryview:
        for start, data in self._kept:
            if start <= self._at and self._at + wanted <= start + len(data):
                return memoryview(data)[self._at - start :][:wanted]
        with self._place.worded():
            self._file.seek(self._at)
            read: bytes = self._file.read(wanted)
        return read

    def close(self) -> None:
        """Let go of it."""
        if not self.closed:
            self._file.close()
        super().close()


class Upload(io.RawIOBase):
    """An object in the making: it is there after `commit`, and not before."""

    def __init__(self, place: StorePath, file: Any) -> None:
        self._place, self._file, self._size = place, file, 0

    def writable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """Bytes so far."""
        return self._size

    def write(self, data: Any) -> int:
        """Add bytes."""
        with self._place.worded():
            self._file.write(data)
        size = memoryview(data).nbytes
        self._size += size
        return size

    def commit(self) -> int:
        """Make it the object; returns its size in bytes."""
        with self._place.worded():
            try:
                self._file.close()
            except Exception:
                with contextlib.suppress(Exception):
                    self._file.discard()
                raise
        return self._size

    def discard(self) -> None:
        """Drop it, where it was not committed."""
        if not self._file.closed:
            with contextlib.suppress(Exception):  # what stays unfinished in the store is never seen
                self._file.discard()
            self._file.closed = True


def _joined(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges of bytes in order, those that all but touch as one."""
    joined: list[tuple[int, int]] = []
    for start, stop in sorted(ranges):
        if joined and start - joined[-1][1] <= _GAP:
            joined[-1] = joined[-1][0], max(joined[-1][1], stop)
        else:
            joined.append((start, stop))
    return joined


# -- several at once ---------------------------------------------------------------------------------------------------


def read_all(places: Sequence[Place]) -> Iterator[bytes]:
    """Each file's bytes, in order; none where it is missing. Of a store, several are read at the same time."""
    if not any(isinstance(place, StorePath) for place in places):
        yield from map(_read, places)
        return
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        yield from pool.map(_read, places)


def _read(place: Place) -> bytes:
    with contextlib.suppress(FileNotFoundError):
        return place.read_bytes()
    return b""


def remove_all(places: Collection[Place]) -> None:
    """Remove files that may be missing. Of a store, several are removed at the same time, each in a request of its own:
    one request for many would not tell which of them it was not allowed to remove."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for _ in (pool.map if any(isinstance(place, StorePath) for place in places) else map)(_remove, places):
            pass


def _remove(place: Place) -> None:
    place.unlink(missing_ok=True)


def listed(folder: Place, within: Sequence[str]) -> dict[str, int]:
    """{name from `folder` on: bytes} of the files in it and in these folders within.

    Of a store, those in all folders within, in one request for each thousand.
    """
    if isinstance(folder, StorePath):
        return {str(place)[len(str(folder)) + 1 :]: found.st_size for place, found in folder.below().items()}
    there: dict[str, int] = {}
    for name in ("", *within):
        with contextlib.suppress(FileNotFoundError), os.scandir(folder / name) as entries:
            there |= {os.path.join(name, entry.name): entry.stat().st_size for entry in entries if entry.is_file()}  # noqa: PTH118
    return there


def seekable(place: Place) -> Path | Reader:
    """What pyarrow reads a Parquet file from: a path, or an object from anywhere in it."""
    return place if isinstance(place, Path) else place.open(ahead=False)


# -- names -------------------------------------------------------------------------------------------------------------


def place_of(given: str) -> Place:
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
    return StorePath(scheme, key)


def within(folder: Path, given: str) -> Place:
    """A place that is given from a folder: a URL as it is, a path from there on."""
    place = place_of(given)
    return folder / place if isinstance(place, Path) else place


@functools.cache
def _filesystem(scheme: str, process: int) -> AbstractFileSystem:  # one is not for two processes
    import fsspec

    options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
    if scheme == "s3":
        from s3fs.core import set_custom_error_handler

        set_custom_error_handler(_passes)
        options["config_kwargs"] = {"retries": _RETRIES, "max_pool_connections": _AT_ONCE}
    try:
        return fsspec.filesystem(scheme, **options)
    except ValueError as error:  # adlfs, where nothing tells it of an account
        raise PermissionError(str(error)) from error


def _passes(error: Exception) -> bool:
    """Whether an error is the store's own, which may be over soon."""
    response = getattr(error, "response", None)
    return isinstance(response, dict) and response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500


def _with_folders(key: str) -> Iterator[str]:
    """A key, and the folders that it lies in."""
    while key:
        yield key
        key = key.rpartition("/")[0]


def _stored(info: dict[str, Any]) -> Stored:
    tag = next((info[name] for name in ("ETag", "etag", "md5Hash", "content_md5", "generation") if info.get(name)), "")
    return Stored(int(info["size"]), str(tag).strip('"'))


# -- what goes wrong ---------------------------------------------------------------------------------------------------


def _fault(place: StorePath, error: Exception) -> OSError:
    """An error of a store's client as an OSError in words. Its own message is not shown, as it may hold anything."""
    if isinstance(error, OSError) and error.strerror and error.filename == str(place):
        return error
    code, kind = _code(error), type(error).__name__
    bucket = place.key.partition("/")[0]
    check = _CREDENTIALS[place.scheme]

    def fault(number: int, words: str) -> OSError:
        return OSError(number, words, str(place))

    if kind in ("NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError", "ProfileNotFound"):
        return fault(errno.EACCES, f"there are no credentials for the store ({kind}); set {check}")
    if code in _REFUSED:
        return fault(errno.EACCES, f"the store does not accept the credentials ({code}); check {check}")
    if isinstance(error, PermissionError):
        return fault(
            errno.EACCES, f"no permission, or wrong credentials ({code or kind}); check {check} and their rights"
        )
    if code == "NoSuchBucket" or str(error) == "The specified bucket does not exist":  # s3fs's words, behind a bare 404
        return fault(errno.ENOENT, f"there is no bucket {bucket!r}; check the name, and the endpoint")
    if isinstance(error, FileNotFoundError):
        return fault(errno.ENOENT, _NO_OBJECT)
    if isinstance(error, FileExistsError) or code == "ConditionalRequestConflict":
        return fault(errno.EEXIST, "there is one already")
    if code == "PreconditionFailed" or kind == "FileExpired":
        return fault(errno.ESTALE, "it was replaced while it was read; start again when it is complete")
    if "Endpoint" in kind or "Connect" in kind or "Timeout" in kind:
        return fault(errno.EHOSTUNREACH, f"the store cannot be reached ({kind}); check the network, and the endpoint")
    return fault(errno.EIO, f"the store failed ({code or kind}); the same command then goes on")


def _code(error: BaseException | None) -> str:
    """What the store itself calls an error."""
    while error is not None:
        response = getattr(error, "response", None)
        if isinstance(response, dict):
            return str(response.get("Error", {}).get("Code", ""))
        error = error.__cause__
    return ""
