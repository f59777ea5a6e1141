"""Limits the permissions of outputs: users who cannot read the input files cannot read the outputs."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator

from emojob.pipeline.storage.paths import AnyPath, as_local

_CLASSES = ((stat.S_IRGRP, stat.S_IRWXG, stat.S_IWGRP), (stat.S_IROTH, stat.S_IRWXO, stat.S_IWOTH))


@contextlib.contextmanager
def limit_permissions(files: Iterable[AnyPath]) -> Iterator[None]:
    """Limit the permissions of files that are created in the `with` block.

    - If a file in `files` is not readable by the group, the group gets no permissions on new files.
    - If a file in `files` is not writable by the group, the group gets no write permission on new files.
    - The same rules apply to other users.

    Objects in an object store are ignored, because objects have no file permissions. The limits are added to the umask
    of the process, so files that other threads create are limited, too.
    """
    before = umask()
    os.umask(before | _missing_rights(files))
    try:
        yield
    finally:
        os.umask(before)


def umask() -> int:
    """Return the umask of this process."""
    found = os.umask(0o077)  # reading the umask requires setting a new umask
    os.umask(found)
    return found


def _missing_rights(files: Iterable[AnyPath]) -> int:
    """Return the umask bits that `limit_permissions` adds to the umask."""
    missing = 0
    for file in filter(None, map(as_local, files)):
        try:
            mode = file.stat().st_mode
        except OSError:  # the code that reads the file reports this error
            continue
        for read, everything, write in _CLASSES:
            if not mode & read:
                missing |= everything
            elif not mode & write:
                missing |= write
    return missing
