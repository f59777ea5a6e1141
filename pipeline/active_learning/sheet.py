"""Writes the annotation sheet, a CSV file for annotators. schemas/sheet.py defines the columns."""

from __future__ import annotations

import contextlib
import csv
import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from emojob.pipeline.active_learning.utterances import Utterance
from emojob.pipeline.storage import atomic
from emojob.schemas.errors import OptionError, StorageError
from emojob.schemas.sheet import (
    CONFIDENCE,
    CONVERSATION,
    DRAWN,
    GUESS,
    MARGIN,
    PREVIOUS,
    SECOND,
    SHEET_COLUMNS,
    SHEET_ENCODING,
    TEXT,
    TIME,
    TIMES,
    WEIGHT,
    escape_cell,
)


def check_path(file: Path, replace: bool = False) -> None:
    """Check the path of an annotation sheet. Call this before the selection, because the selection is slow.

    Args:
        file: Path of the sheet.
        replace: Whether an existing file may be replaced.

    Raises:
        OptionError: The path does not end in .csv, the path is a folder, the parent folder does not exist, or the file
            exists and `replace` is false.
    """
    if file.suffix.lower() != ".csv":
        raise OptionError(f"-o {file}: the annotation sheet is a CSV file; give a file name that ends in .csv")
    if file.is_dir():
        raise OptionError(f"-o {file} is a folder: give a file name that ends in .csv")
    if not file.parent.is_dir():
        raise OptionError(f"-o {file}: there is no folder {file.parent}; create the folder, or give another path")
    if os.path.lexists(file) and not replace:
        raise OptionError(
            f"-o {file} exists and may contain labels of annotators: give a new name, or replace the file with --force"
        )


def write_sheet(
    file: Path,
    utterances: Sequence[Utterance],
    replace: bool = False,
    drawn: str | None = None,
    weight: float = 0.0,
    guard: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext,
) -> None:
    """Write an annotation sheet atomically. The column `label` is empty: the annotators fill it in.

    Args:
        file: Path of the sheet.
        utterances: One utterance for each row of the sheet.
        replace: Whether an existing file may be replaced.
        drawn: How a random sample was drawn. None: the utterances are no random sample.
        weight: Number of labelled rows that each utterance of a random sample stands for.
        guard: Function that returns a context manager. The complete file is moved to its path inside this context.

    Raises:
        OptionError: `check_path` does not accept the path.
        StorageError: The sheet cannot be written.
    """
    check_path(file, replace)
    columns = [*SHEET_COLUMNS]
    columns += [CONVERSATION] if any(one.conversation is not None for one in utterances) else []
    columns += [TIME] if any(one.time is not None for one in utterances) else []
    columns += [DRAWN, WEIGHT] if drawn is not None else []
    content = io.StringIO(newline="")
    # lines end with CR LF by default, as in spreadsheet programs
    writer = csv.DictWriter(content, columns, restval="", extrasaction="ignore")
    writer.writeheader()
    if drawn is None:
        writer.writerows(_cells(one) for one in utterances)
    else:
        writer.writerows(_cells_without_guess(one, drawn, weight) for one in utterances)
    try:
        with atomic.draft(file, guard=guard) as draft:
            draft.sink.write(content.getvalue().encode(SHEET_ENCODING))
    except OSError as error:
        raise StorageError(
            f"cannot write {file}: {error.strerror or error}; check the disk space and the write permission of the "
            f"folder, then try again"
        ) from error


def _cells_without_guess(utterance: Utterance, drawn: str, weight: float) -> dict[str, str]:
    cells = _cells(utterance)
    for column in (GUESS, CONFIDENCE, SECOND, MARGIN):
        del cells[column]
    return {**cells, DRAWN: drawn, WEIGHT: f"{weight:.6g}"}


def _cells(utterance: Utterance) -> dict[str, str]:
    return {
        TEXT: escape_cell(utterance.text),
        PREVIOUS: escape_cell(utterance.previous or ""),
        GUESS: escape_cell(utterance.guess),
        CONFIDENCE: f"{utterance.confidence:.4f}",
        SECOND: escape_cell(utterance.second or ""),
        MARGIN: f"{utterance.margin:.4f}",
        TIMES: str(utterance.times),
        CONVERSATION: escape_cell(utterance.conversation or ""),
        TIME: escape_cell(utterance.time or "", keep_values=True),
    }
