"""Places in object stores (s3://, gs://, az://), through fsspec: what emojob does with objects, each in few requests.

An object is there whole or not at all, in one request or with the last one of several, so nothing is renamed. Where
the store is and who asks comes from what its own tools read (AWS_PROFILE, AWS_ENDPOINT_URL and so on).
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

BLOCK = 4 << 20  # bytes that are read ahead of a stream
UPLOAD = 16 << 20  # bytes up to which an object is put in one request; a longer one comes in pieces of that size

_RETRIES = {"mode": "standard", "max_attempts": 5}  # with s3fs's own, some 40 seconds of trying
_WILDCARD = re.compile(r"[*?[]")


@dataclass(frozen=True)
class ObjectInfo:
    """What a store tells of an object. st_size: bytes; tag: another for every content (S3's ETag)."""

    st_size: int
    etag: str


@dataclass(frozen=True, order=True)
class ObjectPath:
    """A place in a store, with those names and methods of pathlib.Path that emojob needs.

    key: bucket and key, without a slash at the end. What goes wrong in the store is raised as OSError, mostly of a
    narrower kind, whose `strerror` says it in words.
    """

    scheme: str
    key: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.key}"

    def __truediv__(self, other: str) -> ObjectPath:
        return ObjectPath(self.scheme, f"{self.key}/{other}")

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
    def parent(self) -> ObjectPath:
        """The folder; of a bucket, the bucket."""
        return ObjectPath(self.scheme, self.key.rpartition("/")[0] or self.key)

    def with_name(self, name: str) -> ObjectPath:
        """Another place in the same folder."""
        return self.parent / name

    def resolve(self) -> ObjectPath:
        """The place itself: a store has no links."""
        return self

    def is_relative_to(self, folder: ObjectPath) -> bool:
        """Whether this is the folder, or in it."""
        return self.scheme == folder.scheme and f"{self.key}/".startswith(f"{folder.key}/")

    def folders_from(self, folder: ObjectPath) -> list[str]:
        """The names of the folders between `folder` and this."""
        return self.key[len(folder.key) :].strip("/").split("/")[:-1]

    # -- what is there -------------------------------------------------------------------------------------------------

    @property
    def _fs(self) -> AbstractFileSystem:
        return _filesystem(self.scheme, os.getpid())

    def stat(self) -> ObjectInfo:
        """Size and tag of the object. Raises FileNotFoundError where there is none."""
        found = self._info()
        if found is None or found["type"] != "file":
            raise FileNotFoundError(errno.ENOENT, NO_OBJECT, str(self))
        return _object_info(found)

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
            with as_os_errors(str(self)):
                found: dict[str, Any] = self._fs.info(self.key)
                return found
        except FileNotFoundError as error:
            if error.strerror == NO_OBJECT:
                return None
            raise

    def list_objects(self) -> dict[ObjectPath, ObjectInfo]:
        """All objects below, sorted; one request for each thousand of them."""
        with as_os_errors(str(self)):
            found = self._fs.find(f"{self.key}/", detail=True)
        return {
            ObjectPath(self.scheme, key): _object_info(info)
            for key, info in sorted(found.items())
            if info["type"] == "file" and not key.endswith("/")
        }

    def glob(self) -> dict[ObjectPath, ObjectInfo]:
        """The objects that this matches as a pattern, and those below the folders that it matches, sorted.

        All whose names begin as the pattern does are listed, for fsspec's own glob passes over what it may not list.
        """
        from fsspec.utils import glob_translate

        beginning = _WILDCARD.split(self.key)[0]
        folder, _, prefix = beginning.rpartition("/")
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
        """The whole object, in one request."""
        one = {"max_concurrency": 1} if self.scheme == "s3" else {}  # else s3fs asks for the size first
        with as_os_errors(str(self)):
            data: bytes = self._fs.cat_file(self.key, **one)
        return data

    def read_parallel(self) -> bytes:
        """The whole object, which is a long one, in requests at the same time."""
        with self.open(prefetch=False) as reader:
            reader.fetch([(0, reader.size)])
            return reader.read()

    def open(self, prefetch: bool = True, size: int | None = None) -> Reader:
        """Open the object for reading.

        ahead: as a stream, whose next bytes are fetched while these are read; size: in bytes, where it is known, so
        that nothing is asked of the store before the first byte is read.
        """
        kind: dict[str, Any] = {"cache_type": "none"}
        if prefetch:
            kind = {"cache_type": "background", "block_size": BLOCK, "cache_options": {"maxblocks": 4}}
        return Reader(str(self), lambda: self._fs.open(self.key, "rb", **kind), size)

    # -- writing -------------------------------------------------------------------------------------------------------

    def write_bytes(self, data: bytes, create_only: bool = False, replacing: ObjectInfo | None = None) -> None:
        """Put an object.

        Args:
            data: The content.
            create_only: Raise FileExistsError if the object exists.
            replacing: Raise OSError (ESTALE) if the object is no longer this one; only S3 checks it.
        """
        condition = {"IfMatch": f'"{replacing.etag}"'} if replacing and self.scheme == "s3" else {}
        with as_os_errors(str(self)):
            self._fs.pipe_file(self.key, data, mode="create" if create_only else "overwrite", **condition)

    def upload(self) -> Upload:
        """A file to write to, which becomes the object."""
        with as_os_errors(str(self)):
            return Upload(str(self), self._fs.open(self.key, "wb", block_size=UPLOAD))

    def unlink(self, missing_ok: bool = False) -> None:
        """Remove the object."""
        with (
            contextlib.suppress(FileNotFoundError) if missing_ok else contextlib.nullcontext(),
            as_os_errors(str(self)),
        ):
            self._fs.rm_file(self.key)


@functools.cache
def _filesystem(scheme: str, process: int) -> AbstractFileSystem:  # one is not for two processes
    import fsspec

    options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
    if scheme == "s3":
        from s3fs.core import set_custom_error_handler

        set_custom_error_handler(is_transient)
        options["config_kwargs"] = {"retries": _RETRIES, "max_pool_connections": AT_ONCE}
    try:
        return fsspec.filesystem(scheme, **options)
    except ValueError as error:  # adlfs, where nothing tells it of an account
        raise PermissionError(str(error)) from error


def _with_folders(key: str) -> Iterator[str]:
    """A key, and the folders that it lies in."""
    while key:
        yield key
        key = key.rpartition("/")[0]


def _object_info(info: dict[str, Any]) -> ObjectInfo:
    tag = next((info[name] for name in ("ETag", "etag", "md5Hash", "content_md5", "generation") if info.get(name)), "")
    return ObjectInfo(int(info["size"]), str(tag).strip('"'))
