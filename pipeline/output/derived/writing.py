"""Writes derived files: files that are made from the rows of an archive, such as a report.

The rows are read first, and the file is written later. If rows left the archive in between, the new file would show
rows that `emojob forget` has removed. So the file appears only if no row has left the archive; otherwise, the rows are
read again:

    def write(archive):
        page = make_page(archive)  # reads the rows
        write_bytes(DerivedFile(archive, file, REPORT), page)

    from_current(out, write)
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

from emojob.pipeline.output.derived.records import (
    DRAFTS,
    EXPORT,
    add_record,
    content_of,
    new_record,
    records_lock,
    write_record,
)
from emojob.pipeline.output.identity import Mark, ensure_identity, read_identity
from emojob.pipeline.output.labelled_archive import LabelledArchive, open_labelled
from emojob.pipeline.storage import atomic
from emojob.pipeline.storage.paths import AnyPath
from emojob.schemas.errors import ChangedError

_TRIES = 5

T = TypeVar("T")


def from_current(
    out: AnyPath, make: Callable[[LabelledArchive], T], note: Callable[[str], None] = lambda text: None
) -> T:
    """Open an archive, and return `make(archive)`. If rows leave the archive meanwhile, do both again.

    Args:
        out: Labelled archive: a folder or a single file.
        make: Function that reads rows and writes derived files.
        note: callback(message), called before the rows are read again.

    Raises:
        ChangedError: Rows left the archive during each of several tries.
        OutputError: `out` is not a labelled archive.
    """
    for _ in range(_TRIES - 1):
        try:
            return make(open_labelled(out))
        except ChangedError:
            note(f"{out} was changed by another command while it was read: reading it again")
    return make(open_labelled(out))


class DerivedFile:
    """A derived file that is about to be written.

    The constructor records the file in OUT, so that `emojob forget` knows of the file even if this process is killed.

    Attributes:
        mark: The mark of the archive, for the content of the file.
    """

    def __init__(
        self, archive: LabelledArchive, file: AnyPath, kind: str, note: Callable[[str], None] = lambda text: None
    ) -> None:
        """Record a derived file.

        Args:
            archive: The archive, as it was when the rows were read.
            file: The file that will be written.
            kind: Kind of the file (see `records.Record`).
            note: callback(message), called if OUT cannot be written.
        """
        self._archive, self.file = archive, file
        self.mark = archive.identity.mark if archive.identity else Mark("0" * 32)
        self._is_recorded = False
        try:
            mark = ensure_identity(archive.path).mark
            if archive.identity is None:  # an archive of an earlier version
                self.mark = Mark(mark.archive)
            self._record = new_record(archive.path, file, kind, self.mark)
            add_record(archive.path, self._record)
            self._is_recorded = True
        except OSError as error:
            why = error.strerror or error
            note(
                f"{archive.path} cannot be written ({why}), so `emojob forget` will not know of {file}: "
                "remove this file yourself when rows are removed from the archive"
            )

    @contextlib.contextmanager
    def committing(self) -> Iterator[None]:
        """Lock the archive during the `with` block, in which the complete file is moved to its path.

        Raises:
            ChangedError: Rows have left the archive since they were read.
        """
        with contextlib.ExitStack() as stack:
            if self._is_recorded:
                self._lock(stack)
            self._ensure_unchanged()
            yield
            if self._is_recorded:
                with contextlib.suppress(OSError):  # the record then keeps the mark of the old content, which is safe
                    content = content_of(self.file) if self._record.kind in (DRAFTS, EXPORT) else ""
                    write_record(self._archive.path, replace(self._record, content=content))

    def keep(self) -> None:
        """Check that no row has left the archive, for a file that has the right content already."""
        self._ensure_unchanged()

    def _lock(self, stack: contextlib.ExitStack) -> None:
        try:
            stack.enter_context(records_lock(self._archive.path))
        except FileNotFoundError:  # `emojob forget` has removed the folder of the records, because it was empty
            add_record(self._archive.path, self._record)
            stack.enter_context(records_lock(self._archive.path))

    def _ensure_unchanged(self) -> None:
        identity = read_identity(self._archive.path)
        now = (identity.removals, identity.replacements) if identity else (0, 0)
        if now != (self.mark.removals, self.mark.replacements):
            raise ChangedError(
                f"rows were removed from {self._archive.path} while this command read it, so {self.file} was not "
                "written: run the same command again"
            )


def write_bytes(derived: DerivedFile, content: bytes) -> None:
    """Write a derived file atomically.

    Raises:
        ChangedError: Rows have left the archive since they were read.
        OSError: The file cannot be written.
    """
    with atomic.draft(derived.file, guard=derived.committing) as draft:
        draft.sink.write(content)
