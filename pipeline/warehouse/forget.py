"""Removes rows from a labelled archive permanently (`emojob forget`), for example at the request of a person.

- Part files with matching rows are replaced with part files without these rows, in one atomic step
  (output/journal.py).
- The row counts are updated.
- The texts of rejected rows are removed, because no condition can select them.
- Derived files are removed: memo files, reports, exports (forgetting/derived.py). The report of the last nightly run
  is written again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from emojob.pipeline.output.archive_folder import ArchiveFolder, open_output
from emojob.pipeline.output.derived.forgotten_inputs import hide_forgotten_inputs, hide_in_rejects, without_names
from emojob.pipeline.output.derived.taking import Taken
from emojob.pipeline.output.dictionaries import compacted, may_hold_other_values, schema_without_values
from emojob.pipeline.output.identity import at_place, count_removal, new_identity
from emojob.pipeline.output.journal import write_journal
from emojob.pipeline.output.label_columns import count_rows
from emojob.pipeline.output.labelled_archive import LabelledArchive, changed, open_labelled
from emojob.pipeline.output.layout import NIGHTLY_LOCK_FILE, PartPaths, work_folder
from emojob.pipeline.output.parts import ROW_GROUP, open_parquet, open_writer, row_groups
from emojob.pipeline.output.rejects import (
    copy_without_texts,
    count_texts,
    remove_texts_beside,
    remove_texts_in_folder,
)
from emojob.pipeline.storage import atomic
from emojob.pipeline.storage.lock import lock, lock_folder
from emojob.pipeline.storage.object_store import ObjectPath
from emojob.pipeline.storage.paths import AnyPath, output_errors, seekable
from emojob.pipeline.storage.permissions import limit_permissions
from emojob.pipeline.warehouse.forgetting.derived import Derived, Remade, RemakeReport, Request
from emojob.pipeline.warehouse.forgetting.examples import Preview, preview
from emojob.pipeline.warehouse.forgetting.matching import Matching, Rows, find_rows
from emojob.schemas.errors import BusyError, OutputError
from emojob.schemas.manifest import OUT_FORMAT, Counts, PartMarker


@dataclass(frozen=True)
class Forgotten:
    """Result of `forget`.

    Attributes:
        rows: Number of matching rows. Without `dry_run`, these rows were removed.
        left: Number of rows that do not match.
        parts: Number of part files with matching rows.
        rejected: Number of rejected rows whose text was removed. A condition cannot select these rows, because emojob
            could not read them.
        taken: The derived files that were removed, and those that were not.
        examples: With `dry_run`, the first matching rows: {column: masked value}.
    """

    rows: int
    left: int
    parts: int
    rejected: int
    taken: Taken
    examples: Sequence[dict[str, str]] = ()


def forget(
    out: AnyPath,
    where: str,
    memos: Sequence[str] = (),
    dry_run: bool = False,
    note: Callable[[str], None] = lambda text: None,
    remake_report: RemakeReport = lambda out, may_replace: Remade(),
    also: Sequence[AnyPath] = (),
    date_order: str | None = None,
    confirm: Callable[[Preview], None] = lambda preview: None,
) -> Forgotten:
    """Remove the rows that match an SQL condition, and the derived files. On an error, no row is removed.

    If the process is killed after the rows are removed, the next call removes the remaining derived files, even though
    no row matches then.

    Args:
        out: Labelled archive: a folder or a single file.
        where: SQL condition over the columns of the view `labelled`.
        memos: Memo files (cached probabilities of repeated texts) to remove.
        dry_run: If true, nothing is removed.
        note: callback(message) for messages to the user.
        remake_report: Function that writes the report of the last nightly run again (see `RemakeReport`).
        also: Other files to remove.
        date_order: Order of dates such as 03/04/26: ymd, mdy or dmy. None: the values of the column tell the order.
        confirm: callback(preview) before the rows are removed. If it raises an error, nothing is removed.

    Raises:
        OutputError: `out` is not a labelled archive.
        OptionError, ColumnError: `where` is not an SQL condition on clear columns, or a named file cannot be removed.
        BusyError: Another command uses `out`, or `emojob score` has not finished `out`.
        StorageError: `out` cannot be written.
    """
    if isinstance(out, Path):
        out = out.resolve()  # if OUT is a link, the target must be replaced, not the link
    request = Request(where, memos, also, dry_run, date_order, confirm)
    with output_errors(out):
        if out.is_dir():
            # a nightly run reads the rows, and writes the report later
            night = lock(out / NIGHTLY_LOCK_FILE, out, note) if (out / NIGHTLY_LOCK_FILE).exists() else nullcontext()
            with night, open_output(out, note) as output, limit_permissions(out / one.part for one in output.markers):
                return _forget_in_folder(output, out, request, Derived(out, request, note, remake_report))
        archive = open_labelled(out)  # raises OutputError if `out` is not a labelled file
        if work_folder(out).exists():
            raise BusyError(
                f"{out} is not complete: wait until `emojob score` ends (if `emojob score` was interrupted, run the "
                "same command again), then run `emojob forget` again"
            )
        with limit_permissions([out]):
            return _forget_in_file(archive, request, Derived(out, request, note, remake_report))


def _forget_in_folder(output: ArchiveFolder, out: AnyPath, request: Request, derived: Derived) -> Forgotten:
    derived.check([out / marker.part for marker in output.markers])
    if not request.dry_run:
        output.sweep()  # parts that do not count contain texts, too
    markers = {marker.part: marker for marker in output.markers}
    all_rows = sum(marker.counts.written for marker in output.markers)
    writes, rejected = not request.dry_run, count_texts(out, output.markers)
    rows, parts = 0, 0
    examples: Sequence[dict[str, str]] = ()
    if output.markers:  # otherwise, all rows have been removed before, but derived files may still exist
        archive = open_labelled(out)
        with find_rows(archive, request, derived.note) as found:
            rows, parts = found.count, len(found.rows)
            examples = _confirmed(archive, found, request, all_rows)
            if rows and writes:
                new = {}
                for file, removed in [*found.rows.items(), *_with_other_values(output, found.rows)]:
                    paths = PartPaths(out, file.stem)
                    new[paths.name] = _rewrite_part(archive, paths, markers[file.name], removed, found)
                count_removal(out)  # before and after the removal, because a command may read the archive in between
                write_journal(out, new)
                output.read_markers()
                output.finish_journal()
    if writes:
        remove_texts_in_folder(out, output.markers)
        output.markers = hide_forgotten_inputs(out, output.markers)
        output.write_rejects()
    taken = derived.take(output.run(), rows)
    return Forgotten(rows, all_rows - rows, parts, rejected, taken, examples)


def _confirmed(archive: LabelledArchive, found: Matching, request: Request, all_rows: int) -> Sequence[dict[str, str]]:
    """Call `confirm` before the rows are removed. Return the examples for a dry run."""
    if not found.count:
        return ()
    shown = preview(archive, found, all_rows)
    if not request.dry_run:
        request.confirm(shown)
    return shown.examples


def _forget_in_file(archive: LabelledArchive, request: Request, derived: Derived) -> Forgotten:
    file, counts = archive.path, _counts_of(archive)
    derived.check([file])
    remove_texts_beside(file, writes=False)  # raises an error before a row is removed
    with find_rows(archive, request, derived.note) as found:
        rows, left = found.count, counts.written - found.count
        examples = _confirmed(archive, found, request, counts.written)
    if rows and not request.dry_run:
        work = work_folder(file)
        # On a disk, lock the parent folder, because the work folder does not exist. If the lock created the work folder
        # and the process were killed, the next `emojob score` would find the work folder and label the file again.
        with open_output(work) if isinstance(work, ObjectPath) else lock_folder(work.parent):
            archive = open_labelled(file)  # the file may have changed before the folder was locked
            with find_rows(archive, request) as found:
                if found.count != rows:
                    raise changed(file)
                left = _rewrite_file(archive, found)
    rejected = remove_texts_beside(file, not request.dry_run)
    if not request.dry_run:
        hide_in_rejects(file, open_labelled(file).run)
    taken = derived.take(archive.run, rows)
    return Forgotten(rows, left, int(rows > 0), rejected, taken, examples)


def _rewrite_file(archive: LabelledArchive, found: Matching) -> int:
    """Write a single labelled file without the matching rows. Return the number of remaining rows."""
    file = archive.path
    removed = found.rows[file]
    left = _counts_without(file, archive, removed, _counts_of(archive))
    identity = at_place(archive.identity or new_identity(file), file)
    metadata = dict(pq.read_schema(seekable(file)).metadata)
    about = json.loads(metadata[b"emojob"])
    about["run"] |= {"counts": left.summary(), "all_counts": left.as_json()}
    about["run"]["inputs"] = _inputs_without(about["run"].get("inputs"), removed)
    about["run"] = without_names(about["run"], archive.run.get("inputs"), identity)
    about["format"] = OUT_FORMAT
    about["archive"] = replace(identity, removals=identity.removals + 1).as_json()
    metadata[b"emojob"] = json.dumps(about, ensure_ascii=False).encode()
    with atomic.draft(file) as draft:
        _copy_without(file, draft, removed, metadata)
        found.check_new_file(file, draft, left.written)
    return left.written


def _inputs_without(inputs: Any, removed: Rows) -> Any:
    """Return the inputs of run.json with the number of remaining rows of each input (`rows`).

    Args:
        inputs: The inputs, in the order of the rows. Earlier versions of emojob did not write the number of rows.
        removed: Sorted numbers of the removed rows. int64 [rows].
    """
    if not isinstance(inputs, list) or not all(
        isinstance(one, dict) and type(one.get("rows")) is int for one in inputs
    ):
        return inputs
    stops = np.cumsum([one["rows"] for one in inputs])
    gone = np.diff(np.searchsorted(removed, stops), prepend=0).tolist()
    return [{**one, "rows": one["rows"] - rows} for one, rows in zip(inputs, gone, strict=True)]


# -- writing the remaining rows ----------------------------------------------------------------------------------------


def _rewrite_part(
    archive: LabelledArchive, paths: PartPaths, old: PartMarker, removed: Rows, found: Matching
) -> PartMarker:
    """Write a new part file without the removed rows, and return the new completion marker."""
    new = paths.replacement()
    counts = _counts_without(paths.part, archive, removed, old.counts)
    with atomic.draft(new.part) as draft:
        _copy_without(paths.part, draft, removed)
        found.check_new_file(paths.part, draft, counts.written)
    if old.counts.rejected:
        copy_without_texts(paths.rejects, new.rejects)
    size = new.part.stat().st_size
    # A later attempt, so that no part with the removed rows counts instead of the new part.
    attempt = old.attempt + 1
    return replace(
        old, part=new.part.name, part_bytes=size, counts=counts, format=OUT_FORMAT, attempt=attempt, compact=True
    )


def _with_other_values(output: ArchiveFolder, found: Mapping[AnyPath, Rows]) -> Iterator[tuple[AnyPath, Rows]]:
    """Yield (part file, no rows) for each other part file that may contain values of the removed rows."""
    for marker in output.markers:
        file = output.folder / marker.part
        if file in found or marker.compact:
            continue
        with open_parquet(file) as parquet:
            if may_hold_other_values(parquet.schema_arrow):
                yield file, np.empty(0, np.int64)


def _counts_without(file: AnyPath, archive: LabelledArchive, removed: Rows, old: Counts) -> Counts:
    """Return the counts without the removed rows. Only the token counts still include the removed rows."""
    counts = Counts(rejected=old.rejected, forgotten=old.forgotten + len(removed), tokens=old.tokens)
    counts.unknown_tokens = old.unknown_tokens
    columns, text = archive.label_columns, archive.text_column
    wanted = (columns.label, columns.confidence, columns.status, columns.label_set, text)
    names = tuple(name for name in wanted if name is not None)  # the name of the text column may be empty
    for table in _remaining(file, removed, names):
        counts.add(count_rows(table, columns, text))
    if text is None:  # --drop-text: nothing tells which of the empty rows had null markers or placeholders
        counts.null_markers = min(old.null_markers, counts.empty)
        counts.placeholders = min(old.placeholders, counts.empty - counts.null_markers)
    return counts


def _counts_of(archive: LabelledArchive) -> Counts:
    """Read the row counts of a single labelled file. Raises OutputError if the counts are missing."""
    try:
        return Counts.from_json(archive.run["all_counts"])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise OutputError(
            f"the metadata of {archive.path} has no valid row counts: label the archive again with "
            "`emojob score --fresh`, then run `emojob forget` again"
        ) from None


def _copy_without(
    file: AnyPath, draft: atomic.Draft, removed: Rows, metadata: dict[bytes, bytes] | None = None
) -> None:
    """Copy a file without the removed rows.

    Args:
        file: The old file.
        draft: The new file.
        removed: Sorted numbers of the removed rows. int64 [rows].
        metadata: Parquet metadata of the new file. If None, the metadata of the old file is copied.
    """
    with open_parquet(file) as parquet:
        schema = parquet.schema_arrow if metadata is None else parquet.schema_arrow.with_metadata(metadata)
        schema = schema_without_values(schema)
    with open_writer(draft.sink, schema) as writer:
        for table in _remaining(file, removed):
            if len(table):
                writer.write_table(compacted(table), row_group_size=ROW_GROUP)


def _remaining(file: AnyPath, removed: Rows, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Yield the rows that are not in `removed`, one table per row group."""
    first = 0
    for table in row_groups(file, columns):
        kept = np.ones(len(table), np.bool_)
        kept[removed[np.searchsorted(removed, first) : np.searchsorted(removed, first + len(table))] - first] = False
        first += len(table)
        yield _kept(table, kept)


def _kept(table: pa.Table, kept: NDArray[np.bool_]) -> pa.Table:
    """Return the rows for which `kept` is true."""
    try:
        return table.filter(pa.array(kept))
    except pa.ArrowNotImplementedError:  # Arrow cannot filter views of strings, which earlier versions kept
        edges = np.flatnonzero(np.diff(kept, prepend=False, append=False)).tolist()
        slices = (table.slice(start, stop - start) for start, stop in zip(edges[::2], edges[1::2], strict=True))
        return pa.concat_tables([table.slice(0, 0), *slices])
