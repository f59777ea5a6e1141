"""What is written from a file can be read by nobody who could not read that file."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator

from emojob.pipeline.storage.object_store import ObjectPath
from emojob.pipeline.storage.paths import AnyPath

_CLASSES = ((stat.S_IRGRP, stat.S_IRWXG, stat.S_IWGRP), (stat.S_IROTH, stat.S_IRWXO, stat.S_IWOTH))


@contextlib.contextmanager
def limit_permissions(files: Iterable[AnyPath]) -> Iterator[None]:
    """Within it, all that this process makes has the user's umask, and bars group and others from what they may not do
    with one of these files. Those in a store have no such rights and count for nothing.

    The umask is the process's own, so threads beside this one are kept to it as well.
    """
    before = umask()
    os.umask(before | _barred_by(files))
    try:
        yield
    finally:
        os.umask(before)


def umask() -> int:
    """This process's umask."""
    found = os.umask(0o077)  # there is no other way to ask for it
    os.umask(found)
    return found


def _barred_by(files: Iterable[AnyPath]) -> int:
    """The bits of a umask that keeps to the rights of these files."""
    barred = 0
    for file in files:
        if isinstance(file, ObjectPath):
            continue
        try:
            mode = file.stat().st_mode
        except OSError:  # told where it is read
            continue
        for read, whole, write in _CLASSES:
            if not mode & read:
                barred |= whole
            elif not mode & write:
                barred |= write
    return barred
