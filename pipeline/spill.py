"""Where DuckDB puts what does not fit into memory: beside the archive that it reads, for it is dialogue."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pipeline.output import is_ours
from pipeline.places import Place
from pipeline.store import StorePath

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None  # type: ignore[assignment]

_BEGINNING = ".spill-"


@contextlib.contextmanager
def spill_folder(archive: Place) -> Iterator[str]:
    """An empty folder that only its owner can read, removed at the end.

    It lies in a labelled archive's _emojob, or beside a labelled file; where nothing can be written there, or the
    archive is in a store, in the folder for temporary files (TMPDIR). One that a killed process left is removed.
    """
    places = [] if isinstance(archive, StorePath) else [archive / "_emojob" if is_ours(archive) else archive.parent]
    for place in [*places, Path(tempfile.gettempdir())]:
        try:
            made = Path(tempfile.mkdtemp(prefix=_BEGINNING, dir=place))
            break
        except OSError:
            if place == Path(tempfile.gettempdir()):
                raise
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
