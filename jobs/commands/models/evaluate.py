"""`emojob evaluate`: how good a model is on annotated data, and whether it beats another one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from emojob.jobs.options.data_options import corpus_options, take_corpus_options, take_data
from emojob.jobs.options.every_command import SETTINGS
from emojob.jobs.options.model_options import model_options, take_model_options
from emojob.jobs.options.output_files import check_places
from emojob.jobs.terminal.text import json_line, plain
from emojob.pipeline.storage.paths import output_errors

if TYPE_CHECKING:
    from emojob.training.evaluation.evaluate import Measurement

_PLACE = click.Path(path_type=Path, allow_dash=True)


@click.command(context_settings=SETTINGS, short_help="How good a model is on annotated data; which of two is better.")
@corpus_options
@click.option("--against", metavar="M", help="Compare with another model on the same texts.")
@click.option(
    "--json", "json_file", metavar="FILE", type=_PLACE, help="Write all figures as JSON; - for standard output, alone."
)
@click.option(
    "--html", "html_file", metavar="FILE", type=_PLACE, help="Write a page with charts, to open in a browser."
)
@model_options
def evaluate(against: str | None, json_file: Path | None, html_file: Path | None, **given: Any) -> None:
    """Measure a model on annotated data: accuracy, macro-F1, calibration error, log-loss, and each class.

    With --against, say whether the difference between two models is more than chance.
    """
    model, corpus, data = take_model_options(given), take_corpus_options(given), take_data(given)
    check_places(json_file, html_file, data)
    from emojob.pipeline.html.page import check_drawable
    from emojob.pipeline.storage.atomic import write_json
    from emojob.training.evaluation.evaluate import measure
    from emojob.training.evaluation.page import write_page

    if html_file:
        check_drawable()
    with _progress() as report:
        found = measure(data, corpus, given["label_map"], model, against, report)
    if html_file:
        other = found.against.name if found.against else ""
        with output_errors(html_file):
            write_page(
                html_file, found.model.name, found.model.evaluation, None, found.facts(), found.comparison, other
            )
    if json_file == Path("-"):
        click.echo(json_line(found.as_json()))
        return
    if json_file:
        with output_errors(json_file):
            write_json(json_file, found.as_json())
    _print(found, [one for one in (json_file, html_file) if one])


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error while texts are scored, where that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("scoring", total=None)
        yield lambda done, texts: bar.update(task, completed=done, total=texts)


def _print(found: Measurement, written: list[Path]) -> None:
    from rich.text import Text

    from emojob.jobs.terminal.evaluation_tables import PipedConsole, print_evaluation

    console = PipedConsole(highlight=False)

    def line(text: str, style: str = "") -> None:
        console.print(Text(text, style), soft_wrap=True)

    line(f"\n  {plain(found.model.name)} on {found.model.evaluation.texts:,} texts", "bold")
    line(f"  {plain(found.data_line)}\n")
    print_evaluation(found.model.evaluation, found.against.evaluation if found.against else None, found.comparison)
    if found.in_words:
        console.print(Text(f"{plain(found.in_words)}\n", "bold"))
    for place in written:
        line(f"  wrote  {plain(str(place))}")
