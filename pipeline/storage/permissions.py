"""Limits the permissions of outputs: only users who can read the input files can read the outputs."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator

from emojob.pipeline.storage.paths import AnyPath, as_local

_CLASSES = ((stat.S_IRGRP, stat.S_IRWXG, stat.S_IWGRP), (stat.S_IROTH, stat.S_IRWXO, stat.S_IWOTH))


@contextlib.contextmanager
def limit_permissions(files: Iterable[AnyPath]) -> Iterator[None]:
    """Give group and others a permission on new files only if they have this permission on all `files`.

    This applies to files that are created in the `with` block. For example, if the group may not read one of `files`,
    the group may not read new files. The user's umask still applies. Objects in an object store are ignored, because
    they have no file permissions. A process has only one umask, so files of other threads are limited, too.
    """
    before = umask()
    os.umask(before | _missing_rights(files))
    try:
        yield
    finally:
        os.umask(before)


def umask() -> int:
    """Return the umask of this process."""
    found = os.umask(0o077)  # the umask can only be read by setting it
    os.umask(found)
    return found


def _missing_rights(files: Iterable[AnyPath]) -> int:
    """Return a umask with the permissions that the group or others lack on one or more of the files."""
    missing = 0
    for file in filter(None, map(as_local, files)):
        try:
            mode = file.stat().st_mode
        except OSError:  # ignored here: the code that reads the file reports the error
            continue
        for read, everything, write in _CLASSES:
            if not mode & read:
                missing |= everything
            elif not mode & write:
                missing |= write
    return missing
