"""Removes derived files that may show rows which have left the archive: memo files, reports, figures, exports.

A derived file is outdated if rows have left the archive since the file was written (see `output/identity.py`).

Which outdated files are removed:

- A file below OUT, if it has a record or the mark of the archive.
- A file outside OUT, if the mark of the archive is inside the file, the file is a regular file, and the file belongs to
  this user. A symbolic link is never followed.
- A file that the command line names.

A bot that learned from the rows is only listed (see `bots`), because texts cannot be removed from the weights of a
model.

Every other outdated file with a record is listed, so that the user can decide. Records and configurations in an archive
are untrusted, because the archive may come from somebody else.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from emojob.pipeline.inference import memo_file
from emojob.pipeline.output.derived import bots, records, work_folders
from emojob.pipeline.output.derived.marks import NOTES, read_marks
from emojob.pipeline.output.derived.places import Places, is_link, obstacle
from emojob.pipeline.output.derived.records import Record, own_path, remove_record
from emojob.pipeline.output.identity import Mark, ensure_identity, new_identity, original_of, read_identity
from emojob.pipeline.storage.paths import AnyPath, remove_all
from emojob.schemas.errors import OptionError


@dataclass(frozen=True)
class NotTaken:
    """An outdated file that was not removed.

    Attributes:
        file: Path or URL of the file.
        why: Reason, for a message.
        option: The option of `emojob forget` that removes the file; "" if there is none.
        instead: What the user must do if there is no option.
    """

    file: str
    why: str
    option: str
    instead: str = ""


@dataclass
class Taken:
    """The derived files that were removed, and those that were not.

    Attributes:
        removed: Removed files.
        pruned: Memo files whose old texts were removed.
        remade: Files that were written again.
        left: Outdated files that were not removed.
        elsewhere: Recorded files that are not on this machine, as "FILE on MACHINE".
        unknown: Other files below OUT, without a record and without a mark.
    """

    removed: list[str] = field(default_factory=list)
    pruned: list[str] = field(default_factory=list)
    remade: list[str] = field(default_factory=list)
    left: list[NotTaken] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


class Taking:
    """Finds and removes the outdated derived files of an archive. The caller must hold the lock of the archive."""

    def __init__(
        self,
        out: AnyPath,
        named: Sequence[AnyPath] = (),
        prune_until: datetime.date | None = None,
        only_removals: bool = False,
        writes: bool = True,
        rows_leave: bool = False,
    ) -> None:
        """Read the identity of the archive.

        Args:
            out: Labelled archive: a folder or a single file.
            named: Files that the command line names. They are removed in any case.
            prune_until: If given, a memo is not removed, but loses the texts that were last requested on this day or
                earlier.
            only_removals: Whether rows that `emojob score` replaced do not make a file outdated.
            writes: If false, nothing is removed (a dry run).
            rows_leave: Whether to return what would be removed if rows left the archive (for a dry run).
        """
        self.out, self.taken = out, Taken()
        identity = ensure_identity(out) if writes else read_identity(out) or new_identity(out)
        self._identity = replace(identity, removals=identity.removals + 1) if rows_leave else identity
        self._original = original_of(out, identity)
        self._places = Places(out, named, is_copy=self._original is not None)
        self._named = self._places.named
        self._prune_until, self._writes = prune_until, writes
        self._only_removals = only_removals
        self._done: set[AnyPath] = set()

    def is_outdated(self, mark: Mark) -> bool:
        """Return whether rows have left the archive since a file with this mark was written."""
        now = self._identity.mark
        if mark.archive != now.archive or mark.removals != now.removals:
            return True
        return not self._only_removals and mark.replacements != now.replacements

    def is_of_original(self, file: AnyPath) -> bool:
        """Return whether this archive is a copy, and a file outside OUT was made from the original."""
        return self._original is not None and not self._places.is_inside(file) and file not in self._named

    def mark_in(self, file: AnyPath) -> Mark | None:
        """Return the mark of this archive in a file; None if the file has no mark of this archive."""
        own = self._identity.mark.archive
        return next((mark for mark in read_marks(file) if mark.archive == own), None)

    def may_replace(self, file: AnyPath) -> bool:
        """Return whether an existing outdated report may be written again."""
        file = own_path(file)
        if file in self._named:
            return True
        is_usable = self._places.is_reachable(file) and not obstacle(file) and not self.is_of_original(file)
        mark = self.mark_in(file) if is_usable else None
        return mark is not None and self.is_outdated(mark)

    def add_remade(self, files: Iterable[AnyPath]) -> None:
        """Note that reports were written again, so that `take` does not remove these files."""
        for file in map(own_path, files):
            self._named.discard(file)
            self._done.add(file)
            self.taken.remade.append(str(file))

    def take(self, scan: bool = True) -> Taken:
        """Remove the outdated derived files.

        Args:
            scan: Whether to also look for files without a record, below OUT and in the folder of OUT.

        Raises:
            OSError: The records cannot be read.
        """
        found = records.read_records(self.out, self._identity.mark)
        for record in sorted(found, key=lambda record: str(record.file).endswith(NOTES)):  # a file before its notes
            if not self.is_outdated(record.mark) and record.file not in self._named:
                self._done.add(record.file)
                continue
            with self._locked():
                current = records.read_again(self.out, record)
                if current:
                    self._take_recorded(current)
        for file in sorted(self._named - self._done, key=str):
            self._remove(file, None)
        if scan:
            for file, is_inside in self._places.others(self._writes, self._done):
                mark = None if file in self._done or self.is_of_original(file) else self.mark_in(file)
                if mark is not None and self.is_outdated(mark):
                    self._take_marked(file, None, is_inside)
                elif mark is None and is_inside and file not in self._done:
                    self.taken.unknown.append(str(file))
        if self._writes:
            records.remove_if_unused(self.out)
        return self.taken

    # -- one file ------------------------------------------------------------------------------------------------------

    def _take_recorded(self, record: Record) -> None:
        file = self._places.of(record)
        if file is None:
            if record.machine:
                self.taken.elsewhere.append(f"{record.file} on {record.machine}")
            elif self._writes:
                remove_record(record)
            return
        self._done.add(file)
        if record.kind == records.WORK:
            self._take_work(file, record)
            return
        if record.kind == records.BOT:
            self._name_bot(file, record)
            return
        if file in self._named:
            self._remove(file, record)
            return
        mark = self.mark_in(file) if self._places.is_reachable(file) else None
        if self._places.is_inside(file) and not is_link(file):
            if self.is_outdated(mark or record.mark):
                self._take_marked(file, record, True)
        elif self.is_outdated(record.mark if mark is None else mark):
            why = obstacle(file) or ("" if mark else self._why_unmarked(file, record))
            if self.is_of_original(file) and file == record.file:  # not a file that was copied with the archive
                why = f"may belong to {self._original}, of which this archive is a copy"
            if why:
                self.taken.left.append(NotTaken(str(file), why, _option(file, record.kind)))
            else:
                self._take_marked(file, record, False)

    def _take_work(self, folder: AnyPath, record: Record) -> None:
        """Remove an outdated work folder. A folder that does not carry the mark of this archive is not touched."""
        mark = work_folders.mark_of(folder) if isinstance(folder, Path) and not self.is_of_original(folder) else None
        if mark is None or mark.archive != self._identity.mark.archive or not self.is_outdated(mark):
            return
        if self._writes and isinstance(folder, Path):
            try:
                work_folders.remove_work_folder(folder)
            except OSError as error:
                why = f"cannot be removed: {error.strerror}"
                self.taken.left.append(NotTaken(str(folder), why, f"--also for each file of {folder}"))
                return
            remove_record(record)
        self.taken.removed.append(str(folder))

    def _name_bot(self, way: AnyPath, record: Record) -> None:
        """Name a way of a bot that learned from rows which have left the archive. Nothing is removed."""
        own = self._identity.mark.archive
        marks = [mark for mark in (bots.marks_of(way) if isinstance(way, Path) else ()) if mark.archive == own]
        if not marks and self._writes:  # the way was made again from other data
            remove_record(record)
        elif any(map(self.is_outdated, marks)):
            again = "make the bot again with `emojob train-replies --from-archive`, its other options and --fresh"
            self.taken.left.append(
                NotTaken(str(way), "the bot learned from them", "", f"{again}, or delete this folder")
            )

    def _why_unmarked(self, file: AnyPath, record: Record) -> str:
        if not self._places.is_reachable(file):
            return "is in an object store, but the archive is not in the same bucket"
        is_markable = str(file).lower().endswith((".parquet", ".xlsx"))
        if record.kind in (records.EXPORT, records.SHEET, records.DRAFTS) and not is_markable:
            return "cannot carry the mark of the archive"
        if read_marks(file):
            return "carries the mark of another archive"
        return "does not carry the mark of this archive"

    def _take_marked(self, file: AnyPath, record: Record | None, is_inside: bool) -> None:
        """Remove or prune an outdated file that may be removed. The notes of a file stay as long as the file."""
        of = str(file).removesuffix(NOTES)
        if of != str(file) and any(one.file == of for one in self.taken.left):
            return
        is_memo = isinstance(file, Path) and _is_memo(file)
        if not is_inside and (why := obstacle(file)):
            self.taken.left.append(NotTaken(str(file), why, _option(file, records.MEMO if is_memo else "")))
        elif is_memo and self._prune_until and isinstance(file, Path):
            self._prune(file, record, self._prune_until)
        else:
            self._remove(file, record)

    def _remove(self, file: AnyPath, record: Record | None) -> None:
        self._done.add(file)
        if not self._writes:
            self.taken.removed.append(str(file))
            return
        try:
            if isinstance(file, Path) and _is_memo(file):
                memo_file.remove(file)  # locks the file: a run may be about to write the memo again
            else:
                remove_all([file])
        except OSError as error:
            kind = record.kind if record else ""
            self.taken.left.append(NotTaken(str(file), f"cannot be removed: {error.strerror}", _option(file, kind)))
            return
        self.taken.removed.append(str(file))
        if record:
            remove_record(record)

    def _prune(self, file: Path, record: Record | None, until: datetime.date) -> None:
        if not self._writes:
            self.taken.pruned.append(str(file))
            return
        now = self._identity.mark
        try:
            memo_file.prune(file, until, lambda marks: [str(now) if _is_of(one, now) else one for one in marks])
        except OptionError:  # the memo is damaged
            self._remove(file, record)
            return
        except OSError as error:
            why = f"cannot be written: {error.strerror}"
            self.taken.left.append(NotTaken(str(file), why, _option(file, records.MEMO)))
            return
        self.taken.pruned.append(str(file))
        if record:
            records.write_record(self.out, replace(record, mark=now))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Lock the records, so that no command writes a derived file meanwhile."""
        if not self._writes:
            yield
            return
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(FileNotFoundError):
                stack.enter_context(records.records_lock(self.out))
            yield


def _is_memo(file: Path) -> bool:
    with contextlib.suppress(OSError, OptionError):
        memo_file.refuse_other(file)
        return file.stat().st_size > 0
    return False


def _is_of(text: str, mark: Mark) -> bool:
    found = Mark.parse(text)
    return found is not None and found.archive == mark.archive


def _option(file: AnyPath, kind: str) -> str:
    return f"{'--memo' if kind == records.MEMO else '--also'} {file}"
