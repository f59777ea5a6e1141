"""Records of derived files: OUT contains one small JSON file for each file that was made from the rows of the archive.

A record is written before the derived file. So a file of a command that was killed has a record, too. Records are
untrusted: an archive that somebody else made may name any file. `taking` decides which files may be removed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from emojob.pipeline.output.compatibility import ensure_no_links
from emojob.pipeline.output.identity import Mark
from emojob.pipeline.output.layout import derived_folder
from emojob.pipeline.storage import atomic
from emojob.pipeline.storage.lock import lock, lock_folder
from emojob.pipeline.storage.object_store import ObjectPath
from emojob.pipeline.storage.paths import AnyPath, list_files, make_folder, parse_path, read_all, remove_all
from emojob.schemas.errors import BusyError, InputError

MEMO, REPORT, FIGURES, EXPORT, DATABASE, SHEET = "memo", "report", "figures", "export", "database", "sheet"
DRAFTS, WORK, BOT = "drafts", "work", "bot"

#: Kinds of derived folders. All other kinds are files.
FOLDERS = (WORK, BOT)

_FORMAT = 1
_LOCK = "lock"
_IDENTITY = "archive.json"  # identity of a single labelled file
_PATIENCE = 120.0  # seconds to wait for the lock of an archive in an object store
_PAUSE = 1.0  # seconds between two attempts


@dataclass(frozen=True)
class Record:
    """The record of a derived file.

    Attributes:
        kind: MEMO, REPORT, FIGURES, EXPORT (result of a query), DATABASE (DuckDB), SHEET (annotation sheet), DRAFTS
            (reply drafts, or their notes), WORK (work folder of reply drafts, see `work_folders`) or BOT (a way of a
            bot, see `bots`).
        file: Path or URL of the derived file; of a folder for FOLDERS.
        mark: Mark of the archive when the rows of the file were read. For a memo: when the oldest rows were read.
        beside: Path of the file relative to the folder of OUT, in case the whole folder was moved; None for an object.
        machine: Name of the machine that wrote a local file; "" if the archive is on the same machine.
        content: Content of the file when emojob wrote it (see `content_of`); "" if it is unknown.
        at: Path of the record; None for a new record.
    """

    kind: str
    file: AnyPath
    mark: Mark
    beside: str | None = None
    machine: str = ""
    content: str = ""
    at: AnyPath | None = field(default=None, compare=False)


def own_path(file: AnyPath) -> AnyPath:
    """Return the absolute path of a file. Links in the folder are resolved, but not the last component."""
    if isinstance(file, ObjectPath):
        return file
    return Path(os.path.realpath(file.parent)) / file.name


def new_record(out: AnyPath, file: AnyPath, kind: str, mark: Mark) -> Record:
    """Return the record of a derived file that is about to be written.

    Args:
        out: Labelled archive: a folder or a single file.
        file: The derived file.
        kind: Kind of the file (see `Record`).
        mark: Mark of the archive when the rows were read.
    """
    file = own_path(file)
    if isinstance(file, ObjectPath):
        return Record(kind, file, mark)
    if isinstance(out, ObjectPath):
        return Record(kind, file, mark, machine=socket.gethostname())
    return Record(kind, file, mark, os.path.relpath(file, out.resolve().parent))


def content_of(file: AnyPath) -> str:
    """Return a text that changes with the content of a file: a hash, or the ETag of an object.

    Raises:
        OSError: The file cannot be read.
    """
    if isinstance(file, ObjectPath):
        return f"etag:{file.stat().etag}"
    with file.open("rb") as stream:
        return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"


def read_records(out: AnyPath, mark: Mark | None = None) -> list[Record]:
    """Return the records of an archive. Damaged records are ignored.

    Args:
        out: Labelled archive: a folder or a single file.
        mark: If given and OUT is a local file, the records of this mark next to other names are returned, too: the file
            may have been renamed.

    Raises:
        OSError: The records cannot be read.
    """
    own = derived_folder(out)
    found = _in_folder(own, out)
    if mark and isinstance(own, Path) and not out.is_dir():
        for folder in sorted(own.parent.glob(".*.derived")):
            if folder != own and folder.is_dir():
                found += [record for record in _in_folder(folder, out) if record.mark.archive == mark.archive]
    return found


def read_again(out: AnyPath, record: Record) -> Record | None:
    """Return the current content of a record from `read_records`; None if the record was removed."""
    return _parse(atomic.read_json(record.at), out, record.at) if record.at else None


def remove_if_unused(out: AnyPath) -> None:
    """Remove the folder of the records next to a single labelled file if the folder contains no records."""
    folder = derived_folder(out)
    if not isinstance(folder, Path) or out.is_dir() or not folder.is_dir():
        return
    with contextlib.suppress(OSError), records_lock(out):
        if {file.name for file in folder.iterdir()} <= {_IDENTITY}:
            (folder / _IDENTITY).unlink(missing_ok=True)
            folder.rmdir()


def _in_folder(folder: AnyPath, out: AnyPath) -> list[Record]:
    names = sorted(name for name in list_files(folder, ()) if "/" not in name and name.endswith(".json"))
    files = [folder / name for name in names if not name.startswith(".") and name != _IDENTITY]
    found = (_parse(atomic.parse_json(content), out, at) for at, content in zip(files, read_all(files), strict=True))
    return [record for record in found if record]


def write_record(out: AnyPath, record: Record) -> None:
    """Write a record. Raises OSError if OUT cannot be written, and OutputError if its folder for records is a link."""
    ensure_no_links(out)
    make_folder(derived_folder(out))
    file = _file_of(out, record.file)
    plain = _as_json(record, out)
    if atomic.read_json(file) != plain:
        atomic.write_json(file, plain)


def add_record(out: AnyPath, record: Record) -> bool:
    """Write the record of a file that is about to be written. Return whether there was no record of this file.

    An existing record keeps its mark and content, because the file may still have the old content.
    """
    at = _file_of(out, record.file)
    old = _parse(atomic.read_json(at), out, at)
    write_record(out, replace(record, mark=old.mark, content=old.content) if old else record)
    return old is None


def remove_record(record: Record) -> None:
    """Remove a record from `read_records`. Raises OSError if OUT cannot be written."""
    remove_all([record.at] if record.at else [])


def remove_records(out: AnyPath, file: AnyPath) -> None:
    """Remove the record of a file that was not written. Raises OSError if OUT cannot be written."""
    remove_all([_file_of(out, own_path(file))])
    remove_if_unused(out)


@contextlib.contextmanager
def records_lock(out: AnyPath) -> Iterator[None]:
    """Lock the records of an archive during the `with` block. Wait if another process holds the lock.

    Raises:
        OSError: There are no records yet, or the lock cannot be created.
        BusyError: Another process holds the lock of an archive in an object store for a long time.
    """
    folder = derived_folder(out)
    if isinstance(folder, Path):
        with lock_folder(folder):
            yield
        return
    stop = time.monotonic() + _PATIENCE
    with contextlib.ExitStack() as stack:
        while True:
            try:
                stack.enter_context(lock(folder / _LOCK, out))
                break
            except BusyError:
                if time.monotonic() > stop:
                    raise
                time.sleep(_PAUSE)
        yield


def _file_of(out: AnyPath, file: AnyPath) -> AnyPath:
    inside = _inside(out, file)
    name = f"in OUT: {inside}" if inside else str(file)
    return derived_folder(out) / f"{hashlib.sha256(os.fsencode(name)).hexdigest()[:32]}.json"


def _inside(out: AnyPath, file: AnyPath) -> str | None:
    """Return the path relative to OUT of a file below OUT; None for other files."""
    out = out.resolve()
    if isinstance(file, ObjectPath) != isinstance(out, ObjectPath) or not file.is_relative_to(out):  # type: ignore[arg-type]
        return None
    return str(file)[len(str(out)) + 1 :] or None


def _as_json(record: Record, out: AnyPath) -> dict[str, Any]:
    plain = {"format": _FORMAT, "kind": record.kind, "mark": str(record.mark)}
    plain |= {"content": record.content} if record.content else {}
    inside = _inside(out, record.file)
    if inside:  # OUT may be moved
        return plain | {"inside": _text(inside)}
    plain |= {"path": _text(str(record.file))}
    if record.beside is not None:
        plain |= {"beside": _text(record.beside)}
    return plain | ({"machine": record.machine} if record.machine else {})


def _parse(plain: dict[str, Any], out: AnyPath, at: AnyPath) -> Record | None:
    """Return the record in a JSON file; None if the record is malformed."""
    kind, mark = plain.get("kind"), Mark.parse(str(plain.get("mark")))
    if not isinstance(kind, str) or mark is None:
        return None
    inside, path, beside = (_path_text(plain.get(name)) for name in ("inside", "path", "beside"))
    machine, content = (one if isinstance(one, str) else "" for one in (plain.get("machine"), plain.get("content")))
    if inside:
        if inside.startswith("/") or ".." in inside.split("/"):
            return None
        return Record(kind, out.resolve() / inside, mark, content=content, at=at)
    if not path:
        return None
    try:
        file = parse_path(path)
    except InputError:  # an object store whose package is missing
        return None
    if isinstance(file, Path) and not file.is_absolute():
        return None
    return Record(kind, file, mark, beside, machine, content, at)


def _text(path: str) -> str:
    """Return a path for JSON. A path that is not valid Unicode is written as hexadecimal bytes."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return f"bytes:{os.fsencode(path).hex()}"
    return path


def _path_text(value: object) -> str | None:
    """Undo `_text`. Return None for a malformed value."""
    if not isinstance(value, str) or not value or "\0" in value:
        return None
    if not value.startswith("bytes:"):
        return value
    with contextlib.suppress(ValueError):
        return os.fsdecode(bytes.fromhex(value[len("bytes:") :])) or None
    return None
