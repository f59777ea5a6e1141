"""Work folders: hidden folders with the finished parts of a derived file that is not complete yet.

A work folder lies beside the derived file. Its file work.json contains the mark of the archive. Records are untrusted,
so a folder is removed only if it has the content of a work folder of this archive, and belongs to this user.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from pathlib import Path

from emojob.pipeline.output.identity import Mark
from emojob.pipeline.storage import atomic
from emojob.pipeline.storage.folders import sync_folder
from emojob.pipeline.storage.temporary import is_temporary_name

STATE_NAME, LOCK_NAME = "work.json", "lock"
_PART = re.compile(r"part-(\d{6,})\.parquet")
_FORMAT = 1


def work_folder_of(file: Path) -> Path:
    """Return the work folder of a derived file."""
    return file.with_name(f".{file.name}.parts")


def part_in(folder: Path, number: int) -> Path:
    """Return the path of a part. The parts are numbered from 0."""
    return folder / f"part-{number:06d}.parquet"


def finished_parts(folder: Path) -> list[Path]:
    """Return the paths of the finished parts in order, up to the first missing part."""
    found: list[Path] = []
    while (part := part_in(folder, len(found))).is_file():
        found.append(part)
    return found


def write_state(folder: Path, mark: Mark, more: dict[str, str]) -> None:
    """Write work.json: the mark of the archive, and other values."""
    atomic.write_json(folder / STATE_NAME, {"format": _FORMAT, "mark": str(mark), **more})


def read_state(folder: Path) -> dict[str, str]:
    """Return the values in work.json; {} if the folder is no work folder of this user."""
    if not is_own(folder):
        return {}
    state = atomic.read_json(folder / STATE_NAME)
    return {name: value for name, value in state.items() if isinstance(value, str)}


def mark_of(folder: Path) -> Mark | None:
    """Return the mark of the archive in a work folder; None if the folder is no work folder of this user."""
    return Mark.parse(read_state(folder).get("mark", ""))


def remove_work_folder(folder: Path) -> None:
    """Remove a work folder with its parts. Other folders are not touched.

    Raises:
        OSError: A file cannot be removed.
    """
    if not is_own(folder):
        return
    for name in sorted(os.listdir(folder), key=lambda one: (one == STATE_NAME, one)):  # noqa: PTH208
        (folder / name).unlink(missing_ok=True)
    folder.rmdir()
    sync_folder(folder.parent)


def is_own(folder: Path) -> bool:
    """Return whether a folder has only files of a work folder, and belongs to this user. A link does not count."""
    with contextlib.suppress(OSError):
        about = folder.lstat()
        is_mine = not hasattr(os, "geteuid") or about.st_uid == os.geteuid()
        return stat.S_ISDIR(about.st_mode) and is_mine and all(map(_is_known, os.scandir(folder)))
    return False


def _is_known(entry: os.DirEntry[str]) -> bool:
    name = entry.name
    is_name = name in (STATE_NAME, LOCK_NAME) or bool(_PART.fullmatch(name)) or is_temporary_name(name)
    return is_name and entry.is_file(follow_symlinks=False)
