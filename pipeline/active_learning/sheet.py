"""Writes the sheet, a CSV file that annotators fill in. schemas/sheet.py defines its columns."""

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
    """Check that a sheet can be written to a path. Call this first, because the selection is slow.

    Args:
        file: Path of the sheet.
        replace: Whether an existing file may be replaced.

    Raises:
        OptionError: The path does not end in .csv, is a folder, is in a folder that does not exist, or is an existing
            file that must not be replaced.
    """
    if file.suffix.lower() != ".csv":
        raise OptionError(f"-o {file}: the sheet is a CSV file; give a file name that ends in .csv")
    if file.is_dir():
        raise OptionError(f"-o {file} is a folder: give a file name that ends in .csv")
    if not file.parent.is_dir():
        raise OptionError(f"-o {file}: there is no folder {file.parent}; create it, or give another path")
    if os.path.lexists(file) and not replace:
        raise OptionError(
            f"-o {file} exists and may contain an annotator's labels: give another name, or add --force to replace it"
        )


def write_sheet(file: Path, utterances: Sequence[Utterance], replace: bool = False) -> None:
    """Write a sheet atomically. The column `label` is empty: the annotators fill it in.

    Args:
        file: Path of the sheet.
        utterances: The utterances. Each becomes one row of the sheet.
        replace: Whether an existing file may be replaced.

    Raises:
        OptionError: `check_path` does not accept the path.
        StorageError: The sheet cannot be written.
    """
    check_path(file, replace)
    columns = [*SHEET_COLUMNS]
    columns += [CONVERSATION] if any(one.conversation is not None for one in utterances) else []
    columns += [TIME] if any(one.time is not None for one in utterances) else []
    beside = atomic.temporary_path(file)
    try:
        with beside.open("w", encoding=SHEET_ENCODING, newline="") as stream:
            # the default line ending is CR LF, as in files that spreadsheet programs write
            writer = csv.DictWriter(stream, columns, restval="", extrasaction="ignore")
            writer.writeheader()
            writer.writerows(_cells(one) for one in utterances)
        atomic.commit(beside, file)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise StorageError(
            f"cannot write {file}: {error.strerror or error}; check the disk space and the write permission of the "
            f"folder, then try again"
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
