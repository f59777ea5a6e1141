"""Options that say where annotated data is and how it is read, for the commands that take such data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from emojob.schemas.errors import OptionError
from emojob.schemas.options import ENCODINGS

_FILE = click.Path(path_type=Path)

_OPTIONS = (
    click.argument("more_data", metavar="[FILE...]", nargs=-1, type=_FILE),
    click.option("--data", metavar="FILE...", multiple=True, type=_FILE, help="Annotated data."),
    click.option("--text-column", metavar="C", help="Column with the text.  [default: found among the usual names]"),
    click.option("--label-column", metavar="C", help="Column with the label.  [default: found among the usual names]"),
    click.option(
        "--label-map", metavar="NAME|FILE",
        help="What the data's labels are among the model's: kote, goemotions or a TOML file.",
    ),
    click.option("--conversation-column", metavar="C", help="Column that tells conversations apart."),
    click.option("--time-column", metavar="C", help="Column that orders the utterances of a conversation."),
    click.option("--encoding", type=click.Choice(ENCODINGS), default="auto", show_default=True),
)  # fmt: skip


def corpus_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command --data FILE... and what says how the files are read."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def take_data(given: dict[str, Any]) -> list[Path]:
    """Take the files out of a command's options: --data, which may stand several times, and what follows it.

    Raises OptionError where there is none.
    """
    files = [*given.pop("data"), *given.pop("more_data")]
    if not files:
        raise OptionError("no data is given: name the annotated files with --data FILE...")
    return files


def take_corpus_options(given: dict[str, Any]) -> Any:
    """Take what makes a `training.data.corpus.CorpusOptions` out of a command's options."""
    from emojob.training.data.corpus import CorpusOptions

    names = ("text_column", "label_column", "conversation_column", "time_column", "encoding")
    return CorpusOptions(**{name: given.pop(name) for name in names})
