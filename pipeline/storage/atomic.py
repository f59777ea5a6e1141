"""Writes files atomically: a file appears at its path only when the file is complete.

On a disk, emojob writes, fsyncs and renames a temporary file (see temporary.py). In an object store, an object appears
only when the upload is complete.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from emojob.pipeline.storage.folders import sync_folder
from emojob.pipeline.storage.object_io import Upload
from emojob.pipeline.storage.object_store import ObjectPath
from emojob.pipeline.storage.paths import AnyPath, open_stream, read_file
from emojob.pipeline.storage.temporary import create_file

_COPY_BYTES = 1 << 20


class Draft:
    """A file that is being written. The file appears at its path when `commit` is called.

    Several drafts of the same path do not disturb each other: the last `commit` decides the content.

    Attributes:
        sink: Binary stream for the content: a temporary file, or the upload of an object.
    """

    def __init__(self, path: AnyPath, mode: int = 0o666) -> None:
        """Create a draft.

        Args:
            path: The file to write.
            mode: Permissions of the new file, before the umask. Ignored in an object store.
        """
        self._path = path
        self._local: tuple[Path, Path, int] | None = None  # path, temporary file, descriptor of the temporary file
        self.sink: BinaryIO | Upload
        if isinstance(path, ObjectPath):
            self.sink = path.upload()
        else:
            temporary, descriptor = create_file(path, mode)
            self._local = path, temporary, descriptor
            self.sink = open(descriptor, "wb", closefd=False)  # noqa: SIM115 - the descriptor holds a lock

    def commit(self) -> int:
        """Move the complete file to the final path. Return the file size in bytes."""
        if isinstance(self.sink, Upload):
            return self.sink.commit()
        if self._local is None:
            raise ValueError("the draft is committed or discarded")
        path, temporary, descriptor = self._local
        self.sink.close()
        size = os.fstat(descriptor).st_size
        os.fsync(descriptor)
        temporary.replace(path)
        sync_folder(path.parent)
        self._close()
        return size

    def written(self) -> Path | None:
        """Return the temporary file with the content that was written so far; None in an object store."""
        if self._local is None:
            return None
        if not self.sink.closed:
            self.sink.flush()
        return self._local[1]

    def discard(self) -> None:
        """Discard the content. Does nothing after `commit`."""
        if isinstance(self.sink, Upload):
            self.sink.discard()
        elif self._local:
            with contextlib.suppress(OSError):  # the disk may be full
                self.sink.close()
            self._local[1].unlink(missing_ok=True)
            self._close()

    def _close(self) -> None:
        if self._local:
            os.close(self._local[2])
            self._local = None


@contextlib.contextmanager
def draft(
    path: AnyPath,
    mode: int = 0o666,
    guard: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext,
) -> Iterator[Draft]:
    """Yield a draft. The draft is committed after the `with` block, or discarded if the block raises an exception.

    Args:
        path: The file to write.
        mode: Permissions of the new file, before the umask. Ignored in an object store.
        guard: Function that returns a context manager. The file is moved to its path inside this context.
    """
    made = Draft(path, mode)
    try:
        yield made
        with guard():
            made.commit()
    except BaseException:
        made.discard()
        raise


def commit(written: Path, path: Path) -> None:
    """Move a complete file to the final path. Fsync the file and the folder of the final path.

    Args:
        written: Path of the complete file. Must be in the file system of `path`.
        path: Final path. An existing file at this path is replaced.
    """
    descriptor = os.open(written, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    written.replace(path)
    sync_folder(path.parent)


def copy_file(source: AnyPath, path: AnyPath) -> None:
    """Copy a file atomically. Only a small part of the content is in memory."""
    with open_stream(source) as content, draft(path) as made:
        shutil.copyfileobj(content, made.sink, _COPY_BYTES)


def write_bytes(path: AnyPath, content: bytes) -> None:
    """Write a file atomically."""
    if isinstance(path, ObjectPath):
        path.write_bytes(content)
        return
    with draft(path) as made:
        made.sink.write(content)


def write_json(path: AnyPath, value: Any) -> None:
    """Write a JSON file atomically."""
    write_bytes(path, json_bytes(value))


def json_bytes(value: Any) -> bytes:
    """Return the bytes that `write_json` writes for a value."""
    text = json.dumps(value, ensure_ascii=False, indent=1) + "\n"
    return text.encode("utf-8", "backslashreplace")  # the value may contain a file name that is not valid Unicode


def read_json(path: AnyPath) -> dict[str, Any]:
    """Return the JSON object in a file; {} if the file is missing or contains no JSON object.

    Raises DataError if the path is a pipe, a socket or a device, and OSError if the file cannot be read.
    """
    try:
        return parse_json(read_file(path))
    except FileNotFoundError:
        return {}


def parse_json(content: bytes) -> dict[str, Any]:
    """Return the JSON object in `content`; {} if `content` is not a JSON object."""
    try:
        plain = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError):
        return {}
    return plain if isinstance(plain, dict) else {}
