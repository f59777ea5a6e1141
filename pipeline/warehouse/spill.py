"""Creates the folder for DuckDB's temporary data.

The temporary data contains dialogue. So the folder is inside the archive or next to it, not in a shared folder.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from emojob.pipeline.output.compatibility import is_archive
from emojob.pipeline.storage.object_store import ObjectPath
from emojob.pipeline.storage.paths import AnyPath
from emojob.schemas.manifest import STATE_FOLDER

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None  # type: ignore[assignment]

_PREFIX = ".spill-"


@contextlib.contextmanager
def spill_folder(archive: AnyPath) -> Iterator[str]:
    """Create an empty folder that only its owner can read, and remove it when the `with` block ends.

    The folder is in the state folder of a labelled archive, or next to a single labelled file. If that place is not
    writable, or the archive is in an object store, the system's folder for temporary files (TMPDIR) is used. Folders
    of killed processes are removed, too.

    Args:
        archive: OUT, a folder or a single file.
    """
    folder = _make(archive)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        with contextlib.suppress(OSError):
            _remove_abandoned(folder.parent)
        yield str(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _make(archive: AnyPath) -> Path:
    if not isinstance(archive, ObjectPath):
        parent = archive / STATE_FOLDER if is_archive(archive) else archive.parent
        with contextlib.suppress(OSError):  # the archive may be read-only
            return Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    return Path(tempfile.mkdtemp(prefix=_PREFIX))


def _remove_abandoned(folder: Path) -> None:
    """Remove DuckDB's temporary folders in `folder` if no running process has locked them. Raises OSError."""
    for one in folder.glob(f"{_PREFIX}*"):
        if fcntl is None or one.is_symlink():
            continue
        descriptor = os.open(one, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(one, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(descriptor)
