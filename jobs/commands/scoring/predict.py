"""Defines `emojob predict`, which labels texts from the command line or standard input."""

from __future__ import annotations

import dataclasses
import itertools
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import click

from emojob.jobs.options.every_command import SETTINGS
from emojob.jobs.options.model_options import model_options, take_model_options
from emojob.jobs.terminal.console import note
from emojob.jobs.terminal.label_lines import label_json, label_line, labelled_texts

_BLOCK_LINES = 2048  # maximum number of lines in a batch from standard input


@click.command(context_settings=SETTINGS, short_help="Label texts from the command line or standard input.")
@click.argument("texts", metavar="TEXT...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON line for each text, with all probabilities.")
@click.option(
    "--dialogue",
    is_flag=True,
    help="Treat the texts as one conversation; needs a model that was trained with --context previous.",
)
@model_options
def predict(texts: tuple[str, ...], as_json: bool, dialogue: bool, **given: Any) -> None:
    """Label texts, and print one line for each text. Without TEXT, each line of standard input is a text.

    Each text is scored alone, unless --dialogue is given. `--precision auto` means fp32.
    """
    options = take_model_options(given)
    if options.precision == "auto":
        options = dataclasses.replace(options, precision="fp32")
    from emojob.pipeline.inference.scorer import Scorer
    from emojob.pipeline.reading.calibration import calibration_texts
    from emojob.pipeline.reading.context import previous_texts

    scorer = Scorer.load(options=options, note=note, calibration_texts=calibration_texts(options.calibration))
    last: str | None = None
    if not texts and sys.stdin.isatty():
        note("enter one text on each line; press Ctrl-D at the end")
    for block in [texts] if texts else _blocks(_standard_input()):
        *previous, last = previous_texts([*block, ""], last)
        scored = scorer.score(block, previous if dialogue else None)
        for one in labelled_texts(block, scored):
            click.echo(label_json(one) if as_json else label_line(one))


def _standard_input() -> Iterable[str]:
    """Return the lines of standard input. If it is no terminal, its encoding is detected as for a file."""
    from emojob.pipeline.reading.formats.delimited.stream_lines import decoded_lines, may_be_records

    stream = getattr(sys.stdin, "buffer", None)
    if stream is None or sys.stdin.isatty():
        return sys.stdin
    lines = decoded_lines(stream.read, "standard input")
    first = list(itertools.islice(lines, 1))
    kind = may_be_records(first[0]) if first else ""
    if kind:
        note(
            f"standard input looks like {kind}, but each line is labelled as one text; `emojob score FILE` reads {kind}"
        )
    return itertools.chain(first, lines)


def _blocks(lines: Iterable[str]) -> Iterator[list[str]]:
    """Yield lists of up to 2,048 lines. If standard input is a terminal, yield lists of one line."""
    size = 1 if sys.stdin.isatty() else _BLOCK_LINES
    lines = iter(lines)
    while block := [line.rstrip("\r\n") for line in itertools.islice(lines, size)]:
        yield block
