"""`emojob forget`: take rows out of a labelled archive for good."""

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


@click.command(context_settings=SETTINGS, short_help="Remove rows for good, such as a person's.")
@click.argument("out", metavar="OUT", type=ANY_PATH)
@click.option("--where", metavar="CONDITION", required=True, help="In SQL, over the columns of `labelled`.")
@click.option("--memo", "memos", multiple=True, metavar="FILE", help="A memo to remove beside the one OUT names.")
@click.option("--dry-run", is_flag=True, help="Count the rows; remove nothing.")
@debug_option
def forget(out: AnyPath, where: str, memos: tuple[str, ...], dry_run: bool) -> None:
    """Remove rows from OUT, what `emojob score` wrote, for good: all of them or, where something fails, none.

    \b
    emojob forget OUT --where "conversation_id = 'c-1042'"
    emojob forget OUT --where "speaker = '홍길동' AND said_at < DATE '2026-01-01'"

    The counts are brought up to date, the memo is removed, and a nightly job's report is made anew. The inputs are not
    touched: remove the rows there as well, or an input that changes brings them back.
    """
    from emojob.pipeline.nightly.night_report import remake_report
    from emojob.pipeline.warehouse.forget import forget as forget_rows

    found = forget_rows(out, where, memos, dry_run, note, remake_report)
    click.echo(_came_to(found, dry_run))
    if found.rows and not dry_run:
        for memo in found.memos:
            click.echo(f"  removed  {plain(str(memo))}, which tells of texts; the next run begins a new one")
        click.echo("  next     remove the rows from the inputs, and reports, sheets and exports that you made of them")
    if found.rejected:
        rejected = counted(found.rejected, "row")
        click.echo(f"  not searched: {rejected} that could not be read, in rejects.parquet")


def _came_to(found: Forgotten, dry_run: bool) -> str:
    if not found.rows:
        return f"no row is so; all {found.left:,} rows are there"
    parts, rows = counted(found.parts, "part"), counted(found.rows, "row")
    if dry_run:
        return f"{rows} in {parts} would be removed, {found.left:,} would be left"
    return f"{rows} in {parts} removed for good, {found.left:,} are left"
