"""Writes files atomically: a file appears at its path only when the file is complete.

On a disk, emojob writes, fsyncs and renames a temporary file. In an object store, an object appears only when the
upload is complete.
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
    """A file that is being written. The file appears at its path when `commit` is called.

    Attributes:
        sink: Destination of the content: the path of a temporary file, or the upload stream of an object.
    """

    def __init__(self, path: AnyPath, token: str = "") -> None:
        """Create a draft.

        Args:
            path: The file to write.
            token: Text that makes the temporary file name unique. Concurrent writers of `path` need different tokens.
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
        """Move the complete file to the final path. Return the file size in bytes."""
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
    """Yield a draft. The draft is committed after the `with` block, or discarded if the block raises an exception.

    Args:
        path: The file to write.
        token: Text that makes the temporary file name unique. Concurrent writers of `path` need different tokens.
    """
    made = Draft(path, token)
    try:
        yield made
        made.commit()
    except BaseException:
        made.discard()
        raise


def commit(written: Path, path: Path) -> None:
    """Move a complete file to the final path. Fsync the file and the folder.

    Args:
        written: Path of the complete file. Must be in the folder of `path`.
        path: Final path. An existing file at this path is replaced.
    """
    descriptor = os.open(written, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    written.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Fsync a folder. Renames and removals in the folder then survive a power failure."""
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
    """Return the JSON object in a file; {} if the file is missing or contains no JSON object."""
    try:
        return parse_json(path.read_bytes())
    except FileNotFoundError:
        return {}


def parse_json(content: bytes) -> dict[str, Any]:
    """Return the JSON object in `content`; {} if `content` is not a JSON object."""
    try:
        plain = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError):
        return {}
    return plain if isinstance(plain, dict) else {}


def temporary_path(path: Path, token: str = "") -> Path:
    """Return the path of the temporary file for `path`: a hidden file in the folder of `path`.

    Args:
        path: The file to write.
        token: Text that makes the temporary file name unique. Concurrent writers of `path` need different tokens.
    """
    return path.with_name(f".{path.name}.{token}.tmp" if token else f".{path.name}.tmp")
