"""Files that a command is asked to write: looked at before the work, and an error of theirs in one line."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from emojob.pipeline.storage.object_store import ObjectPath
from emojob.pipeline.storage.paths import AnyPath
from emojob.schemas.errors import OptionError


def refuse_data(option: str, place: AnyPath, data: Sequence[AnyPath]) -> None:
    """Raises OptionError where a file to be written is one of the data's."""
    if place.resolve() in {one.resolve() for one in data if isinstance(one, ObjectPath) or one.is_file()}:
        raise OptionError(f"{option} {place} would replace the data: give a file of its own")


def check_place(option: str, place: AnyPath, usual: str, data: Sequence[AnyPath] = ()) -> None:
    """Raises OptionError where a file cannot be written, or is the data; before the work rather than behind it.

    usual: a name as such files have them.
    """
    refuse_data(option, place, data)
    if isinstance(place, ObjectPath):
        return
    if place.is_dir() or place == Path("-") or (place.exists() and not place.is_file()):
        raise OptionError(f"{option} {place} is no file: give a file's name, such as {usual}")
    if not place.parent.is_dir():
        raise OptionError(f"{option} {place}: there is no folder {place.parent}; make it, or name another one")
    if not os.access(place.parent, os.W_OK):
        raise OptionError(f"{option} {place}: no right to write into {place.parent}; name another folder")


def check_places(json_file: AnyPath | None, html_file: AnyPath | None, data: Sequence[AnyPath]) -> None:
    """As `check_place`, for --json and --html; `--json -` is standard output."""
    if json_file and json_file != Path("-"):
        check_place("--json", json_file, "figures.json", data)
    if html_file:
        check_place("--html", html_file, "figures.html", data)
    if json_file and html_file and json_file.resolve() == html_file.resolve():
        raise OptionError(f"--json and --html both name {json_file}: give each a file of its own")
