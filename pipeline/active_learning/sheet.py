"""Writes the sheet for annotators, a CSV file; schemas/sheet.py defines its columns."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path

from emojob.pipeline.active_learning.selection import Utterance
from emojob.pipeline.storage import atomic
from emojob.schemas.errors import OptionError, StorageError
from emojob.schemas.sheet import (
    CONFIDENCE,
    CONVERSATION,
    GUESS,
    MARGIN,
    PREVIOUS,
    SECOND,
    SHEET_COLUMNS,
    SHEET_ENCODING,
    TEXT,
    TIME,
    TIMES,
    escape_cell,
)


def check_path(file: Path, replace: bool = False) -> None:
    """Check that a sheet can be written to this path, before the selection starts.

    Args:
        file: Path of the sheet.
        replace: Whether an existing file may be replaced.

    Raises:
        OptionError: The sheet cannot be written to this path.
    """
    if file.suffix.lower() != ".csv":
        raise OptionError(f"-o {file}: a sheet is a CSV file, which Excel opens; give a name that ends in .csv")
    if file.is_dir():
        raise OptionError(f"-o {file} is a folder: give a file name that ends in .csv")
    if not file.parent.is_dir():
        raise OptionError(f"-o {file}: there is no folder {file.parent}; create it, or give another path")
    if os.path.lexists(file) and not replace:
        raise OptionError(
            f"-o {file} exists and may contain an annotator's work: give another name, or --force to replace it"
        )


def write_sheet(file: Path, utterances: Sequence[Utterance], replace: bool = False) -> None:
    """Write a sheet, completely or not at all. Its column `label` is blank, for the annotators.

    Args:
        file: Path of the sheet.
        utterances: The utterances, one for each line.
        replace: Whether an existing file may be replaced.

    Raises:
        OptionError: As `check_path`.
        StorageError: The sheet cannot be written.
    """
    check_path(file, replace)
    columns = [*SHEET_COLUMNS]
    columns += [CONVERSATION] if any(one.conversation is not None for one in utterances) else []
    columns += [TIME] if any(one.time is not None for one in utterances) else []
    beside = atomic.temporary_path(file)
    try:
        with beside.open("w", encoding=SHEET_ENCODING, newline="") as stream:
            writer = csv.DictWriter(
                stream, columns, restval="", extrasaction="ignore"
            )  # lines end in CR LF, as spreadsheets write them
            writer.writeheader()
            writer.writerows(_cells(one) for one in utterances)
        atomic.commit(beside, file)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise StorageError(
            f"cannot write {file}: {error.strerror or error}; free space or give the right to write, then try again"
        ) from error


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
