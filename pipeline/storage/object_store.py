"""Accesses object stores (s3://, gs://, az://) through fsspec, with as few requests as possible.

An object appears only when the upload is complete, so no temporary objects are needed. Users set the endpoint and the
credentials in the same way as for the provider's command-line tools (for S3: AWS_PROFILE, AWS_ENDPOINT_URL and so on).
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emojob.pipeline.storage.object_errors import NO_OBJECT, as_os_errors, is_transient
from emojob.pipeline.storage.object_io import AT_ONCE, Reader, Upload

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

BLOCK = 4 << 20  # number of bytes that a stream reads ahead
UPLOAD = 16 << 20  # maximum number of bytes per upload request; a larger object needs several requests

_RETRIES = {"mode": "standard", "max_attempts": 5}  # s3fs also retries; a failing request takes about 40 s
_WILDCARD = re.compile(r"[*?[]")


@dataclass(frozen=True)
class ObjectInfo:
    """Size and version of an object.

    Attributes:
        st_size: Size in bytes.
        etag: A string that changes when the content changes (on S3, the ETag).
    """

    st_size: int
    etag: str


@dataclass(frozen=True, order=True)
class ObjectPath:
    """A path in an object store, with the methods of pathlib.Path that emojob needs.

    Methods that access the object store raise OSError with a readable `strerror`.

    Attributes:
        scheme: s3, gs or az.
        key: BUCKET or BUCKET/KEY, without a slash at the end.
    """

    scheme: str
    key: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.key}"

    def __truediv__(self, other: str) -> ObjectPath:
        return ObjectPath(self.scheme, f"{self.key}/{other}")

    @property
    def name(self) -> str:
        """The text after the last slash, for example "chat.csv"."""
        return self.key.rpartition("/")[2]

    @property
    def stem(self) -> str:
        """The name without the suffix, for example "chat"."""
        return Path(self.name).stem

    @property
    def suffix(self) -> str:
        """The file extension, for example ".csv"; "" if there is no extension."""
        return Path(self.name).suffix

    @property
    def parent(self) -> ObjectPath:
        """The folder that contains this path; for a bucket, the bucket itself."""
        return ObjectPath(self.scheme, self.key.rpartition("/")[0] or self.key)

    def with_name(self, name: str) -> ObjectPath:
        """Return the path of the file `name` in the parent folder of this path."""
        return self.parent / name

    def resolve(self) -> ObjectPath:
        """Return the path unchanged, because an object store has no links."""
        return self

    def is_relative_to(self, folder: Path | ObjectPath) -> bool:
        """Return whether this path is `folder` or is inside `folder`."""
        if isinstance(folder, Path):
            return False
        return self.scheme == folder.scheme and f"{self.key}/".startswith(f"{folder.key}/")

    def folders_from(self, folder: ObjectPath) -> list[str]:
        """Return the folders between `folder` and this path, for example ["b", "c"] between a and a/b/c/file."""
        return self.key[len(folder.key) :].strip("/").split("/")[:-1]

    # -- listing -------------------------------------------------------------------------------------------------------

    @property
    def _fs(self) -> AbstractFileSystem:
        return _filesystem(self.scheme, os.getpid())

    def stat(self) -> ObjectInfo:
        """Return the size and version of the object. Raises FileNotFoundError if the object does not exist."""
        found = self._info()
        if found is None or found["type"] != "file":
            raise FileNotFoundError(errno.ENOENT, NO_OBJECT, str(self))
        return _object_info(found)

    def is_file(self) -> bool:
        """Return whether this path is an object. Raises FileNotFoundError if the bucket does not exist."""
        found = self._info()
        return found is not None and found["type"] == "file"

    def is_dir(self) -> bool:
        """Return whether this path is a folder: objects are below this path, and no object has exactly this path.

        Raises FileNotFoundError if the bucket does not exist.
        """
        found = self._info()
        return found is not None and found["type"] == "directory"

    def exists(self) -> bool:
        """Return whether this path is an object or a folder. Raises FileNotFoundError if the bucket does not exist."""
        return self._info() is not None

    def _info(self) -> dict[str, Any] | None:
        """Return fsspec's information about the object or folder; None if nothing exists at this path."""
        try:
            with as_os_errors(str(self)):
                found: dict[str, Any] = self._fs.info(self.key)
                return found
        except FileNotFoundError as error:
            if error.strerror == NO_OBJECT:
                return None
            raise

    def list_objects(self) -> dict[ObjectPath, ObjectInfo]:
        """Return all objects in this folder and all subfolders, sorted by path. Sends one request per 1,000 objects."""
        with as_os_errors(str(self)):
            found = self._fs.find(f"{self.key}/", detail=True)
        return {
            ObjectPath(self.scheme, key): _object_info(info)
            for key, info in sorted(found.items())
            if info["type"] == "file" and not key.endswith("/")
        }

    def glob(self) -> dict[ObjectPath, ObjectInfo]:
        """Use this path as a glob pattern: return matching objects and all objects in matching folders, sorted by path.

        fsspec's `glob` is not used, because that function silently skips folders that the user may not list.
        """
        from fsspec.utils import glob_translate

        fixed = _WILDCARD.split(self.key)[0]
        folder, _, prefix = fixed.rpartition("/")
        narrower = {"prefix": prefix} if prefix and self.scheme in ("s3", "gs") else {}
        with as_os_errors(str(self)):
            found = self._fs.find(f"{folder}/", detail=True, **narrower)
        matches = functools.cache(re.compile(glob_translate(self.key)).match)
        return {
            ObjectPath(self.scheme, key): _object_info(info)
            for key, info in sorted(found.items())
            if info["type"] == "file" and any(map(matches, _with_folders(key)))
        }

    # -- reading -------------------------------------------------------------------------------------------------------

    def read_bytes(self) -> bytes:
        """Read the object in a single request, and return the content."""
        one = {"max_concurrency": 1} if self.scheme == "s3" else {}  # without this, s3fs first requests the size
        with as_os_errors(str(self)):
            data: bytes = self._fs.cat_file(self.key, **one)
        return data

    def read_parallel(self) -> bytes:
        """Read a large object in concurrent requests, and return the content."""
        with self.open(prefetch=False) as reader:
            reader.fetch([(0, reader.size)])
            return reader.read()

    def open(self, prefetch: bool = True, size: int | None = None) -> Reader:
        """Open the object for reading.

        Args:
            prefetch: Whether to read ahead in the background. Reading ahead makes sequential reading faster.
            size: Size of the object in bytes. If None, `open` requests the size. Otherwise `open` sends no request.
        """
        options: dict[str, Any] = {"cache_type": "none"}
        if prefetch:
            options = {"cache_type": "background", "block_size": BLOCK, "cache_options": {"maxblocks": 4}}
        return Reader(str(self), lambda: self._fs.open(self.key, "rb", **options), size)

    # -- writing -------------------------------------------------------------------------------------------------------

    def write_bytes(self, data: bytes, create_only: bool = False, replacing: ObjectInfo | None = None) -> None:
        """Write the object.

        Args:
            data: The content.
            create_only: Whether to raise FileExistsError if the object already exists.
            replacing: Expected version of the object. On S3, the method raises OSError if the object has a different
                version. In other object stores, this argument has no effect.

        Raises:
            FileExistsError: The object exists, and `create_only` is true.
            OSError: The version differs from `replacing` (errno ESTALE), or the request failed.
        """
        condition = {"IfMatch": f'"{replacing.etag}"'} if replacing and self.has_conditional_writes else {}
        with as_os_errors(str(self)):
            self._fs.pipe_file(self.key, data, mode="create" if create_only else "overwrite", **condition)

    @property
    def has_conditional_writes(self) -> bool:
        """Whether `write_bytes` checks the argument `replacing`."""
        return self.scheme == "s3"

    def upload(self) -> Upload:
        """Return a stream that writes the object. Call `commit` on the stream to create the object."""
        with as_os_errors(str(self)):
            return Upload(str(self), self._fs.open(self.key, "wb", block_size=UPLOAD))

    def unlink(self, missing_ok: bool = False) -> None:
        """Remove the object. Raises FileNotFoundError if the object does not exist and `missing_ok` is false."""
        missing = (FileNotFoundError,) if missing_ok else ()
        with contextlib.suppress(*missing), as_os_errors(str(self)):
            self._fs.rm_file(self.key)


# `process` is a part of the cache key, so a forked process creates its own fsspec file system
@functools.cache
def _filesystem(scheme: str, process: int) -> AbstractFileSystem:
    import fsspec

    options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
    if scheme == "s3":
        from s3fs.core import set_custom_error_handler

        set_custom_error_handler(is_transient)
        options["config_kwargs"] = {"retries": _RETRIES, "max_pool_connections": AT_ONCE}
    try:
        return fsspec.filesystem(scheme, **options)
    except ValueError as error:  # adlfs raises ValueError if no storage account is set
        raise PermissionError(str(error)) from error


def _with_folders(key: str) -> Iterator[str]:
    """Yield a key and the folders that contain the key, for example a/b/c, a/b, a."""
    while key:
        yield key
        key = key.rpartition("/")[0]


def _object_info(info: dict[str, Any]) -> ObjectInfo:
    etag = next((info[name] for name in ("ETag", "etag", "md5Hash", "content_md5", "generation") if info.get(name)), "")
    return ObjectInfo(int(info["size"]), str(etag).strip('"'))
