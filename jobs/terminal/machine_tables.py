"""Prints the tables of `emojob doctor` (hardware) and `emojob bench` (speed)."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from emojob.jobs.terminal.text import plain


def print_machine(facts: dict[str, Any]) -> None:
    """Print the result of `pipeline.inference.doctor.examine` as a table."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name.replace("_", " "), Text(plain(str(value))))
    Console(highlight=False).print(table)


def print_speed(figures: dict[str, Any]) -> None:
    """Print the result of `pipeline.benchmark.measure.measure` as tables."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column(style="dim")
    for name, value, remark in _rows(figures):
        table.add_row(name, Text(plain(value)), remark)
    console = Console(highlight=False)
    console.print()
    console.print(table)
    if "peers" in figures:
        console.print()
        console.print(_baselines(figures))
    for warning in figures["warnings"]:
        console.print(Text(f"warning: {plain(warning)}", "bold"))


def _rows(f: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return (name, value, remark) for each row of the speed table."""
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
        (
            "whole job",
            f"{f['rows_per_second']:,.0f} rows/s",
            f"{f['tokens_per_second']:,.0f} tokens/s; median of {len(f['rounds'])} rounds, {min(f['rounds']):,.0f} to "
            f"{max(f['rounds']):,.0f} rows/s",
        ),
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
            f"to load the model; {f['first_batch_seconds']:.2f} s for the first text",
        ),
        ("memory", f"{f['peak_memory_bytes'] / 1e6:,.0f} MB", "at the peak"),
    ]


def _baselines(figures: dict[str, Any]) -> Table:
    """Return a table that compares the speed of emojob and of other programs."""
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column(f"in turns, {len(figures['rounds'])} rounds", overflow="fold")
    for title in ("batch", "rows/s", "lowest to highest", "speed-up"):
        table.add_column(title, justify="right")
    rounds = figures["rounds"]
    ours = f"{min(rounds):,.1f} to {max(rounds):,.1f}"
    table.add_row("emojob, file to file", "", f"{figures['rows_per_second']:,.1f}", ours, "")
    for name, one in figures["peers"].items():
        table.add_row(
            name,
            f"{one['batch']:,}",
            f"{one['rows_per_second']:,.1f}",
            f"{one['lowest']:,.1f} to {one['highest']:,.1f}",
            f"{one['times']:.1f} x ({one['times_lowest']:.1f} to {one['times_highest']:.1f})",
        )
    return table
