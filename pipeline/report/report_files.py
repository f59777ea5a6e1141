"""Writes the files of a report: an HTML page, and the figures as JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from emojob.pipeline.output.derived.records import FIGURES, REPORT
from emojob.pipeline.output.derived.writing import DerivedFile, write_bytes
from emojob.pipeline.output.labelled_archive import LabelledArchive
from emojob.pipeline.report.figures import Figures
from emojob.pipeline.report.html_page import render_report
from emojob.pipeline.storage.atomic import json_bytes
from emojob.pipeline.storage.paths import AnyPath, output_errors
from emojob.pipeline.storage.permissions import limit_permissions


@dataclass(frozen=True)
class ReportFiles:
    """The files of a report.

    Attributes:
        page: Path of the HTML page, or None.
        figures: Path of the JSON file, or None.
        language: Language of the page: en or ko.
    """

    page: AnyPath | None = None
    figures: AnyPath | None = None
    language: str = "en"


def write_report_files(
    archive: LabelledArchive,
    figures: Figures,
    files: ReportFiles,
    note: Callable[[str], None] = lambda text: None,
    is_unchanged: Callable[[AnyPath, bytes], bool] = lambda file, content: False,
) -> list[AnyPath]:
    """Write the files of a report. Each file contains the mark of the archive, for `emojob forget`.

    Args:
        archive: The labelled archive, as it was when the figures were computed.
        figures: The figures.
        files: Paths of the files.
        note: callback(message) for messages to the user.
        is_unchanged: Function that returns whether a file has this content already. Such a file is not written.

    Returns:
        Paths of the files.

    Raises:
        ChangedError: Rows have left the archive since the figures were computed.
        StorageError, OutputError: A file cannot be written.
    """
    paths = []
    for file, kind in ((files.page, REPORT), (files.figures, FIGURES)):
        if file is None:
            continue
        with output_errors(file), limit_permissions(part_file.file for part_file in archive.part_files):
            derived = DerivedFile(archive, file, kind, note)
            marked = replace(figures, mark=str(derived.mark))
            content = render_report(marked, files.language) if kind == REPORT else json_bytes(marked.as_json())
            if is_unchanged(file, content):
                derived.keep()
            else:
                write_bytes(derived, content)
        paths.append(file)
    return paths
