"""Files that are there whole or not at all.

On a file system they are written beside their place, fsynced, renamed; in a store they come with their last request.
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
    """A file in the making: nothing of it is at its place before `commit`.

    sink: what is written to, a path, or an open file where the place is in a store. token: tells those apart who may
    write the same file at the same time.
    """

    def __init__(self, place: AnyPath, token: str = "") -> None:
        self._place = place
        self.sink: Path | Upload = place.upload() if isinstance(place, ObjectPath) else temporary_path(place, token)

    @contextlib.contextmanager
    def opened(self) -> Iterator[BinaryIO | Upload]:
        """A stream to write to."""
        if isinstance(self.sink, Upload):
            yield self.sink
        else:
            with self.sink.open("wb") as stream:
                yield stream

    def commit(self) -> int:
        """Bring it to its place; returns its size in bytes. Raises OSError."""
        if isinstance(self.sink, Upload):
            return self.sink.commit()
        size = self.sink.stat().st_size
        commit(self.sink, Path(str(self._place)))
        return size

    def discard(self) -> None:
        """Drop it; what was committed stays."""
        if isinstance(self.sink, Upload):
            self.sink.discard()
        else:
            self.sink.unlink(missing_ok=True)


@contextlib.contextmanager
def draft(place: AnyPath, token: str = "") -> Iterator[Draft]:
    """A draft that is committed at the end, and dropped where something is raised. token: as that of `Draft`."""
    made = Draft(place, token)
    try:
        yield made
        made.commit()
    except BaseException:
        made.discard()
        raise


def commit(beside: Path, place: Path) -> None:
    """Bring a finished file to its place: fsync it, rename it, fsync the folder."""
    descriptor = os.open(beside, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    beside.replace(place)
    sync_folder(place.parent)


def sync_folder(folder: Path) -> None:
    """Make renames and removals in a folder last."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(place: AnyPath, content: bytes) -> None:
    """Write a file whole or not at all."""
    if isinstance(place, ObjectPath):
        place.write_bytes(content)
        return
    with draft(place) as made, made.opened() as stream:
        stream.write(content)


def write_json(place: AnyPath, value: Any) -> None:
    """Write a JSON file whole or not at all."""
    write_bytes(place, json_bytes(value))


def json_bytes(value: Any) -> bytes:
    """What `write_json` writes."""
    text = json.dumps(value, ensure_ascii=False, indent=1) + "\n"
    return text.encode("utf-8", "backslashreplace")  # a file's name may be in another encoding


def read_json(file: AnyPath) -> dict[str, Any]:
    """A JSON file's object; {} where there is no such file or no object in it."""
    try:
        return parse_json(file.read_bytes())
    except FileNotFoundError:
        return {}


def parse_json(content: bytes) -> dict[str, Any]:
    """A JSON object from its bytes; {} where they are none."""
    try:
        plain = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError):
        return {}
    return plain if isinstance(plain, dict) else {}


def temporary_path(place: Path, token: str = "") -> Path:
    """Where a file is written before it is brought to its place: hidden, in the same folder.

    token: as that of `Draft`.
    """
    return place.with_name(f".{place.name}.{token}.tmp" if token else f".{place.name}.tmp")
