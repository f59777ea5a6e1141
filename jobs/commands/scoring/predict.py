"""`emojob predict`: label texts given on the command line or on standard input."""

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
from emojob.jobs.terminal.text import json_line, plain
from emojob.schemas.labels import EMOJI

_LINES = 2048  # of standard input, labelled together


@click.command(context_settings=SETTINGS, short_help="Label texts given here, or on standard input.")
@click.argument("texts", metavar="TEXT...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with all probabilities.")
@click.option(
    "--dialogue", is_flag=True, help="The texts are one conversation, in order: for a model with the context previous."
)
@model_options
def predict(texts: tuple[str, ...], as_json: bool, dialogue: bool, **given: Any) -> None:
    """Label texts, one line of output a text; without TEXT, the lines of standard input.

    Each text stands alone: a model that reads the previous utterance as well gets none, unless --dialogue is given.
    With --precision auto it is fp32, as in stock transformers; `score`, which is for many texts, takes what is fastest.
    """
    options = take_model_options(given)
    if options.precision == "auto":
        options = dataclasses.replace(options, precision="fp32")
    from emojob.pipeline.inference.scorer import Scorer
    from emojob.pipeline.reading.calibration import calibration_texts
    from emojob.pipeline.reading.context import previous_texts

    scorer = Scorer.load(options=options, note=note, calibration_texts=calibration_texts(options.calibration))
    last: str | None = None
    for block in [texts] if texts else _blocks(sys.stdin):
        *previous, last = previous_texts([*block, ""], last)
        scored = scorer.score(block, previous if dialogue else None)
        rows = zip(block, scored.labels, scored.confidences.tolist(), scored.probabilities.tolist(), strict=True)
        for text, label, confidence, probabilities in rows:
            click.echo(
                _json_line(text, label, dict(zip(scored.names, probabilities, strict=True)))
                if as_json
                else _line(text, label, confidence)
            )


def _blocks(lines: Iterable[str]) -> Iterator[list[str]]:
    """Lines without their ends, a block at a time; at a terminal each by itself."""
    size = 1 if sys.stdin.isatty() else _LINES
    lines = iter(lines)
    while block := [line.rstrip("\r\n") for line in itertools.islice(lines, size)]:
        yield block


def _line(text: str, label: str, confidence: float) -> str:
    if not label:
        return "-  (no text)"
    return f"{EMOJI.get(label, '·')} {plain(label)}  {confidence:.3f}  {plain(text)}"


def _json_line(text: str, label: str, probabilities: dict[str, float]) -> str:
    shown = {name: round(value, 6) for name, value in probabilities.items()} if label else None
    confidence = max(shown.values()) if shown else None
    value = {"text": text, "emotion": label or None, "confidence": confidence, "probabilities": shown}
    return json_line(value)
