"""Reads the user's files with questions and answers. The shape of a table is found by its columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emojob.pipeline.reading.files.input_file import InputFile, PassedOver, UnknownContent
from emojob.pipeline.reading.selection import distinct_names, passed_over_note
from emojob.schemas.errors import ColumnError, DataError, InputError
from emojob.training.data.files import Table, find_files, read_tables
from emojob.training.replies.emotional_dialogue import dialogue_columns, is_dialogue
from emojob.training.replies.pair_columns import (
    PairColumns,
    PairOptions,
    is_question_answer,
    question_answer_columns,
    unknown_shape,
    unreadable_table,
)
from emojob.training.replies.wellness import is_wellness, wellness_columns

_SHAPES = {
    "구분, 유저 and 챗봇": (is_wellness, wellness_columns),
    "Q and A": (is_question_answer, question_answer_columns),
    "사람문장1 and 시스템문장1": (is_dialogue, dialogue_columns),
}
_TEXT_COLUMN = "--text-column"  # an option that `emojob train-replies` does not have
_NO_PAIRS = "a sheet without questions and answers"


@dataclass(frozen=True)
class PairFile:
    """Facts about a file with questions and answers.

    Attributes:
        name: File name without the folder. If two files have the same name, with the folder.
        kind: Shape of the first table: wellness, question-answer, aihub-dialogue or columns.
        sha256: SHA-256 hash of the file.
        bytes: Size of the file in bytes.
        rows: Number of rows. Rows that could not be read are included.
    """

    name: str
    kind: str
    sha256: str
    bytes: int
    rows: int


@dataclass(frozen=True)
class PairCells:
    """The cells of all files.

    Attributes:
        tables: The cells of each table.
        rejected: Number of rows that could not be read.
        files: Facts about each file.
        notes: Messages about files and tables.
    """

    tables: tuple[PairColumns, ...]
    rejected: int
    files: tuple[PairFile, ...]
    notes: tuple[str, ...]


def read_pair_files(paths: Sequence[Path], options: PairOptions) -> PairCells:
    """Read the tables of files in the given order. The formats are the formats that `emojob train` reads.

    Args:
        paths: Paths of files or folders, or glob patterns.
        options: Columns, encoding and other options for reading.

    Raises:
        DataError: A file cannot be read, or no file is given.
        ColumnError: A column that the user named is missing.
        OptionError: A table has an unknown shape, and the user named no columns.
    """
    passed_over: list[PassedOver] = []
    files = find_files(paths, passed_over)
    if not files:
        raise DataError(
            "no file with questions and answers is given; give at least one file, for example wellness.xlsx"
        )
    read = [
        _read_file(file, name, options, passed_over) for file, name in zip(files, distinct_names(files), strict=True)
    ]
    found = [one for one in read if one is not None]
    over = passed_over_note(passed_over)
    if not found:
        raise DataError(f"no file holds questions and answers; {over[0]}")
    return PairCells(
        tuple(table for one in found for table in one.tables),
        sum(one.rejected for one in found),
        tuple(file for one in found for file in one.files),
        (*over, *(note for one in found for note in one.notes)),
    )


def _read_file(file: InputFile, name: str, options: PairOptions, passed_over: list[PassedOver]) -> PairCells | None:
    """Return the cells of a file; None if the file is passed over. Sheets of another shape are passed over."""
    try:
        tables = read_tables(file, options, passed_over)
    except (ColumnError, UnknownContent) as error:
        if _TEXT_COLUMN not in str(error):
            raise
        raise unreadable_table(file.name, list(_SHAPES)) from error
    if not tables:
        return None
    kept: list[tuple[Table, PairColumns]] = []
    first_error: InputError | None = None
    others: list[PassedOver] = []
    for table in tables:
        try:
            kept.append((table, _columns_of(table, options)))
        except InputError as error:  # a workbook may also contain sheets with other columns
            first_error = first_error or error
            others.append(PassedOver(table.short_name, _NO_PAIRS, table.sheet is not None))
    if not kept and first_error is not None:
        raise first_error
    passed_over += others
    rejected = sum(table.rejected for table, _ in kept)
    rows = sum(table.data.num_rows for table, _ in kept) + rejected
    facts = PairFile(name, kept[0][1].kind, tables[0].sha256, tables[0].bytes, rows)
    notes = [f"{table.short_name}: {note}" for table, _ in kept for note in table.notes]
    notes += [note for _, columns in kept for note in columns.notes]
    return PairCells(tuple(columns for _, columns in kept), rejected, (facts,), tuple(notes))


def _columns_of(table: Table, options: PairOptions) -> PairColumns:
    """Return the cells of a table. Raises ColumnError or OptionError if a column is missing."""
    if options.question_column is not None:
        return question_answer_columns(table, options)
    for has_shape, read in _SHAPES.values():
        if has_shape(table):
            return read(table, options)
    raise unknown_shape(table, list(_SHAPES))
