"""Checks the output files of a command before the work starts, so that a wrong file name is reported early."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from emojob.pipeline.storage.object_store import ObjectPath
from emojob.pipeline.storage.paths import AnyPath
from emojob.schemas.errors import OptionError

#: Means standard output, as in `--json -`.
STDOUT = Path("-")


def check_output_file(option: str, file: AnyPath, example: str, data: Sequence[AnyPath] = ()) -> None:
    """Raise OptionError if an output file cannot be written, or if it is also a data file.

    Args:
        option: The option that gives the file, such as "--html".
        file: The file to write.
        example: A valid file name, which the error message shows.
        data: Data files, which must not be overwritten.
    """
    if file.resolve() in {one.resolve() for one in data if isinstance(one, ObjectPath) or one.is_file()}:
        raise OptionError(f"{option} {file} would overwrite a data file: give another file")
    if isinstance(file, ObjectPath):
        return
    if file.is_dir() or file == STDOUT or (file.exists() and not file.is_file()):
        raise OptionError(f"{option} {file} is not a file: give a file name, such as {example}")
    if not file.parent.is_dir():
        raise OptionError(
            f"{option} {file}: the folder {file.parent} does not exist; create it, or give a file in another folder"
        )
    if not os.access(file.parent, os.W_OK):
        raise OptionError(f"{option} {file}: no permission to write into {file.parent}; give a file in another folder")


def check_figure_files(json_file: AnyPath | None, html_file: AnyPath | None, data: Sequence[AnyPath] = ()) -> None:
    """Raise OptionError if a file of --json or --html cannot be written, or if both options give the same file.

    `--json -` means standard output, so it is not checked.

    Args:
        json_file: The file of --json.
        html_file: The file of --html.
        data: Data files, which must not be overwritten.
    """
    if json_file and json_file != STDOUT:
        check_output_file("--json", json_file, "figures.json", data)
    if html_file:
        check_output_file("--html", html_file, "figures.html", data)
    if json_file and html_file and json_file.resolve() == html_file.resolve():
        raise OptionError(f"--json and --html both write {json_file}: give two different files")
