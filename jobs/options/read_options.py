"""Defines the options for reading input files. `ReadOptions` contains the defaults."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from emojob.schemas.options import DATE_ORDERS, ENCODINGS, INPUT_FORMATS, ReadOptions

_DEFAULT = ReadOptions()

_DIALECT = (
    click.option(
        "--format", type=click.Choice(INPUT_FORMATS), default=_DEFAULT.format, show_default=True,
        help="Format of the input files. auto: the content and the name of each file decide. lines: each line is an "
        "utterance.",
    ),
    click.option(
        "--delimiter", metavar="CHARACTER",
        help="Character between the fields of CSV and TSV files, such as ; or tab or \\x01.  [default: found in the "
        "content]",
    ),
    click.option(
        "--quote", metavar="CHARACTER|none",
        help="Character around fields of CSV and TSV files: \" or ' or none.  [default: found in the content]",
    ),
    click.option(
        "--escape", metavar="\\|double|none",
        help="How a quote inside a field is written: after a backslash (\\), twice (double) or never (none).  "
        "[default: found in the content]",
    ),
    click.option(
        "--skip-rows", type=int, metavar="N",
        help="Number of lines before the header of CSV and TSV files.  [default: found in the content]",
    ),
)  # fmt: skip

_ROWS = (
    click.option(
        "--sheet", "sheets", multiple=True, metavar="NAME",
        help="Sheet of a workbook to read; may be repeated.  [default: every sheet with a text column]",
    ),
    click.option(
        "--explode", metavar="C",
        help="Column with the turns of a conversation: one row is read for each turn.  [default: a column named "
        "messages, utterances ..., if there is no text column]",
    ),
    click.option(
        "--as-text", "as_text", multiple=True, metavar="C",
        help="Read column C as text in all files, if it has different types; may be repeated.",
    ),
    click.option(
        "--date-order", type=click.Choice(DATE_ORDERS),
        help="Order of year, month and day in dates such as 03/04/26.  [default: the order that fits all dates]",
    ),
)  # fmt: skip

_ENCODING = click.option(
    "--encoding", type=click.Choice(ENCODINGS), default=_DEFAULT.encoding, show_default=True,
    help="Encoding of text files.",
)  # fmt: skip


def read_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --encoding and the options for the format of the input files to a command."""
    for option in reversed((_ENCODING, *_DIALECT, *_ROWS)):
        command = option(command)
    return command
