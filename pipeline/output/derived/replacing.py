"""Decides whether a command may write a file at a path that the user chose.

emojob never writes into the state of an archive, and never overwrites a data file. An existing file is replaced only if
emojob wrote it:

- The file carries a mark of emojob (see `marks`).
- The file is a CSV or JSON export, which cannot carry a mark, and the archive has a record of it (see `records`) with
  the same content.

A workbook or export that somebody edited since then is not replaced.

An empty file may be replaced, too, because `mktemp` creates such files.
"""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path

from emojob.pipeline.output.derived.marks import is_from_emojob, read_marks
from emojob.pipeline.output.derived.places import Places
from emojob.pipeline.output.derived.records import DRAFTS, EXPORT, content_of, own_path, read_records
from emojob.pipeline.output.identity import read_identity
from emojob.pipeline.output.labelled_archive import LabelledArchive
from emojob.pipeline.output.layout import (
    ARCHIVE_FILE,
    DERIVED_FOLDER,
    LOCK_FILE,
    PART_PATTERN,
    PARTS_FOLDER,
    RUN_FILE,
    derived_folder,
    rejects_beside,
)
from emojob.pipeline.storage.object_store import ObjectPath
from emojob.pipeline.storage.paths import AnyPath, output_errors, path_name
from emojob.schemas.errors import OptionError
from emojob.schemas.manifest import STATE_FOLDER

_STATE = [Path(name).name for name in (RUN_FILE, ARCHIVE_FILE, PARTS_FOLDER, DERIVED_FOLDER, LOCK_FILE)]
#: Hidden folders next to a single labelled file.
_BESIDE = re.compile(r"\.(.+\.parquet)\.(emojob|derived)", re.IGNORECASE)


def check_not_of_archive(option: str, file: AnyPath, out: AnyPath | None = None) -> None:
    """Raise OptionError if a path belongs to a labelled archive: a part, or any file below OUT/_emojob.

    Args:
        option: Option name for the error message, such as "--html".
        file: The path. Links are resolved.
        out: The archive from which the command reads, or None. Other archives are also found.
    """
    try:
        archive = next((one for path in _spellings(file) if (one := _archive_of(path, out))), None)
    except (OSError, RuntimeError) as error:  # RuntimeError: a link that leads to itself
        raise OptionError(f"{option} {file} cannot be used ({error}): give a different path") from None
    if archive:
        raise OptionError(f"{option} {file} belongs to the labelled archive {archive}: give a different path")


def check_replaceable(
    option: str,
    file: AnyPath,
    out: AnyPath | None = None,
    inputs: Iterable[str] = (),
    force: bool | None = False,
) -> None:
    """Raise OptionError if a command may not write a file at this path.

    Args:
        option: Option name for the error message, such as "--html".
        file: Path of the file.
        out: The archive from which the command reads: a folder or a single file. None: the command reads no archive.
        inputs: Names of the inputs of the archive (see `InputFile.name`). They are never overwritten.
        force: Whether to replace a file that emojob did not write. None: the command has no option --force.

    Raises:
        StorageError, OutputError: The file in an object store cannot be read.
    """
    check_not_of_archive(option, file, out)
    with output_errors(file):
        if isinstance(file, Path) and file.is_symlink():
            raise OptionError(f"{option} {file} is a symbolic link: give the path of the file itself, or remove it")
        if not file.is_file():
            return
        if is_one_of(file, inputs):
            raise OptionError(f"{option} {file} would overwrite an input of the archive: give a different file name")
        if force or not file.stat().st_size or is_from_emojob(file):
            return
        contents = _recorded_contents(out, file) if out is not None else set()
        is_marked = bool(read_marks(file))
        if (contents == {""} and not is_marked) or (contents and content_of(file) in contents):
            return
    why = "nothing shows that emojob wrote this file"
    if is_marked or contents:
        why = "it was changed after emojob wrote it"
    if option == "--export":
        why += " (if another program has opened the database, close it)"
    steps = "give a different file name, or delete the file"
    if force is not None:
        steps = "give a different file name, delete the file, or replace the file with --force"
    raise OptionError(f"{option} {file} exists, and {why}: {steps}")


def is_as_recorded(file: AnyPath, out: AnyPath) -> bool:
    """Return whether a file has the content that emojob wrote, according to the records of an archive.

    Args:
        file: An existing export or file with drafts.
        out: Labelled archive: a folder or a single file.

    Raises:
        OSError: The file cannot be read.
    """
    contents = _recorded_contents(out, file) - {""}
    return bool(contents) and content_of(file) in contents


def inputs_of(archive: LabelledArchive) -> set[str]:
    """Return the names of the inputs of an archive."""
    listed = archive.run.get("inputs")
    names = [one.get("name") for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return {name for name in (*names, *(part_file.input for part_file in archive.part_files)) if isinstance(name, str)}


def is_one_of(file: AnyPath, inputs: Iterable[str]) -> bool:
    """Return whether an existing file is an input. `inputs` are names of inputs (see `InputFile.name`)."""
    names = set(inputs)
    if any(path_name(path) in names for path in _spellings(file)):
        return True
    if isinstance(file, ObjectPath):
        return False
    given = [Path(name) for name in names if name.startswith("/")]
    return any(path.exists() and path.samefile(file) for path in given)


def _spellings(file: AnyPath) -> set[AnyPath]:
    """Return the absolute path of a file, and the path to which the file leads if it is a link."""
    return {own_path(file), file.resolve()}


def _archive_of(file: AnyPath, out: AnyPath | None) -> AnyPath | None:
    """Return the archive to which an absolute path belongs; None if it belongs to no archive."""
    if out is not None and not out.is_dir():
        single = out.resolve()
        if file in (single, rejects_beside(single)):
            return out
    folder = file.parent
    if PART_PATTERN.fullmatch(file.name) and ((out is not None and folder == out.resolve()) or _has_state(folder)):
        return folder
    for parent in (file, *_parents(file)):
        beside = _BESIDE.fullmatch(parent.name)
        if beside:
            return parent.with_name(beside[1])
        is_state = parent.name.casefold() == STATE_FOLDER and (isinstance(parent, ObjectPath) or _is_state(parent))
        if is_state or (out is not None and _is_same(parent, _state_folder(out))):
            return parent.parent
    return None


def _parents(file: AnyPath) -> Iterator[AnyPath]:
    while file != file.parent:
        file = file.parent
        yield file


def _state_folder(out: AnyPath) -> AnyPath:
    return out.resolve() / STATE_FOLDER if out.is_dir() else derived_folder(out)


def _has_state(folder: AnyPath) -> bool:
    return isinstance(folder, Path) and _is_state(folder / STATE_FOLDER)


def _is_state(folder: Path) -> bool:
    return any((folder / name).exists() for name in _STATE)


def _is_same(one: AnyPath, other: AnyPath) -> bool:
    """Return whether two paths are the same folder, for example in a file system that ignores case."""
    if isinstance(one, Path) and isinstance(other, Path) and one.is_dir() and other.is_dir():
        return one.samefile(other)
    return one == other


def _recorded_contents(out: AnyPath, file: AnyPath) -> set[str]:
    """Return the contents of a file in the records of exports and drafts of an archive; {} if there is no record.

    A record of an earlier version has the content "". It counts only for files that cannot carry a mark.
    """
    own, places = own_path(file), Places(out)
    with contextlib.suppress(OSError):
        identity = read_identity(out)
        records = read_records(out, identity.mark if identity else None)
        exports = [one for one in records if one.kind in (DRAFTS, EXPORT) and one.machine in ("", socket.gethostname())]
        return {record.content for record in exports if own in (record.file, places.of(record))}
    return set()
