"""Where DuckDB puts what does not fit into memory: beside the archive that it reads, for it is dialogue."""

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

_BEGINNING = ".spill-"


@contextlib.contextmanager
def spill_folder(archive: AnyPath) -> Iterator[str]:
    """An empty folder that only its owner can read, removed at the end.

    It lies in a labelled archive's _emojob, or beside a labelled file; where nothing can be written there, or the
    archive is in a store, in the folder for temporary files (TMPDIR). One that a killed process left is removed.
    """
    made = _made(archive)
    held = os.open(made, os.O_RDONLY)
    try:
        if fcntl is not None:
            fcntl.flock(held, fcntl.LOCK_EX)
        with contextlib.suppress(OSError):
            remove_left_behind(made.parent)
        yield str(made)
    finally:
        shutil.rmtree(made, ignore_errors=True)
        os.close(held)


def _made(archive: AnyPath) -> Path:
    if not isinstance(archive, ObjectPath):
        beside = archive / STATE_FOLDER if is_archive(archive) else archive.parent
        with contextlib.suppress(OSError):  # an archive that may only be read
            return Path(tempfile.mkdtemp(prefix=_BEGINNING, dir=beside))
    return Path(tempfile.mkdtemp(prefix=_BEGINNING))


def remove_left_behind(folder: Path) -> None:
    """Remove the folders that no living process holds. Raises OSError."""
    for one in folder.glob(f"{_BEGINNING}*"):
        if fcntl is None or one.is_symlink():
            continue
        held = os.open(one, os.O_RDONLY)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(one, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(held)
