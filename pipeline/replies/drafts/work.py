"""Keeps the finished parts of a file with drafts in its work folder, so that an interrupted run can go on."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from emojob.pipeline.output.derived.marks import KEY
from emojob.pipeline.output.derived.records import WORK, remove_records
from emojob.pipeline.output.derived.work_folders import (
    LOCK_NAME,
    STATE_NAME,
    finished_parts,
    is_own,
    part_in,
    read_state,
    remove_work_folder,
    work_folder_of,
    write_state,
)
from emojob.pipeline.output.derived.writing import DerivedFile
from emojob.pipeline.output.labelled_archive import LabelledArchive, changed
from emojob.pipeline.storage import atomic
from emojob.pipeline.storage.lock import lock
from emojob.schemas.errors import OptionError

#: Line about a file whose drafts are no longer those of the archive, the bot and the options.
CHANGED = "the archive, the bot or an option has changed since {}, so all drafts are made again"

_LAST = b"emojob_last"  # key of the metadata: number of the last conversation of a part


class Work:
    """The finished parts of a file with drafts. See `open_work`.

    Attributes:
        rows: Number of rows in the finished parts.
        last: Number of the last conversation in the finished parts; 0 if there are none.
    """

    def __init__(self, archive: LabelledArchive, folder: Path, derived: DerivedFile) -> None:
        self._archive, self._folder, self._derived = archive, folder, derived
        self._parts = len(finished_parts(folder))
        self.rows, self.last = 0, 0
        for part in finished_parts(folder):
            metadata = pq.read_metadata(part)
            self.rows, self.last = self.rows + metadata.num_rows, int(metadata.metadata[_LAST])

    def add(self, table: pa.Table, last: int) -> None:
        """Keep a part.

        Args:
            table: Rows of the file.
            last: Number of the last conversation in the table.

        Raises:
            ChangedError: Rows have left the archive since they were read.
            OSError: The part cannot be written.
        """
        metadata = {KEY: str(self._derived.mark), _LAST: str(last)}
        try:
            with atomic.draft(part_in(self._folder, self._parts), 0o600, self._derived.committing) as made:
                pq.write_table(table.replace_schema_metadata(metadata), made.sink, compression="zstd")
        except FileNotFoundError:
            if self._folder.is_dir():
                raise
            raise changed(self._archive.path) from None  # `emojob forget` has removed the work folder
        self._parts, self.rows, self.last = self._parts + 1, self.rows + table.num_rows, last

    def tables(self, schema: pa.Schema) -> Iterator[pa.Table]:
        """Yield the parts in order."""
        for number in range(self._parts):
            yield pq.read_table(part_in(self._folder, number)).cast(schema)

    def remove(self) -> None:
        """Remove the work folder, and its record."""
        remove_work_folder(self._folder)
        with contextlib.suppress(OSError):  # the archive may be read-only
            remove_records(self._archive.path, self._folder)


@contextlib.contextmanager
def open_work(
    archive: LabelledArchive, file: Path, fingerprint: str, replaces: str, note: Callable[[str], None]
) -> Iterator[Work]:
    """Open the work folder of a file with drafts, and lock it. A work folder with another fingerprint is emptied.

    Args:
        archive: The archive.
        file: The file with drafts.
        fingerprint: Fingerprint of the drafts.
        replaces: Hash of the existing file that the run may replace; "" if there is none.
        note: callback(message).

    Raises:
        BusyError: Another run writes the same file.
        OptionError: A folder with the name of the work folder exists, but is none.
    """
    folder = work_folder_of(file)
    if os.path.lexists(folder) and not is_own(folder):
        raise OptionError(
            f"{folder} exists, but `emojob reply` did not make it: remove it, or give a different file name"
        )
    derived = DerivedFile(archive, folder, WORK, note)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(0o700)
    with lock(folder / LOCK_NAME, file, note):
        if read_state(folder).get("fingerprint") != fingerprint:
            if finished_parts(folder):
                note(CHANGED.format(f"{file} was interrupted"))
            for part in folder.iterdir():
                if part.name not in (LOCK_NAME, STATE_NAME):  # the parts first, because the state tells whose they are
                    part.unlink()
            write_state(folder, derived.mark, {"fingerprint": fingerprint, "replaces": replaces})
        yield Work(archive, folder, derived)


def may_replace(file: Path, content: str) -> bool:
    """Return whether an interrupted run has checked that a file with this content may be replaced."""
    return bool(content) and read_state(work_folder_of(file)).get("replaces") == content


def remove_finished(archive: LabelledArchive, file: Path) -> None:
    """Remove the work folder of a run that was killed after it wrote the file."""
    folder = work_folder_of(file)
    if folder.is_dir():
        remove_work_folder(folder)
        with contextlib.suppress(OSError):  # the archive may be read-only
            remove_records(archive.path, folder)
