"""Creates a private folder for DuckDB's temporary files, because these files contain dialogue."""

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
    """Create a private folder for temporary files, and remove the folder at the end of the `with` block.

    Location of the folder:

    - archive folder: in the subfolder _emojob
    - single labelled file: next to the file
    - object store, or no write permission: in the system's temporary folder (TMPDIR)
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
        with contextlib.suppress(OSError):  # for a read-only archive, use the system's temporary folder
            return Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    return Path(tempfile.mkdtemp(prefix=_PREFIX))


def _remove_abandoned(folder: Path) -> None:
    """In `folder`, remove the temporary folders that killed processes left. Raises OSError."""
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
