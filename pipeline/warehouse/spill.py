"""Creates a private folder for DuckDB's temporary files, because these files contain dialogue."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from emojob.pipeline.output.compatibility import is_archive
from emojob.pipeline.storage.object_store import ObjectPath
from emojob.pipeline.storage.paths import AnyPath
from emojob.pipeline.storage.temporary import temporary_folder
from emojob.schemas.manifest import STATE_FOLDER

_NAME = "spill"

# Folders that earlier versions of emojob left in the subfolder _emojob, and DuckDB's files in these folders.
_EARLIER = re.compile(r"\.spill-[a-z0-9_]{8}")
_OF_DUCKDB = re.compile(r"duckdb_temp_.*\.(tmp|block)")


@contextlib.contextmanager
def spill_folder(archive: AnyPath) -> Iterator[str]:
    """Create a private folder for temporary files, and remove the folder at the end of the `with` block.

    Location of the folder:

    - archive folder: in the subfolder _emojob
    - single labelled file: next to the file
    - object store, or no write permission: in the system's temporary folder (TMPDIR)
    """
    with contextlib.ExitStack() as stack:
        folder = _enter(stack, archive) or stack.enter_context(temporary_folder(Path(tempfile.gettempdir()), _NAME))
        yield str(folder)


def _enter(stack: contextlib.ExitStack, archive: AnyPath) -> Path | None:
    """Create the folder near the archive. Return None if that is impossible."""
    if isinstance(archive, ObjectPath):
        return None
    parent = archive.parent
    with contextlib.suppress(OSError):  # the archive may be read-only
        if is_archive(archive):
            parent = archive / STATE_FOLDER
            _remove_earlier(parent)
        return stack.enter_context(temporary_folder(parent, _NAME))
    return None


def _remove_earlier(state: Path) -> None:
    """In _emojob, remove the temporary folders that killed processes of earlier versions of emojob left."""
    for folder in state.glob(".spill-*"):
        if not _EARLIER.fullmatch(folder.name) or folder.is_symlink() or not folder.is_dir():
            continue
        files = list(folder.iterdir())
        if all(_OF_DUCKDB.fullmatch(file.name) for file in files):
            for file in files:
                file.unlink()
            folder.rmdir()
