"""Defines `emojob forget`, which permanently removes rows from a labelled archive."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from emojob.jobs.options.every_command import ANY_PATH, SETTINGS, date_order_option, debug_option
from emojob.jobs.options.input_files import check_archive
from emojob.jobs.terminal.console import note
from emojob.jobs.terminal.taken_lines import taken_lines
from emojob.jobs.terminal.text import plain
from emojob.pipeline.storage.paths import AnyPath
from emojob.schemas.errors import NO_ROWS, NOT_TAKEN, OptionError
from emojob.schemas.messages import counted

if TYPE_CHECKING:
    from emojob.pipeline.warehouse.forget import Forgotten
    from emojob.pipeline.warehouse.forgetting.examples import Preview

_LARGE_SHARE = 0.5  # from this share of all rows, the user types the number of rows
_LONGEST = 60  # maximum number of characters of a shown value


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
@click.option(
    "--also",
    multiple=True,
    metavar="FILE",
    type=ANY_PATH,
    help="Also delete FILE, for example an annotation sheet; may be repeated.",
)
@date_order_option
@click.option("--dry-run", is_flag=True, help="Show two of the matching rows (masked) and their number, and list the "
              "files to delete; change nothing.")  # fmt: skip
@click.option("--yes", is_flag=True, help="Remove the rows without asking, for scripts.")
@debug_option
def forget(
    out: AnyPath, where: str, memos: tuple[str, ...], also: tuple[AnyPath, ...], date_order: str | None, dry_run: bool,
    yes: bool,
) -> int:  # fmt: skip
    """Permanently remove rows from a labelled archive. If the command fails, no row is removed.

    \b
    Examples:
    emojob forget OUT --where "conversation_id = 'c-1042'"
    emojob forget OUT --where "speaker = '홍길동' AND said_at < DATE '2026-01-01'"

    OUT is the output of `emojob score`. --where selects the rows to remove. The command shows two of the rows, with
    masked personal data, and asks before it removes them. Without a terminal, it needs --yes.

    \b
    The command also:
    - updates the row counts
    - removes the texts of rejected rows, because --where cannot select them
    - deletes the files that emojob made from the rows: memo files, reports, exports, drafts
    - lists the bots that learned from the rows, because they must be made again
    - replaces the names of inputs without remaining rows by a hash
    - recreates the report of the last nightly run

    A file outside OUT is deleted only if it contains the mark of this archive and belongs to you, or if you name it.
    CSV files and annotation sheets cannot contain a mark. The command lists them; name them with --also.

    The command does not change the input files. Remove the rows from the input files yourself. Otherwise, if an input
    file changes, `emojob score` labels the rows again.

    \b
    Exit codes:
    0    The rows are removed.
    2    The condition is wrong, or the answer was no. No row is removed.
    3    The rows are removed, but a file that may show them was not deleted.
    5    No rows match, and no file is left to delete.
    75   Another command uses OUT.
    """
    check_archive(out)
    from emojob.pipeline.nightly.night_report import remake_report
    from emojob.pipeline.warehouse.forget import forget as forget_rows

    confirm = _confirm_nothing if yes else _ask
    found = forget_rows(out, where, memos, dry_run, note, remake_report, also, date_order, confirm)
    return _print_result(found, dry_run)


def _print_result(found: Forgotten, dry_run: bool) -> int:
    """Print what was removed. Return the exit code."""
    _show_examples(found.examples if dry_run else (), err=False)
    click.echo(_result_line(found, dry_run))
    for line in taken_lines(found.taken, dry_run):
        click.echo(f"  {line}")
    if found.rejected:
        texts = f"the texts of {counted(found.rejected, 'rejected row')}, because --where cannot select these rows"
        click.echo(f"  {'to remove' if dry_run else 'removed'}  {texts}")
    if found.rows and not dry_run:
        click.echo("  next     also remove the rows from your input files, and from copies that you made yourself")
    if found.taken.left and not dry_run:
        return NOT_TAKEN
    return 0 if found.rows or (found.taken.removed and not dry_run) else NO_ROWS


def _confirm_nothing(preview: Preview) -> None:
    """Do not ask."""


def _ask(preview: Preview) -> None:
    """Show the first rows, and ask. Raises OptionError if the answer is no, or if nobody can answer."""
    of_all = f"{preview.rows:,} of {counted(preview.all_rows, 'row')}"
    if not sys.stdin.isatty():
        raise OptionError(
            f"{of_all} match, but nobody can confirm this, because standard input is not a terminal: add --yes to "
            "remove them (--dry-run shows them first)"
        )
    _show_examples(preview.examples, err=True)
    share = preview.rows / preview.all_rows
    if share >= _LARGE_SHARE:
        typed = click.prompt(
            f"{of_all} ({_percent(share)}) would be removed permanently. To remove them, type their number",
            default="", show_default=False, err=True,
        )  # fmt: skip
        is_wanted = str(typed).strip().replace(",", "") == str(preview.rows)
    else:
        is_wanted = click.confirm(f"Remove {of_all} ({_percent(share)}) permanently?", err=True)
    if not is_wanted:
        raise OptionError("nothing was removed, because the answer was no; check the condition with --dry-run")


def _percent(share: float) -> str:
    return f"{share:.1%}" if share < 1 else "all"


def _show_examples(examples: Sequence[dict[str, str]], err: bool) -> None:
    from rich.cells import cell_len, set_cell_size

    for number, row in enumerate(examples, 1):
        width = min(max(map(cell_len, row), default=0), 40)
        for name, value in row.items():
            first = f"row {number}" if name == next(iter(row)) else ""
            click.echo(f"  {first:6} {set_cell_size(plain(name), width)}  {plain(value, _LONGEST)}", err=err)


def _result_line(found: Forgotten, dry_run: bool) -> str:
    if not found.rows:
        return f"no rows match; all {found.left:,} rows are still there"
    parts, rows = counted(found.parts, "part"), counted(found.rows, "row")
    if dry_run:
        return f"{rows} in {parts} would be removed, {found.left:,} would be left"
    return f"{rows} in {parts} removed permanently, {found.left:,} {'is' if found.left == 1 else 'are'} left"
