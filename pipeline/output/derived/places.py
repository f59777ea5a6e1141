"""Decides where derived files are, and which of them may be touched. The paths in records are untrusted."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from emojob.pipeline.output.derived.bots import is_in_training
from emojob.pipeline.output.derived.records import BOT, FOLDERS, Record, own_path
from emojob.pipeline.output.layout import DERIVED_FOLDER, PART_PATTERN, PARTS_FOLDER, STATE_FILES, rejects_beside
from emojob.pipeline.storage.object_store import ObjectPath
from emojob.pipeline.storage.paths import AnyPath
from emojob.pipeline.storage.temporary import sweep
from emojob.schemas.errors import OptionError

_STATE = (f"{PARTS_FOLDER}/", f"{DERIVED_FOLDER}/")


class Places:
    """The places of derived files of an archive.

    Attributes:
        named: Files that the command line names.
    """

    def __init__(self, out: AnyPath, named: Sequence[AnyPath] = (), is_copy: bool = False) -> None:
        """Store the arguments.

        Args:
            out: Labelled archive: a folder or a single file.
            named: Files that the command line names.
            is_copy: Whether the archive is a copy. A file that was copied with the archive comes before the original.
        """
        self._out, self._is_copy = out, is_copy
        self.named = {own_path(file) for file in named}

    def of(self, record: Record) -> AnyPath | None:
        """Return where a recorded file is; None if the file does not exist, or is a file of the archive itself."""
        places: list[AnyPath] = [record.file]
        if record.beside and isinstance(self._out, Path):
            places.insert(0 if self._is_copy else 1, own_path(self._out.resolve().parent / record.beside))
        for place in places:
            if isinstance(place, ObjectPath):
                if not self.is_reachable(place) or place.is_file():
                    return None if self._is_of_archive(place) else place
            elif _is_there(place, record.kind):
                own = own_path(place)
                return None if self._is_of_archive(own) else own
        return None

    def is_reachable(self, file: AnyPath) -> bool:
        """Return whether a file may be read.

        An untrusted record of a local archive must not cause a connection to an object store.
        """
        if isinstance(file, Path):
            return True
        if file in self.named:
            return True
        out = self._out
        return isinstance(out, ObjectPath) and (out.scheme, _bucket(out)) == (file.scheme, _bucket(file))

    def is_inside(self, file: AnyPath) -> bool:
        """Return whether a file is below OUT. Links in the folder of the file are resolved."""
        out = self._out.resolve()
        if isinstance(file, ObjectPath) or isinstance(out, ObjectPath):
            return isinstance(file, ObjectPath) and file != out and file.is_relative_to(out)
        return own_path(file) != out and own_path(file).is_relative_to(out)

    def _is_of_archive(self, file: AnyPath) -> bool:
        """Return whether a file is a part file, or a state file such as run.json, or the single labelled file."""
        out = self._out.resolve()
        if file in (out, rejects_beside(out)):
            return True
        if not self.is_inside(file):
            return False
        name = str(file)[len(str(out)) + 1 :]
        return name in STATE_FILES or bool(PART_PATTERN.fullmatch(name)) or name.startswith(_STATE)

    def others(self, sweeps: bool, more: Iterable[AnyPath]) -> Iterator[tuple[AnyPath, bool]]:
        """Yield (file, whether the file is below OUT) for all files below OUT and in the folder of OUT.

        Files of the archive itself are skipped.

        Args:
            sweeps: Whether to remove the temporary files that killed processes left.
            more: Derived files, whose folders are swept, too.
        """
        out = self._out.resolve()
        if isinstance(out, ObjectPath):
            found: Iterable[AnyPath] = out.list_objects() if out.is_dir() else ()
            yield from ((file, True) for file in found if not self._is_of_archive(file))
            return
        folders = [str(out)] if out.is_dir() else []
        while folders:
            folder = Path(folders.pop())
            if sweeps:
                sweep(folder)
            with contextlib.suppress(OSError), os.scandir(folder) as entries:
                for entry in sorted(entries, key=lambda one: one.name):
                    path = folder / entry.name
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    elif entry.is_file(follow_symlinks=False) and not self._is_of_archive(path):
                        yield path, True
        if sweeps:
            for folder in {out.parent, *(one.parent for one in more if isinstance(one, Path))}:
                sweep(folder)
        with contextlib.suppress(OSError), os.scandir(out.parent) as entries:
            for entry in sorted(entries, key=lambda one: one.name):
                if entry.is_file(follow_symlinks=False) and not self._is_of_archive(out.parent / entry.name):
                    yield out.parent / entry.name, False


def check_named(option: str, file: AnyPath, data: Sequence[AnyPath]) -> AnyPath:
    """Return the path of a file that the command line names for removal.

    Args:
        option: Option name for the error message, such as "--also".
        file: The file.
        data: Files of the archive, which must not be removed.

    Raises:
        OptionError: The file does not exist, is a link, or is not a regular file, or is a file of the archive.
    """
    file = own_path(file)
    try:
        if isinstance(file, ObjectPath):
            problem = "" if file.is_file() else "does not exist"
        else:
            about = file.lstat()
            problem = "is a symbolic link: name the file itself" if stat.S_ISLNK(about.st_mode) else ""
            problem = problem or ("" if stat.S_ISREG(about.st_mode) else "is not a file: name a file")
    except OSError as error:
        problem = f"cannot be removed ({error.strerror}): give the path of an existing file, or omit the option"
    if not problem and file in {own_path(one) for one in data}:
        problem = "is a file of the archive: `emojob forget` removes rows from this file, not the file"
    if problem:
        raise OptionError(f"{option} {file} {problem}")
    return file


def obstacle(file: AnyPath) -> str:
    """Return why a file outside OUT must not be removed; "" if it may be removed."""
    if isinstance(file, ObjectPath):
        return ""
    try:
        about = file.lstat()
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if stat.S_ISLNK(about.st_mode):
        return "is a symbolic link"
    if not stat.S_ISREG(about.st_mode):
        return "is not a regular file"
    return "belongs to another user" if hasattr(os, "geteuid") and about.st_uid != os.geteuid() else ""


def is_link(file: AnyPath) -> bool:
    return isinstance(file, Path) and file.is_symlink()


def _bucket(path: ObjectPath) -> str:
    return path.key.partition("/")[0]


def _is_there(place: Path, kind: str) -> bool:
    """Return whether a local file or folder of a kind exists. A way of a bot may also be in training."""
    if kind == BOT and is_in_training(place):
        return True
    return os.path.lexists(place) and place.is_dir() == (kind in FOLDERS)
