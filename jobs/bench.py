"""`emojob bench`: how fast the whole job is here, and where its time goes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from jobs.options import SETTINGS, model_options, take_model_options
from schemas.errors import OptionError


@click.command(context_settings=SETTINGS, short_help="How fast the whole job is here, and where its time goes.")
@click.option(
    "--input", "source", metavar="FILE", help="Archive to take the rows from.  [default: made from the sample]"
)
@click.option("--text-column", metavar="C", help="Its column with the dialogue.")
@click.option("--rows", type=int, default=20_000, show_default=True)
@click.option(
    "--json", "json_file", metavar="FILE", help="Write the figures as JSON too; - for standard output, alone."
)
@model_options
def bench(source: str | None, text_column: str | None, rows: int, json_file: str | None, **given: Any) -> None:
    """Score some rows into a temporary folder and show rows/s, tokens/s, padding, repeats, seconds of each stage."""
    options = take_model_options(given)
    if rows < 1:
        raise OptionError(f"--rows {rows} is too small: give at least 1")
    from pipeline.benchmark import measure

    figures = measure(options, source, text_column, rows)
    if json_file:
        text = json.dumps(figures, ensure_ascii=False, indent=1)
        if json_file == "-":
            click.echo(text)
            return
        Path(json_file).write_text(text + "\n", encoding="utf-8")
    _print(figures)


def _print(figures: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from jobs.terminal import plain

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column(justify="right")
    for name, value in figures.items():
        if isinstance(value, dict):
            continue
        shown = (
            f"{value:.1%}" if name.endswith("_share") else f"{value:,}" if isinstance(value, (int, float)) else value
        )
        table.add_row(name.replace("_", " "), Text(plain(shown)))
    for stage, spent in figures["stage_seconds"].items():
        table.add_row(f"  {stage}", f"{spent:.2f} s, busy {figures['stage_busy_share'][stage]:.0%}")
    Console(highlight=False).print(table)
