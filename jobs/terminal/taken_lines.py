"""Formats the list of files that `emojob forget` or `keep_days` deleted, and of those that were not deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emojob.jobs.terminal.text import plain
from emojob.schemas.messages import listed

if TYPE_CHECKING:
    from emojob.pipeline.output.derived.taking import NotTaken, Taken


def taken_lines(taken: Taken, dry_run: bool = False) -> list[str]:
    """Return a line for each file.

    Args:
        taken: The files.
        dry_run: Whether the files would be deleted, but are not.
    """
    lines = [f"{'to delete' if dry_run else 'deleted'}  {plain(file)}" for file in taken.removed]
    lines += [f"remade   {plain(file)}" for file in taken.remade]
    lines += [f"kept     {not_taken_line(one)}" for one in taken.left]
    lines += [f"elsewhere  {plain(one)}: delete this file there" for one in taken.elsewhere]
    if taken.unknown:
        names = plain(listed(taken.unknown))
        lines.append(f"note     emojob did not write and did not search these files in OUT: {names}")
    return lines


def not_taken_line(one: NotTaken) -> str:
    """Return the message about a file that may show removed rows, but was not deleted."""
    if one.instead:
        return f"{plain(one.file)} may show removed rows, because {plain(one.why)}: {plain(one.instead)}"
    return (
        f"{plain(one.file)} may show removed rows, but {plain(one.why)}: check the file, then delete it yourself or "
        f"add {plain(one.option)} to `emojob forget`"
    )
