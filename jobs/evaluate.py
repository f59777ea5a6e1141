"""`emojob evaluate`: how good a model is on annotated data, and whether it beats another one."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jobs.corpus import corpus_options, take_corpus_options, take_data
from jobs.options import SETTINGS, model_options, take_model_options
from jobs.terminal import json_line, plain
from schemas.errors import OptionError, StorageError

if TYPE_CHECKING:
    from training.measurement import Measurement

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
    _check_places(json_file, html_file, data)
    from pipeline.atomic import write_json
    from pipeline.page import check_drawable
    from training.measurement import measure
    from training.pages import write_page

    if html_file:
        check_drawable()
    with _progress() as report:
        found = measure(data, corpus, given["label_map"], model, against, report)
    if html_file:
        other = found.against.name if found.against else ""
        with _writing(html_file):
            write_page(
                html_file, found.model.name, found.model.evaluation, None, found.facts(), found.comparison, other
            )
    if json_file == Path("-"):
        click.echo(json_line(found.as_json()))
        return
    if json_file:
        with _writing(json_file):
            write_json(json_file, found.as_json())
    _print(found, [one for one in (json_file, html_file) if one])


def _check_places(json_file: Path | None, html_file: Path | None, data: Sequence[Path]) -> None:
    """Raises OptionError where a file cannot be written, or is the data; before the work rather than behind it."""
    read = {one.resolve() for one in data if one.is_file()}
    for option, place in (("--json", json_file), ("--html", html_file)):
        if place is None or (option == "--json" and place == Path("-")):
            continue
        if place.is_dir() or place == Path("-") or (place.exists() and not place.is_file()):
            raise OptionError(f"{option} {place} is no file: give a file's name, such as figures.{option[2:]}")
        if not place.parent.is_dir():
            raise OptionError(f"{option} {place}: there is no folder {place.parent}; make it, or name another one")
        if place.resolve() in read:
            raise OptionError(f"{option} {place} would replace the data: give a file of its own")
        if not os.access(place.parent, os.W_OK):
            raise OptionError(f"{option} {place}: no right to write into {place.parent}; name another folder")
    if json_file and html_file and json_file.absolute() == html_file.absolute():
        raise OptionError(f"--json and --html both name {json_file}: give each a file of its own")


@contextlib.contextmanager
def _writing(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"cannot write {place}: {error.strerror or error}; make room, give the right to write, or another place"
        ) from error


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

    from jobs.evaluation import PipedConsole, print_evaluation

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
