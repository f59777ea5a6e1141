"""Permissions of outputs: what is written from a file is readable only by those who can read that file."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator

from emojob.pipeline.storage.paths import AnyPath, as_local

_CLASSES = ((stat.S_IRGRP, stat.S_IRWXG, stat.S_IWGRP), (stat.S_IROTH, stat.S_IRWXO, stat.S_IWOTH))


@contextlib.contextmanager
def limit_permissions(files: Iterable[AnyPath]) -> Iterator[None]:
    """Within the context, limit the permissions of new files to those of every one of `files`.

    The user's umask still applies. Group and others get no right that they lack for one of the files. Objects in an
    object store have no such permissions and are ignored. The umask belongs to the process, so other threads are
    limited as well.
    """
    before = umask()
    os.umask(before | _missing_rights(files))
    try:
        yield
    finally:
        os.umask(before)


def umask() -> int:
    """Return the umask of this process."""
    found = os.umask(0o077)  # it can only be read by setting it
    os.umask(found)
    return found


def _missing_rights(files: Iterable[AnyPath]) -> int:
    """Return the umask that removes the rights which group and others lack for one of the files."""
    missing = 0
    for file in filter(None, map(as_local, files)):
        try:
            mode = file.stat().st_mode
        except OSError:  # reported by the step that reads the file
            continue
        for read, everything, write in _CLASSES:
            if not mode & read:
                missing |= everything
            elif not mode & write:
                missing |= write
    return missing
