"""Checks the output files of a command before the work starts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from emojob.pipeline.storage.object_store import ObjectPath
from emojob.pipeline.storage.paths import AnyPath
from emojob.schemas.errors import OptionError

#: The file name "-" stands for standard output, for example in `--json -`.
STDOUT = Path("-")


def check_output_file(option: str, file: AnyPath, example: str, data: Sequence[AnyPath] = ()) -> None:
    """Raise OptionError if an output file cannot be written or would overwrite a data file.

    Args:
        option: Option name for the error message, such as "--html".
        file: The output file.
        example: Valid file name for the error message.
        data: Data files that must not be overwritten.
    """
    if file.resolve() in {one.resolve() for one in data if isinstance(one, ObjectPath) or one.is_file()}:
        raise OptionError(f"{option} {file} would overwrite a data file: give a different file name")
    if isinstance(file, ObjectPath):
        return
    if file.is_dir() or file == STDOUT or (file.exists() and not file.is_file()):
        raise OptionError(f"{option} {file} is not a file: give a file name, such as {example}")
    if not file.parent.is_dir():
        raise OptionError(
            f"{option} {file}: the folder {file.parent} does not exist; create this folder, or give a different path"
        )
    if not os.access(file.parent, os.W_OK):
        raise OptionError(f"{option} {file}: no permission to write into {file.parent}; give a different path")


def check_figure_files(json_file: AnyPath | None, html_file: AnyPath | None, data: Sequence[AnyPath] = ()) -> None:
    """Check the files of --json and --html. `--json -` (standard output) is not checked.

    Args:
        json_file: File of --json, or None.
        html_file: File of --html, or None.
        data: Data files that must not be overwritten.

    Raises:
        OptionError: A file cannot be written or would overwrite a data file, or --json and --html name the same file.
    """
    if json_file and json_file != STDOUT:
        check_output_file("--json", json_file, "figures.json", data)
    if html_file:
        check_output_file("--html", html_file, "figures.html", data)
    if json_file and html_file and json_file.resolve() == html_file.resolve():
        raise OptionError(f"--json and --html both write {json_file}: give two different files")
