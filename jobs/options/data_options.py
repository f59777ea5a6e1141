"""Defines the options for annotated data of `emojob train` and `emojob evaluate`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from emojob.jobs.options.input_files import check_inputs
from emojob.jobs.options.read_options import read_options
from emojob.schemas.errors import OptionError

_FILE = click.Path(path_type=Path)

_OPTIONS = (
    click.argument("more_data", metavar="[FILE...]", nargs=-1, type=_FILE),
    click.option(
        "--data", metavar="FILE...", multiple=True, type=_FILE, help="Files with a text column and a label column."
    ),
    click.option(
        "--text-column", metavar="C",
        help="Column with the text.  [default: a column named text, message, 발화 ...]",
    ),
    click.option(
        "--label-column", metavar="C",
        help="Column with the label.  [default: a column named label, emotion, 감정 ...]",
    ),
    click.option(
        "--label-map", metavar="NAME|FILE",
        help="Map that converts the labels of the data: kote, goemotions, or a TOML file.",
    ),
    click.option("--conversation-column", metavar="C", help="Column with the conversation ID."),
    click.option(
        "--time-column", metavar="C",
        help="Column with the time, or two such as date+time, for sorting the texts of a conversation.",
    ),
)  # fmt: skip


def corpus_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --data and the options for reading annotated data to a command."""
    command = read_options(command)
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def take_data(given: dict[str, Any]) -> list[Path]:
    """Return the paths of --data, and remove them from `given`.

    Raises:
        OptionError: No path is given.
        NothingFound: A file does not exist.
    """
    files = [*given.pop("data"), *given.pop("more_data")]
    if not files:
        raise OptionError("no data is given: give annotated files with --data FILE...")
    check_inputs(files)
    return files


def take_corpus_options(given: dict[str, Any]) -> Any:
    """Return the options for reading annotated data, and remove them from `given`."""
    from emojob.training.data.corpus import CorpusOptions

    names = [
        field.name for field in dataclasses.fields(CorpusOptions) if field.name in given and field.name != "context"
    ]
    return CorpusOptions(**{name: given.pop(name) for name in names})
