"""Defines `emojob forget`, which permanently removes rows from a labelled archive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from emojob.jobs.options.every_command import ANY_PATH, SETTINGS, debug_option
from emojob.jobs.terminal.console import note
from emojob.jobs.terminal.text import plain
from emojob.pipeline.storage.paths import AnyPath
from emojob.schemas.messages import counted

if TYPE_CHECKING:
    from emojob.pipeline.warehouse.forget import Forgotten


@click.command(context_settings=SETTINGS, short_help="Permanently remove rows, for example all rows of one person.")
@click.argument("out", metavar="OUT", type=ANY_PATH)
@click.option(
    "--where",
    metavar="CONDITION",
    required=True,
    help="Remove the rows that match this SQL condition on the columns of the view `labelled`.",
)
@click.option(
    "--memo",
    "memos",
    multiple=True,
    metavar="FILE",
    help="Also delete FILE, a memo file (cached probabilities) of `emojob score --memo`; may be repeated.",
)
@click.option("--dry-run", is_flag=True, help="Count the matching rows; remove nothing.")
@debug_option
def forget(out: AnyPath, where: str, memos: tuple[str, ...], dry_run: bool) -> None:
    """Permanently remove rows from a labelled archive. If the command fails, no row is removed.

    \b
    Examples:
    emojob forget OUT --where "conversation_id = 'c-1042'"
    emojob forget OUT --where "speaker = '홍길동' AND said_at < DATE '2026-01-01'"

    OUT is the output of `emojob score`. --where selects the rows to remove.

    \b
    The command also:
    - updates the row counts
    - recreates the report of the last nightly run
    - deletes the memo file of the run (cached probabilities of repeated texts)

    The command does not change the input files. Remove the rows from the input files yourself. Otherwise, if an input
    file changes, `emojob score` labels the rows again.
    """
    from emojob.pipeline.nightly.night_report import remake_report
    from emojob.pipeline.warehouse.forget import forget as forget_rows

    found = forget_rows(out, where, memos, dry_run, note, remake_report)
    click.echo(_result_line(found, dry_run))
    if found.rows and not dry_run:
        for memo in found.memos:
            click.echo(f"  removed  {plain(str(memo))} (cached probabilities); the next run creates this file again")
        click.echo("  next     also remove the rows from your input files, reports, annotation sheets and exports")
    if found.rejected:
        rejected = counted(found.rejected, "row")
        click.echo(
            f"  note     emojob did not search rejects.parquet ({rejected}): check the rows in this file yourself"
        )


def _result_line(found: Forgotten, dry_run: bool) -> str:
    if not found.rows:
        return f"no rows match; all {found.left:,} rows are still there"
    parts, rows = counted(found.parts, "part"), counted(found.rows, "row")
    if dry_run:
        return f"{rows} in {parts} would be removed, {found.left:,} would be left"
    return f"{rows} in {parts} removed permanently, {found.left:,} are left"
