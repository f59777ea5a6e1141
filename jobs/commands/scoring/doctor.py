"""`emojob doctor`: what this machine offers, and what a run would use."""

from __future__ import annotations

import json
from typing import Any

import click

from emojob.jobs.options.every_command import SETTINGS
from emojob.jobs.options.model_options import model_options, take_model_options


@click.command(context_settings=SETTINGS, short_help="What this machine offers, what a run would use, and why.")
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
@model_options
def doctor(as_json: bool, **given: Any) -> None:
    """Show what this machine offers, which engine and precision a run would use, and why."""
    options = take_model_options(given)
    from emojob.pipeline.inference.doctor import examine
    from emojob.pipeline.reading.calibration import calibration_texts

    calibration_texts(options.calibration)  # fails early if there is no such dataset
    found = examine(options)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from emojob.jobs.terminal.text import plain

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in found.items():
        table.add_row(name.replace("_", " "), Text(plain(str(value))))
    Console(highlight=False).print(table)
