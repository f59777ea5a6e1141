"""Finds the rows that match the condition of `emojob forget`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emojob.pipeline.output.labelled_archive import LabelledArchive
from emojob.pipeline.output.parts import row_groups
from emojob.pipeline.storage.atomic import Draft
from emojob.pipeline.storage.paths import AnyPath
from emojob.pipeline.warehouse.forgetting.derived import Request
from emojob.pipeline.warehouse.forgetting.second_reader import SecondReader
from emojob.pipeline.warehouse.queries.condition import Condition, ensure_one_column
from emojob.pipeline.warehouse.query import Session, open_session
from emojob.schemas.errors import DataError, OptionError
from emojob.schemas.messages import counted

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Matching:
    """Rows that match a condition.

    Attributes:
        rows: {part file: sorted numbers of the matching rows}. Row numbers begin at 0 in each file.
        condition: The condition.
        reader: The second reader, which has checked the rows.
    """

    rows: dict[AnyPath, Rows]
    condition: Condition
    reader: SecondReader

    @property
    def count(self) -> int:
        """Number of matching rows."""
        return sum(map(len, self.rows.values()))

    def check_new_file(self, file: AnyPath, draft: Draft, rows: int) -> None:
        """Check that a new file has the right number of rows, and that none of them matches. Skipped in a store.

        Args:
            file: The file that the new file replaces.
            draft: The new file.
            rows: Expected number of rows.

        Raises:
            EmojobError: The new file has other rows.
        """
        written = draft.written()
        if written is not None:
            self.reader.check(file, np.empty(0, np.int64), written, rows)


@contextlib.contextmanager
def find_rows(
    archive: LabelledArchive, request: Request, note: Callable[[str], None] = lambda text: None
) -> Iterator[Matching]:
    """Yield the rows that match a condition. Check them with the second reader.

    If the condition is about times, `note` gets the line about values that are not times.

    Raises:
        OptionError: The condition is invalid, or matches other rows each time.
        ColumnError: A name in the condition means several columns.
        DataError: A part file changed.
        EmojobError: The second reader finds other rows.
    """
    with open_session(archive, numbered=True, date_order=request.date_order) as session:
        condition = session.condition(request.where)
        ensure_one_column(archive, condition)
        _check_condition(session, request.where)
        if others := session.count_other_forms(request.where):
            note(
                f"{counted(others, 'row')} would count otherwise if texts in the Unicode forms NFC and NFD, which look "
                "the same, were equal; to make them equal, write nfc_normalize(COLUMN) = 'TEXT', with the text in NFC"
            )
        if session.note and "said_at" in request.where.lower():
            note(session.note)
        removed = _matching(archive, session, request.where)
        reader = SecondReader(archive, condition, "labelled", session.types(archive, "numbered"))
    with contextlib.closing(reader):
        for part_file in archive.part_files:
            reader.check(part_file.file, removed.get(part_file.file, np.empty(0, np.int64)))
        if removed and not reader.is_able:
            note("the condition is too complex for the second reader, so only one reader has checked the rows")
        yield Matching(removed, condition, reader)


def _matching(archive: LabelledArchive, session: Session, where: str) -> dict[AnyPath, Rows]:
    """Return {part file: sorted numbers of the matching rows}."""
    confidence = f"{archive.prefix}confidence"
    found: dict[int, list[Rows]] = {}
    values: dict[int, list[Rows]] = {}
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
    session.refuse_numbers_as_texts(where)  # before DuckDB, which refuses < but not =
    # This query fails if the parentheses in `where` do not match, as in `true) OR (true`.
    session.query(f"SELECT 1 FROM numbered AS labelled WHERE {where}\n LIMIT 0")  # noqa: S608
    kind = session.query(f"SELECT ({where}\n) FROM numbered AS labelled LIMIT 0").schema.types[0]  # noqa: S608
    if not pa.types.is_boolean(kind):
        raise OptionError(f"--where must be a condition (true or false), but has the type {kind}; {wanted}")
