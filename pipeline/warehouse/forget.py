"""Rows taken out of a labelled archive for good, such as those of a person who asks for it.

Parts that hold such rows are written anew without them and exchanged for the old ones all at once (exchange.py), so
that either all of the rows are there or none is. What was worked out from them goes as well: counts, the memo, a
night's report.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from emojob.pipeline.inference import memo_file
from emojob.pipeline.output.archive_folder import ArchiveFolder, open_output
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
from emojob.pipeline.warehouse.views import NUMBERS
from emojob.schemas.errors import BusyError, EmojobError, OptionError, OutputError
from emojob.schemas.manifest import OUT_FORMAT, Counts, PartMarker

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Forgotten:
    """What was removed.

    rows: that are gone; left: that are still there; parts: that were written anew; memos: that were removed; rejected:
    rows that could not be read when they were labelled, and so were not searched.
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
    """Remove the rows of the labelled archive `out` for which a condition of SQL is true.

    where: over the columns of the view `labelled`; memos: files of --memo to remove, beside the one that run.json
    names; dry_run: count alone. Raises OutputError where `out` is no labelled archive, OptionError where the condition
    is none, BusyError where a run holds `out`, StorageError where it cannot be written; then nothing is changed.
    """
    if isinstance(out, Path) and out.is_symlink():
        out = out.resolve()  # or the link would be replaced, and the rows stay where it leads
    with output_errors(out):
        if out.is_dir():
            with open_output(out) as output:
                found = _forget(output, out, where, memos, dry_run)
                if found.rows and not dry_run:
                    _remake_report(out, remake_report, note)
                return found
        archive = open_labelled(out)  # tells what is wrong with it
        if work_folder(out).exists():
            raise BusyError(f"a run into {out} was begun and has not ended: let the same command end first")
        return _forget_in_file(archive, where, memos, dry_run)


def _forget(output: ArchiveFolder, out: AnyPath, where: str, memos: Sequence[str], dry_run: bool) -> Forgotten:
    archive = open_labelled(out)
    found = _matching(archive, where)
    markers = {marker.part: marker for marker in output.markers}
    rows, all_rows = sum(map(len, found.values())), sum(marker.counts.written for marker in output.markers)
    files = _memos(archive, memos)
    rejected = sum(marker.counts.rejected for marker in output.markers)
    if dry_run or not rows:
        return Forgotten(rows, all_rows - rows if dry_run else all_rows, len(found), (), rejected)
    with limit_permissions(part_file.file for part_file in archive.part_files):
        new = {}
        for place, removed in found.items():
            old = markers[place.name]
            new[PartPaths(out, place.stem).name] = _without(archive, PartPaths(out, place.stem), old, removed)
        _remove_memos(files)  # before the rows: after a kill the same command finds them again
        write_journal(out, new)
        output.read_markers()
        output.finish_journal()
    return Forgotten(rows, all_rows - rows, len(found), tuple(files), rejected)


def _matching(archive: LabelledArchive, where: str) -> dict[AnyPath, Rows]:
    """The numbers of the rows for which the condition is true, from 0 in each file that has any."""
    found: dict[int, list[Rows]] = {}
    with open_session(archive, numbered=True) as session:
        _check_condition(session, where)
        answer = session.ask(f"SELECT {NUMBERS} FROM numbered WHERE ({where}\n)")  # noqa: S608 - it can only read
        for batch in answer.batches:
            parts, rows = (column.to_numpy(zero_copy_only=False).astype(np.int64) for column in batch.columns)
            for part in np.unique(parts).tolist():
                found.setdefault(part, []).append(rows[parts == part])
    return {archive.part_files[part].file: np.sort(np.concatenate(some)) for part, some in sorted(found.items())}


def _check_condition(session: Session, where: str) -> None:
    """Raise OptionError where a text is not one condition, true or false for a row."""
    wanted = "give one that is true of the rows to remove, such as \"conversation_id = 'c-1042'\""
    if not where.strip():
        raise OptionError(f"--where is empty; {wanted}")
    session.ask(f"SELECT 1 FROM numbered WHERE {where}\n LIMIT 0")  # noqa: S608 - no bracket in it closes ours
    kind = session.ask(f"SELECT ({where}\n) FROM numbered LIMIT 0").schema.types[0]  # noqa: S608
    if not pa.types.is_boolean(kind):
        raise OptionError(f"--where is no condition but a value ({kind}); {wanted}")


def _without(archive: LabelledArchive, place: PartPaths, old: PartMarker, removed: Rows) -> PartMarker:
    """Write a part anew without some rows, beside the old one; its marker, which is not written."""
    new = place.replacement()
    counts = _counted(place.part, archive, removed, old.counts)
    with atomic.draft(new.part) as draft:
        _copy(place.part, draft, removed)
    if old.counts.rejected:
        atomic.write_bytes(new.rejects, place.rejects.read_bytes())
    return replace(old, part=new.part.name, part_bytes=new.part.stat().st_size, counts=counts, format=OUT_FORMAT)


def _forget_in_file(archive: LabelledArchive, where: str, memos: Sequence[str], dry_run: bool) -> Forgotten:
    file, old = archive.place, _counts_of(archive)
    removed = _matching(archive, where).get(file, np.empty(0, np.int64))
    files = _memos(archive, memos)
    if dry_run or not len(removed):
        return Forgotten(len(removed), old.written - len(removed), int(len(removed) > 0), (), old.rejected)
    _remove_memos(files)
    work = work_folder(file)
    # no folder of a run is made on a disk: one that a kill left behind would have the file made anew
    with limit_permissions([file]), open_output(work) if isinstance(work, ObjectPath) else lock_folder(work.parent):
        archive = open_labelled(file)  # another may have been at it until now
        old = _counts_of(archive)
        removed = _matching(archive, where).get(file, np.empty(0, np.int64))
        counts = _counted(file, archive, removed, old)
        metadata = dict(pq.read_schema(seekable(file)).metadata)
        about = json.loads(metadata[b"emojob"])
        about["run"] |= {"counts": counts.summary(), "all_counts": counts.as_json()}
        about["format"] = OUT_FORMAT
        metadata[b"emojob"] = json.dumps(about, ensure_ascii=False).encode()
        with atomic.draft(file) as draft:
            _copy(file, draft, removed, metadata)
    return Forgotten(len(removed), counts.written, 1, tuple(files), old.rejected)


# -- the rows that stay ------------------------------------------------------------------------------------------------


def _counted(file: AnyPath, archive: LabelledArchive, removed: Rows, old: Counts) -> Counts:
    """What the rows that stay come to. Tokens stay as they were counted, for the texts are not tokenized again."""
    counts = Counts(rejected=old.rejected, forgotten=old.forgotten + len(removed), tokens=old.tokens)
    counts.unknown_tokens = old.unknown_tokens
    names = (f"{archive.prefix}emotion", f"{archive.prefix}confidence", archive.status_column)
    for table in _staying(file, removed, names):
        counts.add(count_rows(table, names, archive.labels))
    return counts


def _counts_of(archive: LabelledArchive) -> Counts:
    """What the rows of a labelled file came to. Raises OutputError where it does not tell."""
    try:
        return Counts.from_json(archive.run["all_counts"])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise OutputError(
            f"{archive.place} does not tell what its rows came to: label the archive anew with `emojob score --fresh`"
        ) from None


def _copy(file: AnyPath, draft: atomic.Draft, removed: Rows, metadata: dict[bytes, bytes] | None = None) -> None:
    with open_parquet(file) as parquet:
        schema = parquet.schema_arrow if metadata is None else parquet.schema_arrow.with_metadata(metadata)
    with pq.ParquetWriter(draft.sink, schema, compression="zstd", version="2.6") as writer:
        for table in _staying(file, removed):
            if len(table):
                columns = [_without_unused(column) for column in table.columns]
                writer.write_table(pa.table(columns, schema=schema), row_group_size=ROW_GROUP)


def _staying(file: AnyPath, removed: Rows, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """The rows of a file that are not gone, a row group at a time."""
    first = 0
    for table in row_groups(file, columns):
        kept = np.ones(len(table), np.bool_)
        kept[removed[np.searchsorted(removed, first) : np.searchsorted(removed, first + len(table))] - first] = False
        first += len(table)
        yield table.filter(pa.array(kept))


def _without_unused(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column whose dictionary, if it has one, holds no value that is in no row any more."""
    kind = column.type
    if not pa.types.is_dictionary(kind):
        return column
    return column.cast(kind.value_type).dictionary_encode().cast(kind)


# -- what was worked out from them -------------------------------------------------------------------------------------


def _memos(archive: LabelledArchive, given: Sequence[str]) -> list[Path]:
    """The memos to remove that are there: those given, and the one that the archive was labelled with."""
    options = archive.run.get("options")
    named = options.get("memo") if isinstance(options, dict) else None
    files = [memo_file.parse_memo_path(one) for one in given]
    if isinstance(named, str) and Path(named).parent.is_dir():
        files.append(memo_file.parse_memo_path(named))
    return [file for file in dict.fromkeys(files) if file.is_file()]


def _remove_memos(files: Sequence[Path]) -> None:
    """A memo tells whether a text was labelled, and which of its texts are whose cannot be told, so it goes whole."""
    for file in files:
        memo_file.remove(file)


def _remake_report(
    out: AnyPath, remake_report: Callable[[AnyPath], Sequence[AnyPath]], note: Callable[[str], None]
) -> None:
    """Make the report anew that a nightly job made of the archive, which shows utterances."""
    try:
        for place in remake_report(out):
            note(f"made anew: {place}")
    except EmojobError as error:  # the rows are gone all the same
        note(f"the report of the last night could not be made anew, and may still show them: {error}")
