"""Creates local folders, and syncs folders, so that new names and removals survive a power failure."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

#: Subfolder of the folder of a model or a bot in which a training keeps its work.
TRAINING = "_training"


def user_cache() -> Path:
    """Return the folder for results that emojob keeps for the next run. It may not exist."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "emojob"


def sync_folder(folder: Path) -> None:
    """Fsync a folder. Creations, renames and removals in the folder then survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folders(folder: Path) -> None:
    """Create a folder and the missing parent folders. Sync the name of each new folder, and the name of `folder`.

    Raises OSError if a folder cannot be created, or if `folder` is a file.
    """
    try:
        folder.mkdir()
    except FileNotFoundError:
        if folder.parent == folder:
            raise
        make_folders(folder.parent)
        make_folders(folder)
        return
    except OSError:
        if not folder.is_dir():
            raise
    # An existing folder is synced, too: an earlier process may have been killed before the sync.
    with contextlib.suppress(PermissionError):  # a folder may be writable, but not readable
        sync_folder(folder.parent)
