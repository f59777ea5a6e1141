"""Defines `emojob bench`, which measures the speed of a scoring run on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from emojob.jobs.options.every_command import SETTINGS, force_option
from emojob.jobs.options.model_options import model_options, take_model_options
from emojob.jobs.options.output_files import STDOUT, check_figure_files
from emojob.jobs.terminal.console import note
from emojob.pipeline.storage.paths import output_errors, parse_path
from emojob.schemas.errors import OptionError


@click.command(context_settings=SETTINGS, short_help="Measure the speed of the whole job on this machine.")
@click.option("--input", "source", metavar="FILE", help="Dataset to score.  [default: the built-in sample]")
@click.option("--text-column", metavar="C", help="Text column of the dataset.")
@click.option(
    "--rows", type=int, metavar="N", help="Number of rows to score.  [default: enough for about 6 seconds a round]"
)
@click.option("--compare", is_flag=True, help="Also measure other programs (takes minutes).")
@click.option(
    "--json", "json_file", metavar="FILE", type=click.Path(path_type=Path),
    help="Write the measured values as JSON to FILE. If FILE is -, print JSON instead of tables.",
)  # fmt: skip
@force_option
@model_options
def bench(
    source: str | None, text_column: str | None, rows: int | None, compare: bool, json_file: Path | None, force: bool,
    **given: Any,
) -> None:  # fmt: skip
    """Label some rows, and show the total speed and the time of each stage.

    The job is measured in five rounds. With --compare, each round also measures the other programs, each with its
    fastest batch size. The output shows the median and the spread, and warns if the speed varied.

    `--model kobert-sized` measures a model with random weights. The model has the same size and speed as KoBERT.
    """
    options = take_model_options(given)
    if rows is not None and rows < 1:
        raise OptionError(f"--rows {rows} is too small: give at least 1")
    check_figure_files(json_file, None, [parse_path(source)] if source else (), None, force)
    from emojob.pipeline.benchmark.measure import measure
    from emojob.pipeline.storage.atomic import write_json

    figures = measure(options, source, text_column, rows, compare, note)
    if json_file == STDOUT:
        click.echo(json.dumps(figures, ensure_ascii=False, indent=1))
        return
    if json_file:
        with output_errors(json_file):
            write_json(json_file, figures)
    from emojob.jobs.terminal.machine_tables import print_speed

    print_speed(figures)
