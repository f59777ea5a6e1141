"""Writes files atomically: a file appears at its path only after it is complete.

On a disk, the content is written to a temporary file, which is fsynced and renamed. In an object store, an object
appears when the last request of its upload succeeds.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from emojob.pipeline.storage.object_io import Upload
from emojob.pipeline.storage.object_store import ObjectPath
from emojob.pipeline.storage.paths import AnyPath


class Draft:
    """A file that is being written. It appears at its path only when `commit` is called.

    Attributes:
        sink: Where the content is written. It is the path of a temporary file, or an open stream for an object.
    """

    def __init__(self, path: AnyPath, token: str = "") -> None:
        """Create a draft.

        Args:
            path: The file to write.
            token: Part of the temporary file name. Concurrent writers of the same file need different tokens.
        """
        self._path = path
        self.sink: Path | Upload = path.upload() if isinstance(path, ObjectPath) else temporary_path(path, token)

    @contextlib.contextmanager
    def opened(self) -> Iterator[BinaryIO | Upload]:
        """Yield a binary stream for the content."""
        if isinstance(self.sink, Upload):
            yield self.sink
        else:
            with self.sink.open("wb") as stream:
                yield stream

    def commit(self) -> int:
        """Make the file appear at its path, and return its size in bytes. Raises OSError."""
        if isinstance(self.sink, Upload):
            return self.sink.commit()
        size = self.sink.stat().st_size
        commit(self.sink, Path(str(self._path)))
        return size

    def discard(self) -> None:
        """Discard the content. Does nothing after `commit`."""
        if isinstance(self.sink, Upload):
            self.sink.discard()
        else:
            self.sink.unlink(missing_ok=True)


@contextlib.contextmanager
def draft(path: AnyPath, token: str = "") -> Iterator[Draft]:
    """Yield a draft. It is committed after the `with` block, or discarded if the block raises an exception.

    Args:
        path: The file to write.
        token: Part of the temporary file name. Concurrent writers of the same file need different tokens.
    """
    made = Draft(path, token)
    try:
        yield made
        made.commit()
    except BaseException:
        made.discard()
        raise


def commit(written: Path, path: Path) -> None:
    """Move a complete file to its final path: fsync the file, rename it, and fsync the folder.

    Args:
        written: Path of the complete file, in the same folder as `path`.
        path: Final path. An existing file is replaced.
    """
    descriptor = os.open(written, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    written.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Fsync a folder, so that renames and removals in it survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: AnyPath, content: bytes) -> None:
    """Write a file atomically."""
    if isinstance(path, ObjectPath):
        path.write_bytes(content)
        return
    with draft(path) as made, made.opened() as stream:
        stream.write(content)


def write_json(path: AnyPath, value: Any) -> None:
    """Write a JSON file atomically."""
    write_bytes(path, json_bytes(value))


def json_bytes(value: Any) -> bytes:
    """Return the bytes that `write_json` writes for a value."""
    text = json.dumps(value, ensure_ascii=False, indent=1) + "\n"
    return text.encode("utf-8", "backslashreplace")  # the value may contain a file name that is not valid Unicode


def read_json(path: AnyPath) -> dict[str, Any]:
    """Return the content of a JSON file as a dict; {} if the file is missing or does not contain a JSON object."""
    try:
        return parse_json(path.read_bytes())
    except FileNotFoundError:
        return {}


def parse_json(content: bytes) -> dict[str, Any]:
    """Parse a JSON object from bytes; return {} if the bytes are not a JSON object."""
    try:
        plain = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError):
        return {}
    return plain if isinstance(plain, dict) else {}


def temporary_path(path: Path, token: str = "") -> Path:
    """Return the path of the hidden temporary file for `path`, in the same folder.

    Args:
        path: The file to write.
        token: Part of the temporary file name. Concurrent writers of the same file need different tokens.
    """
    return path.with_name(f".{path.name}.{token}.tmp" if token else f".{path.name}.tmp")
