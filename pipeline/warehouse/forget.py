"""Removes rows from a labelled archive permanently (`emojob forget`), for example at the request of a person.

- Part files with matching rows are replaced with part files without these rows, in one atomic step
  (output/journal.py).
- The row counts are updated, and the report of the last nightly run is written again.
- The memo file (cached probabilities of repeated texts) is deleted, because it may contain results of removed rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from emojob.pipeline.inference import memo_file
from emojob.pipeline.output.archive_folder import ArchiveFolder, open_output
from emojob.pipeline.output.dictionaries import compacted, may_hold_other_values, schema_without_values
from emojob.pipeline.output.journal import write_journal
from emojob.pipeline.output.label_columns import count_rows
from emojob.pipeline.output.labelled_archive import LabelledArchive, open_labelled
from emojob.pipeline.output.layout import PartPaths, work_folder
from emojob.pipeline.output.parts import ROW_GROUP, open_parquet, row_groups
from emojob.pipeline.storage import atomic
from emojob.pipeline.storage.lock import lock_folder
from emojob.pipeline.storage.object_store import ObjectPath
from emojob.pipeline.storage.paths import AnyPath, output_errors, seekable
from emojob.pipeline.storage.permissions import limit_permissions
from emojob.pipeline.warehouse.query import Session, open_session
from emojob.schemas.errors import BusyError, DataError, EmojobError, OptionError, OutputError
from emojob.schemas.manifest import OUT_FORMAT, Counts, PartMarker

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Forgotten:
    """Result of `forget`.

    Attributes:
        rows: Number of matching rows. Without `dry_run`, these rows were removed.
        left: Number of rows that do not match.
        parts: Number of part files with matching rows.
        memos: Memo files (cached probabilities of repeated texts) that were removed.
        rejected: Number of input rows that `emojob score` rejected. `forget` does not search rejected rows.
    """

    rows: int
    left: int
    parts: int
    memos: tuple[Path, ...]
    rejected: int


def forget(
    out: AnyPath,
    where: str,
    memos: Sequence[str] = (),
    dry_run: bool = False,
    note: Callable[[str], None] = lambda text: None,
    remake_report: Callable[[AnyPath], Sequence[AnyPath]] = lambda out: (),
) -> Forgotten:
    """Remove the rows that match an SQL condition. On an error, no row is removed.

    Args:
        out: Labelled archive: a folder or a single file.
        where: SQL condition over the columns of the view `labelled`.
        memos: Memo files (cached probabilities of repeated texts) to remove. The memo file that run.json names is
            removed, too.
        dry_run: If true, only count the matching rows.
        note: callback(message) for messages to the user.
        remake_report: callback(out) that writes the report of the last nightly run again and returns the files.

    Raises:
        OutputError: `out` is not a labelled archive.
        OptionError: `where` is not an SQL condition.
        BusyError: Another command uses `out`, or `emojob score` has not finished `out`.
        StorageError: `out` cannot be written.
    """
    if isinstance(out, Path) and out.is_symlink():
        out = out.resolve()  # the target must be replaced, not the link
    with output_errors(out):
        if out.is_dir():
            with open_output(out, note) as output:
                found = _forget_in_folder(output, out, where, memos, dry_run)
                if found.rows and not dry_run:
                    _remake_report(out, remake_report, note)
                return found
        archive = open_labelled(out)  # raises OutputError if `out` is not a labelled file
        if work_folder(out).exists():
            raise BusyError(
                f"{out} is not complete: wait until `emojob score` ends (if `emojob score` was interrupted, run the "
                "same command again), then run `emojob forget` again"
            )
        return _forget_in_file(archive, where, memos, dry_run)


def _forget_in_folder(
    output: ArchiveFolder, out: AnyPath, where: str, memos: Sequence[str], dry_run: bool
) -> Forgotten:
    if not dry_run:
        output.sweep()  # parts that do not count contain texts, too
    archive = open_labelled(out)
    found = _matching(archive, where)
    markers = {marker.part: marker for marker in output.markers}
    rows, all_rows = sum(map(len, found.values())), sum(marker.counts.written for marker in output.markers)
    memo_files = _memo_files(archive, memos)
    rejected = sum(marker.counts.rejected for marker in output.markers)
    if dry_run or not rows:
        return Forgotten(rows, all_rows - rows if dry_run else all_rows, len(found), (), rejected)
    with limit_permissions(part_file.file for part_file in archive.part_files):
        new = {}
        for file, removed in [*found.items(), *_with_other_values(output, found)]:
            paths = PartPaths(out, file.stem)
            new[paths.name] = _rewrite_part(archive, paths, markers[file.name], removed)
        # Remove the memo files first, then the rows. If the process is killed in between, the rows still match, and the
        # user can run the command again.
        _remove_memos(memo_files)
        write_journal(out, new)
        output.read_markers()
        output.finish_journal()
    return Forgotten(rows, all_rows - rows, len(found), tuple(memo_files), rejected)


def _forget_in_file(archive: LabelledArchive, where: str, memos: Sequence[str], dry_run: bool) -> Forgotten:
    file, counts = archive.path, _counts_of(archive)
    removed = _matching(archive, where).get(file, np.empty(0, np.int64))
    memo_files = _memo_files(archive, memos)
    if dry_run or not len(removed):
        return Forgotten(len(removed), counts.written - len(removed), int(len(removed) > 0), (), counts.rejected)
    _remove_memos(memo_files)
    work = work_folder(file)
    # On a disk, lock the parent folder, because the work folder does not exist. If the lock created the work folder and
    # the process were killed, the next `emojob score` would find the work folder and label the file again.
    with limit_permissions([file]), open_output(work) if isinstance(work, ObjectPath) else lock_folder(work.parent):
        archive = open_labelled(file)  # the file may have changed before the folder was locked
        counts = _counts_of(archive)
        removed = _matching(archive, where).get(file, np.empty(0, np.int64))
        left = _counts_without(file, archive, removed, counts)
        metadata = dict(pq.read_schema(seekable(file)).metadata)
        about = json.loads(metadata[b"emojob"])
        about["run"] |= {"counts": left.summary(), "all_counts": left.as_json()}
        about["format"] = OUT_FORMAT
        metadata[b"emojob"] = json.dumps(about, ensure_ascii=False).encode()
        with atomic.draft(file) as draft:
            _copy_without(file, draft, removed, metadata)
    return Forgotten(len(removed), left.written, 1, tuple(memo_files), counts.rejected)


# -- finding the rows --------------------------------------------------------------------------------------------------


def _matching(archive: LabelledArchive, where: str) -> dict[AnyPath, Rows]:
    """Return {part file: sorted numbers of the matching rows}. Row numbers begin at 0 in each file."""
    confidence = f"{archive.prefix}confidence"
    found: dict[int, list[Rows]] = {}
    values: dict[int, list[Rows]] = {}
    with open_session(archive, numbered=True) as session:
        _check_condition(session, where)
        for batch in session.matching(where, confidence).batches:
            parts, rows = (column.to_numpy(zero_copy_only=False).astype(np.int64) for column in batch.columns[:2])
            for part in np.unique(parts).tolist():
                found.setdefault(part, []).append(rows[parts == part])
                values.setdefault(part, []).append(_bits(batch.column(2))[parts == part])
        again = session.query(f"SELECT count(*) FROM labelled WHERE ({where}\n)")  # noqa: S608 - the session only reads
        ((matching,),) = (batch.columns for batch in again.batches)
    removed: dict[AnyPath, Rows] = {}
    for part in sorted(found):
        rows, of_rows = np.concatenate(found[part]), np.concatenate(values[part])
        order = np.argsort(rows)
        removed[archive.part_files[part].file] = rows[order]
        _check_rows(archive.part_files[part].file, rows[order], of_rows[order], confidence)
    if sum(map(len, removed.values())) != matching[0].as_py():
        raise OptionError(
            "--where matches other rows each time; give a condition without random(), and without LIMIT in a subquery"
        )
    return removed


def _check_rows(file: AnyPath, rows: Rows, values: Rows, column: str) -> None:
    """Check that the rows that the condition matches are the rows that will be removed.

    Args:
        file: A part file.
        rows: Sorted numbers of the rows. int64 [rows].
        values: The values of `column` in these rows, as DuckDB read them. See `_bits`.
        column: Name of a label column.

    Raises:
        DataError: The part file has other values in these rows.
    """
    first, start = 0, 0
    for table in row_groups(file, [column]):
        stop = int(np.searchsorted(rows, first + len(table)))
        here = _bits(table.column(column).combine_chunks())[rows[start:stop] - first]
        if not np.array_equal(here, values[start:stop]):
            raise DataError(f"{file} changed while emojob read it: run `emojob forget` again")
        first, start = first + len(table), stop
    if start != len(rows):
        raise DataError(f"{file} changed while emojob read it: run `emojob forget` again")


def _bits(confidences: pa.Array) -> Rows:
    """Return the bits of each float32 value, and -1 for null. int64 [rows]."""
    values = confidences.fill_null(0).to_numpy(zero_copy_only=False).astype(np.float32).view(np.int32)
    return np.where(confidences.is_null().to_numpy(zero_copy_only=False), -1, values.astype(np.int64))


def _check_condition(session: Session, where: str) -> None:
    """Raise OptionError if `where` is not a single SQL condition."""
    wanted = "give a condition that is true for the rows to remove, such as \"conversation_id = 'c-1042'\""
    if not where.strip():
        raise OptionError(f"--where is empty; {wanted}")
    # This query fails if the parentheses in `where` do not match, as in `true) OR (true`.
    session.query(f"SELECT 1 FROM numbered WHERE {where}\n LIMIT 0")  # noqa: S608
    kind = session.query(f"SELECT ({where}\n) FROM numbered LIMIT 0").schema.types[0]  # noqa: S608
    if not pa.types.is_boolean(kind):
        raise OptionError(f"--where must be a condition (true or false), but has the type {kind}; {wanted}")


# -- writing the remaining rows ----------------------------------------------------------------------------------------


def _rewrite_part(archive: LabelledArchive, paths: PartPaths, old: PartMarker, removed: Rows) -> PartMarker:
    """Write a new part file without the removed rows, and return the new completion marker."""
    new = paths.replacement()
    counts = _counts_without(paths.part, archive, removed, old.counts)
    with atomic.draft(new.part) as draft:
        _copy_without(paths.part, draft, removed)
    if old.counts.rejected:
        atomic.write_bytes(new.rejects, paths.rejects.read_bytes())
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
    names = (f"{archive.prefix}emotion", f"{archive.prefix}confidence", archive.status_column)
    for table in _remaining(file, removed, names):
        counts.add(count_rows(table, names, archive.labels))
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
    with pq.ParquetWriter(draft.sink, schema, compression="zstd", version="2.6") as writer:
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
        yield table.filter(pa.array(kept))


# -- memo files and report ---------------------------------------------------------------------------------------------


def _memo_files(archive: LabelledArchive, given: Sequence[str]) -> list[Path]:
    """Return the existing memo files (cached probabilities): the given files, and the file that run.json names."""
    options = archive.run.get("options")
    named = options.get("memo") if isinstance(options, dict) else None
    files = [memo_file.parse_memo_path(one) for one in given]
    if isinstance(named, str) and Path(named).parent.is_dir():
        files.append(memo_file.parse_memo_path(named))
    return [file for file in dict.fromkeys(files) if file.is_file()]


def _remove_memos(files: Sequence[Path]) -> None:
    """Delete memo files (cached probabilities of repeated texts)."""
    for file in files:
        memo_file.remove(file)


def _remake_report(
    out: AnyPath, remake_report: Callable[[AnyPath], Sequence[AnyPath]], note: Callable[[str], None]
) -> None:
    """Write the report of the last nightly run again, because the old report may show removed rows."""
    try:
        for path in remake_report(out):
            note(f"report written again: {path}")
    except EmojobError as error:
        # Print a note instead of an error, because the rows have already been removed.
        note(f"cannot write the report of the last nightly run again; it may still show removed rows: {error}")
