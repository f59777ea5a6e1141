"""Checks the output files of a command before the work starts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from emojob.pipeline.storage.object_store import ObjectPath
from emojob.pipeline.storage.paths import AnyPath
from emojob.schemas.errors import OptionError

if TYPE_CHECKING:
    from emojob.pipeline.output.labelled_archive import LabelledArchive

#: The file name "-" stands for standard output, for example in `--json -`.
STDOUT = Path("-")


def check_output_file(
    option: str,
    file: AnyPath,
    example: str,
    data: Sequence[AnyPath] = (),
    archive: LabelledArchive | None = None,
    force: bool = False,
) -> None:
    """Raise OptionError if an output file cannot be written, or would replace a file that emojob did not write.

    Args:
        option: Option name for the error message, such as "--html".
        file: The output file.
        example: Valid file name for the error message.
        data: Data files that must not be overwritten.
        archive: The archive from which the command reads. Its files and its inputs must not be overwritten.
        force: Whether to replace an existing file that emojob did not write.
    """
    from emojob.pipeline.output.derived.replacing import check_replaceable, inputs_of

    data = [*data, *(part_file.file for part_file in (archive.part_files if archive else ()))]
    if file.resolve() in {one.resolve() for one in data if isinstance(one, ObjectPath) or one.is_file()}:
        raise OptionError(f"{option} {file} would overwrite a data file: give a different file name")
    if isinstance(file, Path):
        _check_local(option, file, example)
    check_replaceable(option, file, archive.path if archive else None, inputs_of(archive) if archive else (), force)


def _check_local(option: str, file: Path, example: str) -> None:
    if file.is_dir() or file == STDOUT or (file.exists() and not file.is_file()):
        raise OptionError(f"{option} {file} is not a file: give a file name, such as {example}")
    if not file.parent.is_dir():
        raise OptionError(
            f"{option} {file}: the folder {file.parent} does not exist; create this folder, or give a different path"
        )
    if not os.access(file.parent, os.W_OK):
        raise OptionError(f"{option} {file}: no permission to write into {file.parent}; give a different path")


def check_figure_files(
    json_file: AnyPath | None,
    html_file: AnyPath | None,
    data: Sequence[AnyPath] = (),
    archive: LabelledArchive | None = None,
    force: bool = False,
) -> None:
    """Check the files of --json and --html. `--json -` (standard output) is not checked.

    Args:
        json_file: File of --json, or None.
        html_file: File of --html, or None.
        data: Data files that must not be overwritten.
        archive: The archive from which the command reads (see `check_output_file`).
        force: Whether to replace existing files that emojob did not write.

    Raises:
        OptionError: A file cannot be written, or would replace a file that emojob did not write, or --json and --html
            name the same file.
    """
    if json_file and json_file != STDOUT:
        check_output_file("--json", json_file, "figures.json", data, archive, force)
    if html_file:
        check_output_file("--html", html_file, "figures.html", data, archive, force)
    if json_file and html_file and json_file.resolve() == html_file.resolve():
        raise OptionError(f"--json and --html both write {json_file}: give two different files")
