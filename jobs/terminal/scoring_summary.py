"""Prints the summary of a scoring run, and the plan of a dry run."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from emojob.jobs.terminal.text import cut_to_width, duration, plain
from emojob.pipeline.output.layout import REJECTS_FILE
from emojob.pipeline.output.run_json import how_run
from emojob.pipeline.running.role_summary import roles_of_archive
from emojob.schemas.errors import EmojobError
from emojob.schemas.labels import EMOJI
from emojob.schemas.messages import counted

if TYPE_CHECKING:
    from emojob.pipeline.running.run import Result
    from emojob.schemas.manifest import Counts

_BAR = 24  # length of the longest bar, in characters


def print_summary(result: Result) -> None:
    """Print the speed, the row counts, the emotions, the output path and the next commands."""
    console = Console(highlight=False)
    counts, run = result.counts, result.run
    console.print()
    console.print(_headline(result))
    forgotten = f" + {counts.forgotten:,} forgotten" if counts.forgotten else ""
    console.print(
        f"  {counts.read:,} read = {counts.labelled:,} labelled + {counts.empty:,} empty + {counts.rejected:,} rejected"
        f"{forgotten}"
    )
    if counts.null_markers or counts.placeholders:
        console.print(f"  {_markers(counts)}")
    if counts.truncated:
        console.print(f"  {counts.truncated:,} labelled texts truncated to --max-length {run['model']['max_length']}")
    if counts.labelled:
        console.print()
        console.print(_emotions(counts.emotions, counts.labelled))
        if _has_label_sets(run):
            console.print("  a text can carry several labels or none, so the shares need not add up to 100%")
        console.print(f"  median confidence {counts.median_confidence:.2f}")
    console.print()
    _print_output(console, result)


def print_plan(plan: dict[str, Any]) -> None:
    """Print the plan of --dry-run, one value per line."""
    console = Console(highlight=False)
    for name, value in plan.items():
        shown = f"{value:,}" if isinstance(value, int) else plain(str(value))
        if name == "seconds_about":
            name, shown = "time_about", duration(value)
        console.print(Text(f"  {name.replace('_', ' ')}: {shown}"))


def _markers(counts: Counts) -> str:
    """Return a line about the rows without text that have a null marker or a placeholder."""
    found = []
    if counts.null_markers:
        found.append(f"{counted(counts.null_markers, 'null marker')} (such as NULL)")
    if counts.placeholders:
        found.append(
            f"{counted(counts.placeholders, 'placeholder')} of messengers (such as 사진; --no-placeholders labels them)"
        )
    return f"empty includes {' and '.join(found)}"


def _headline(result: Result) -> Text:
    run, engine = result.run, result.run["engine"]
    if not result.counts.read:
        return Text("  Nothing to label: the input has no rows", "bold")
    if not result.rows_done:
        return Text(
            f"  Already complete: earlier runs processed all {result.counts.read:,} rows; no row is labelled again",
            "bold",
        )
    rate = result.rows_done / max(result.seconds, 1e-9)
    before = f" ({result.rows_before:,} were complete before)" if result.rows_before else ""
    return Text.assemble(
        (f"  {result.rows_done:,} rows in {duration(result.seconds)}", "bold"),
        f"{before}, {rate:,.0f} rows/s with {how_run(engine)}, {run['this_run']['memo_share']:.0%} repeats",
    )


def _emotions(emotions: dict[str, int], labelled: int) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 1), pad_edge=True)
    table.add_column()
    table.add_column(min_width=6)
    table.add_column(justify="right")
    table.add_column(justify="right")
    table.add_column()
    most = max(emotions.values(), default=0) or 1
    for emotion, rows in sorted(emotions.items(), key=lambda one: -one[1]):
        bar = "█" * round(_BAR * rows / most) or "▏"
        table.add_row(
            f" {EMOJI.get(emotion, '·')}",
            Text(cut_to_width(plain(emotion), 24)),
            f"{rows:,}",
            f"{rows / labelled:.1%}",
            Text(bar, "cyan"),
        )
    return table


def _print_output(console: Console, result: Result) -> None:
    """Print the output path and the next commands. The lines are not wrapped, so that a user can copy them."""

    def line(text: str, style: str = "") -> None:
        console.print(Text(text, style), soft_wrap=True)

    with contextlib.suppress(EmojobError, OSError):  # the rows are labelled, so an unreadable archive is no error here
        roles = roles_of_archive(result.out)
        line(f"  columns  {plain(roles.line)}")
        if roles.time_note:
            line(f"  times    {plain(roles.time_note)}", "yellow")
    line(f"  output   {plain(str(result.out))}")
    if result.counts.rejected and result.out.is_dir():
        line(f"  rejects  {plain(str(result.out / REJECTS_FILE))}", "yellow")
    out = plain(shlex.quote(str(result.out)))
    line(f"  next     {_program('emojob')} report {out}")
    line(f"           {_program('emojob')} sql {out} {_count_query(result.run)}")


def _has_label_sets(run: dict[str, Any]) -> bool:
    """Return whether a row can carry several labels. `run` is the content of run.json."""
    return "thresholds" in run["model"]


def _count_query(run: dict[str, Any]) -> str:
    """Return an SQL query that counts the rows of each emotion. The query is quoted for the shell."""
    name = f"{run['prefix']}emotion{'s' if _has_label_sets(run) else ''}"
    name = name if name.isidentifier() else '"' + name.replace('"', '""') + '"'
    query = f"SELECT {name}, count(*) FROM labelled GROUP BY ALL"  # noqa: S608 - for the user to run
    if _has_label_sets(run):
        query = f"SELECT emotion, count(*) FROM (SELECT unnest({name}) AS emotion FROM labelled) GROUP BY ALL"  # noqa: S608
    return plain(shlex.quote(query) if set(query) & set('"$`\\!') else f'"{query}"')


def _program(name: str) -> str:
    """Return the command that starts a program: the name if the program is on PATH, otherwise the path of its file."""
    here = Path(sys.executable).parent / name
    found = shutil.which(name)
    if found and Path(found).parent == here.parent:
        return name
    return shlex.quote(str(here.relative_to(Path.cwd()) if here.is_relative_to(Path.cwd()) else here))
