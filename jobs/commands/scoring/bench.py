"""`emojob bench`: how fast the whole job is here, and where its time goes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from emojob.jobs.options.every_command import SETTINGS
from emojob.jobs.options.model_options import model_options, take_model_options
from emojob.jobs.options.output_files import check_places
from emojob.pipeline.storage.paths import output_errors
from emojob.schemas.errors import OptionError


@click.command(context_settings=SETTINGS, short_help="How fast the whole job is here, and where its time goes.")
@click.option(
    "--input", "source", metavar="FILE", help="Archive to take the rows from.  [default: made from the sample]"
)
@click.option("--text-column", metavar="C", help="Its column with the dialogue.")
@click.option("--rows", type=int, metavar="N", help="Rows to score.  [default: some seconds' worth]")
@click.option("--compare", is_flag=True, help="Measure other ways to label the same rows as well; takes minutes.")
@click.option(
    "--json", "json_file", metavar="FILE", type=click.Path(path_type=Path),
    help="Write the figures as JSON too; - for standard output, alone.",
)  # fmt: skip
@model_options
def bench(
    source: str | None, text_column: str | None, rows: int | None, compare: bool, json_file: Path | None, **given: Any
) -> None:
    """Score some rows into a temporary folder and show how fast the job is and where its time goes.

    `--model kobert-sized` takes a model of KoBERT's size with random weights: speed does not depend on what they are.
    """
    options = take_model_options(given)
    if rows is not None and rows < 1:
        raise OptionError(f"--rows {rows} is too small: give at least 1")
    check_places(json_file, None, ())
    from emojob.jobs.terminal.console import note
    from emojob.pipeline.benchmark.measure import measure
    from emojob.pipeline.storage.atomic import write_json

    figures = measure(options, source, text_column, rows, compare, note)
    if json_file == Path("-"):
        click.echo(json.dumps(figures, ensure_ascii=False, indent=1))
        return
    if json_file:
        with output_errors(json_file):
            write_json(json_file, figures)
    print_figures(figures)


def print_figures(figures: dict[str, Any]) -> None:
    """Print what `pipeline.benchmark.measure.measure` found."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from emojob.jobs.terminal.text import plain

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column(style="dim")
    for name, value, beside in _lines(figures):
        table.add_row(name, Text(plain(value)), beside)
    console = Console(highlight=False)
    console.print()
    console.print(table)
    if "peers" in figures:
        console.print()
        console.print(_peers(figures))


def _lines(f: dict[str, Any]) -> list[tuple[str, str, str]]:
    """What is shown of the figures: name, value, what there is to say beside it."""
    stages = [
        (f"  {stage}", f"{spent:.2f} s", f"busy {f['stage_busy_share'][stage]:.0%}")
        for stage, spent in f["stage_seconds"].items()
    ]
    return [
        ("model", f["model"], ""),
        ("engine", f["engine"], f"{f['batch_tokens']:,} tokens a batch"),
        ("rows", f"{f['rows']:,}", f"{f['mean_tokens']} tokens a row"),
        ("padding", f"{f['padding_share']:.1%}", "of the tokens"),
        ("repeats", f"{f['memo_share']:.1%}", f"of the rows; {f['memo_share_of_tokens']:.1%} of the tokens"),
        ("whole job", f"{f['rows_per_second']:,.0f} rows/s", f"{f['tokens_per_second']:,.0f} tokens/s"),
        *stages,
        (
            "engine alone",
            f"{f['engine_tokens_per_second']:,.0f} tokens/s",
            f"the whole job reaches {f['job_share_of_engine']:.0%}",
        ),
        (
            "matrix products alone",
            f"{f['matrix_flops_per_second'] / 1e12:,.2f} TFLOP/s",
            f"in {f['matrix_precision']}; the engine reaches {f['engine_share_of_matrix_products']:.0%}, "
            f"the job {f['job_share_of_matrix_products']:.0%}",
        ),
        (
            "start",
            f"{f['load_seconds']:.1f} s",
            f"to load the model; {f['first_batch_seconds']:.2f} s for a first text",
        ),
        ("memory", f"{f['peak_memory_bytes'] / 1e6:,.0f} MB", "at its peak"),
    ]


def _peers(figures: dict[str, Any]) -> Any:
    from rich.table import Table

    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("the same rows, in this run")
    for title in ("rows", "rows/s", "emojob is"):
        table.add_column(title, justify="right")
    table.add_row("emojob, archive to archive", f"{figures['rows']:,}", f"{figures['rows_per_second']:,.1f}", "")
    for name, one in figures["peers"].items():
        table.add_row(name, f"{one['rows']:,}", f"{one['rows_per_second']:,.1f}", f"{one['times']:.1f} x")
    return table
