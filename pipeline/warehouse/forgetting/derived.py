"""Removes the derived files of an archive after `emojob forget` has removed rows (see `output/derived/`)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from emojob.pipeline.inference import memo_file
from emojob.pipeline.output.derived import records
from emojob.pipeline.output.derived.places import check_named
from emojob.pipeline.output.derived.taking import NotTaken, Taken, Taking
from emojob.pipeline.output.identity import Mark, ensure_identity
from emojob.pipeline.storage.paths import AnyPath
from emojob.schemas.errors import EmojobError


@dataclass(frozen=True)
class Remade:
    """Files of the last nightly run: the report and the figures.

    Attributes:
        written: Files that were written again.
        skipped: Existing files that were not written, because they may not be files of this archive: {file: kind}.
    """

    written: Sequence[AnyPath] = ()
    skipped: Sequence[tuple[AnyPath, str]] = ()


class RemakeReport(Protocol):
    """Function that writes the report of the last nightly run again."""

    def __call__(self, out: AnyPath, may_replace: Callable[[AnyPath], bool], /) -> Remade:
        """Write the report again.

        Args:
            out: The archive.
            may_replace: Function that returns whether an existing file may be replaced.
        """


@dataclass(frozen=True)
class Request:
    """What to forget.

    Attributes:
        where: SQL condition over the columns of the view `labelled`.
        memos: Memo files (cached probabilities of repeated texts) to remove.
        also: Other files to remove.
        dry_run: If true, nothing is removed.
        date_order: Order of dates such as 03/04/26: ymd, mdy or dmy. None: the values of the column tell the order.
        confirm: callback(preview) before the rows are removed. If it raises an error, nothing is removed.
    """

    where: str
    memos: Sequence[str]
    also: Sequence[AnyPath]
    dry_run: bool
    date_order: str | None = None
    confirm: Callable[[Any], None] = lambda preview: None


class Derived:
    """The derived files of an archive, during `forget`."""

    def __init__(
        self, out: AnyPath, request: Request, note: Callable[[str], None], remake_report: RemakeReport
    ) -> None:
        self._out, self._request, self.note, self._remake_report = out, request, note, remake_report
        self._named: list[AnyPath] = []

    def check(self, files: Sequence[AnyPath]) -> None:
        """Check the files that the command line names. `files` are the files of the archive."""
        self._named = _named_files(self._request.memos, self._request.also, files)

    def take(self, run: dict[str, Any], rows: int) -> Taken:
        """Remove the outdated derived files.

        Args:
            run: Contents of run.json.
            rows: Number of removed rows.
        """
        return _take(self._out, run, self._named, rows > 0, not self._request.dry_run, self.note, self._remake_report)


def _named_files(memos: Sequence[str], also: Sequence[AnyPath], data: Sequence[AnyPath]) -> list[AnyPath]:
    """Return the files that the command line names for removal.

    Args:
        memos: Values of --memo. A missing memo file is ignored.
        also: Values of --also.
        data: Files of the archive, which must not be removed.

    Raises:
        OptionError: A value is not an existing file, or not a memo file, or is a file of the archive.
    """
    named = []
    for memo in map(memo_file.parse_memo_path, memos):
        memo_file.refuse_other(memo)
        if memo.exists():
            named.append(check_named("--memo", memo, data))
    return [*named, *(check_named("--also", file, data) for file in also)]


def _take(
    out: AnyPath,
    run: dict[str, Any],
    named: Sequence[AnyPath],
    has_removed: bool,
    writes: bool,
    note: Callable[[str], None],
    remake_report: RemakeReport,
) -> Taken:
    """Remove the outdated derived files of an archive, and write the report of the last nightly run again.

    Args:
        out: Labelled archive: a folder or a single file. The caller must hold the lock.
        run: Contents of run.json.
        named: Files that the command line names. They are removed in any case.
        has_removed: Whether rows were removed. In a dry run: whether rows would be removed.
        writes: If false, nothing is removed (a dry run).
        note: callback(message) for messages to the user.
        remake_report: Writes the report again.
    """
    lost = _adopt_memo(out, run, named) if has_removed and writes else []
    taking = Taking(out, named, writes=writes, rows_leave=has_removed and not writes)
    if writes:
        _remake(out, taking, has_removed, note, remake_report)
    taken = taking.take()
    taken.left += lost
    return taken


def _remake(
    out: AnyPath, taking: Taking, has_removed: bool, note: Callable[[str], None], remake_report: RemakeReport
) -> None:
    try:
        remade = remake_report(out, taking.may_replace)
    except EmojobError as error:  # the rows are already removed; `take` removes the old report
        note(f"cannot write the report of the last nightly run again: {error}")
        return
    taking.add_remade(remade.written)
    if has_removed:
        for file, kind in remade.skipped:
            _adopt(out, file, kind)


def _adopt_memo(out: AnyPath, run: dict[str, Any], named: Sequence[AnyPath]) -> list[NotTaken]:
    """Record the memo file that run.json names, because earlier versions of emojob wrote no records.

    Returns:
        The memo file, if its folder is unknown.
    """
    options = run.get("options")
    memo = options.get("memo") if isinstance(options, dict) else None
    if not isinstance(memo, str) or not memo or "\0" in memo:
        return []
    folders = [Path.cwd(), *([out.resolve().parent] if isinstance(out, Path) else [])]
    with contextlib.suppress(OSError, RuntimeError):
        found = [one for one in (Path(folder, memo) for folder in folders) if os.path.lexists(one)]
        for one in found:
            _adopt(out, one, records.MEMO)
        if found or Path(memo).is_absolute() or Path(memo).name in {file.name for file in named}:
            return []
    why = "is the memo file of a run in another folder, which is unknown"
    return [NotTaken(memo, why, "--memo FILE, with the path of this file")]


def _adopt(out: AnyPath, file: AnyPath, kind: str) -> None:
    """Record a file of an earlier version of emojob. An existing record is not changed."""
    records.add_record(out, records.new_record(out, file, kind, Mark(ensure_identity(out).mark.archive)))
