"""Defines `emojob evaluate`, which measures a model, or compares two models, on annotated data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from emojob.jobs.options.data_options import corpus_options, take_corpus_options, take_data
from emojob.jobs.options.every_command import SETTINGS, force_option, language_option
from emojob.jobs.options.model_options import model_options, take_model_options
from emojob.jobs.options.output_files import STDOUT, check_figure_files
from emojob.jobs.terminal.text import json_line
from emojob.pipeline.models.model_names import check_model_name
from emojob.pipeline.storage.paths import output_errors

_FILE = click.Path(path_type=Path, allow_dash=True)


@click.command(context_settings=SETTINGS, short_help="Measure a model on annotated data; compare two models.")
@corpus_options
@click.option("--against", metavar="M", help="Compare the model with a second model, M (default: the built-in model).")
@click.option(
    "--json",
    "json_file",
    metavar="FILE",
    type=_FILE,
    help="Write all metrics as JSON to FILE. If FILE is -, print JSON instead of tables.",
)
@click.option("--html", "html_file", metavar="FILE", type=_FILE, help="Write an HTML page with charts.")
@click.option(
    "--errors",
    type=click.IntRange(min=0),
    default=5,
    show_default=True,
    metavar="N",
    help="Show N texts that the model gets wrong, the most confident ones first. Personal data is masked.",
)
@language_option("the tables and the HTML page")
@force_option
@model_options
def evaluate(
    against: str | None, json_file: Path | None, html_file: Path | None, errors: int, language: str, force: bool,
    **given: Any,
) -> None:  # fmt: skip
    """Measure a model on annotated data: accuracy, macro-F1, calibration error, log-loss, and F1 of each class.

    With --against, also test whether the difference between the two models is statistically significant. If a model was
    trained on the data, the command prints a warning.
    """
    data, model = take_data(given), take_model_options(given)
    check_model_name(against, "--against")
    corpus = take_corpus_options(given)
    check_figure_files(json_file, html_file, data, None, force)
    from emojob.jobs.terminal.evaluation_tables import evaluation_bar, print_measurement
    from emojob.pipeline.html.page import check_drawable
    from emojob.pipeline.storage.atomic import write_json
    from emojob.training.evaluation.evaluate import measure
    from emojob.training.evaluation.page import write_page
    from emojob.training.evaluation.words import model_shown, words_of

    words = words_of(language)
    if html_file:
        check_drawable()
    with evaluation_bar() as on_progress:
        found = measure(data, corpus, given["label_map"], model, against, on_progress, errors, language)
    if html_file:
        name = model_shown(found.model.name, words)
        other = model_shown(found.against.name, words) if found.against else ""
        with output_errors(html_file):
            write_page(
                html_file, name, found.model.evaluation, None, found.facts(words), found.comparison, other,
                found.warnings, language,
            )  # fmt: skip
    if json_file == STDOUT:
        click.echo(json_line(found.as_json()))
        return
    if json_file:
        with output_errors(json_file):
            write_json(json_file, found.as_json())
    print_measurement(found, [file for file in (json_file, html_file) if file], words)
