"""Defines the options for annotated data of `emojob train` and `emojob evaluate`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from emojob.schemas.errors import OptionError
from emojob.schemas.options import DATE_ORDERS, ENCODINGS

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
        "--time-column", metavar="C", help="Column with the time, for sorting the texts of a conversation."
    ),
    click.option(
        "--date-order", type=click.Choice(DATE_ORDERS),
        help="Order of year, month and day in times such as 03/04/26.  [default: the order that fits the whole column]",
    ),
    click.option(
        "--encoding", type=click.Choice(ENCODINGS), default="auto", show_default=True,
        help="Encoding of text files.",
    ),
)  # fmt: skip


def corpus_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --data and the options for reading annotated data to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def take_data(given: dict[str, Any]) -> list[Path]:
    """Return the paths of --data, and remove them from `given`.

    Raises:
        OptionError: No path is given.
    """
    files = [*given.pop("data"), *given.pop("more_data")]
    if not files:
        raise OptionError("no data is given: give annotated files with --data FILE...")
    return files


def take_corpus_options(given: dict[str, Any]) -> Any:
    """Return the options for reading annotated data, and remove them from `given`."""
    from emojob.training.data.corpus import CorpusOptions

    names = ("text_column", "label_column", "conversation_column", "time_column", "date_order", "encoding")
    return CorpusOptions(**{name: given.pop(name) for name in names})
