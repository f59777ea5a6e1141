"""Lists and opens the files in a ZIP file, without unpacking the ZIP file."""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from emojob.pipeline.reading.files.content import HEAD, is_hidden
from emojob.pipeline.storage.object_store import ObjectInfo
from emojob.pipeline.storage.paths import AnyPath, open_stream
from emojob.schemas.errors import DataError
from emojob.schemas.messages import first_line

MOST_MEMBERS = 1_000_000
_FOLDERS_OF_OTHERS = ("__MACOSX",)
_IS_UTF8 = 0x800  # flag of a member: the name is UTF-8
_IS_ENCRYPTED = 0x1
_Opened = tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]
_last: dict[tuple[int, str, Any], _Opened] = {}  # the ZIP file that was opened last
_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)


def list_members(path: AnyPath, name: str) -> Iterator[tuple[str, bytes, int]]:
    """Yield (name, first bytes, size in bytes after decompression) of each file in a ZIP file, sorted by name.

    Folders, hidden files and files that macOS adds are left out.

    Args:
        path: The ZIP file.
        name: Name of the ZIP file, for messages.

    Raises:
        DataError: The ZIP file is damaged, encrypted, or compressed with an unsupported method.
    """
    with _opened(path, name) as (packed, infos):
        if len(infos) > MOST_MEMBERS:
            raise DataError(f"{name} has {len(infos):,} files, but emojob reads at most {MOST_MEMBERS:,}; unpack it")
        for member, info in sorted(infos.items()):
            folders = member.split("/")
            if folders[0] in _FOLDERS_OF_OTHERS or any(map(is_hidden, folders)):
                continue
            if info.flag_bits & _IS_ENCRYPTED:
                raise DataError(f"{name} is encrypted; unpack it with its password: unzip {shlex.quote(name)}")
            with packed.open(info) as stream:
                head = stream.read(HEAD)
            yield member, head, info.file_size


@contextlib.contextmanager
def open_member(path: AnyPath, name: str, member: str) -> Iterator[tuple[BinaryIO, int]]:
    """Open a file in a ZIP file for reading. Yield (stream, size in bytes after decompression).

    Args:
        path: The ZIP file.
        name: Name of the ZIP file, for messages.
        member: Name of the file in the ZIP file, as `list_members` gives it.

    Raises:
        DataError: The ZIP file is damaged, or the member is missing.
    """
    with _opened(path, name) as (packed, infos):
        info = infos.get(member)
        if info is None:
            raise DataError(f"{name} no longer contains {member}; start the run again when the file is complete")
        with packed.open(info) as stream:
            yield cast(BinaryIO, stream), info.file_size


@contextlib.contextmanager
def _opened(path: AnyPath, name: str) -> Iterator[_Opened]:
    """Open a ZIP file, and yield (ZIP file, {name: member}). Errors of the format become DataError.

    The last ZIP file of the process stays open. Otherwise its list of members, which may have 100,000 entries, would be
    read again for each member.
    """
    try:
        found = path.stat()
        key = (os.getpid(), str(path), found if isinstance(found, ObjectInfo) else (found.st_size, found.st_mtime_ns))
        opened = _last.get(key)
        if opened is None:
            opened = _open(path, name)
            _last.clear()  # a stream of a member keeps its file open until the stream is closed
            _last[key] = opened
        yield opened
    except _ERRORS as error:
        reason = first_line(error).rstrip(".")
        raise DataError(
            f"{name} cannot be unpacked ({reason}); unpack it with another program, or copy the file again from its "
            "source"
        ) from error


def _open(path: AnyPath, name: str) -> _Opened:
    """Return (ZIP file, {name: member}). Raises DataError if two members have one name."""
    packed = zipfile.ZipFile(cast(io.RawIOBase, open_stream(path)))
    infos: dict[str, zipfile.ZipInfo] = {}
    for info in packed.infolist():
        if not info.is_dir() and infos.setdefault(_name_of(info), info) is not info:
            raise DataError(f"{name} holds two files with the name {_name_of(info)}; unpack it with another program")
    return packed, infos


def _name_of(info: zipfile.ZipInfo) -> str:
    """Return the name of a member. Korean programs write names in cp949 without a mark; zipfile reads them as cp437."""
    if info.flag_bits & _IS_UTF8 or info.filename.isascii():
        return info.filename
    with contextlib.suppress(UnicodeError):
        raw = info.filename.encode("cp437")
        for codec in ("utf-8", "cp949"):
            with contextlib.suppress(UnicodeDecodeError):
                return raw.decode(codec)
    return info.filename
