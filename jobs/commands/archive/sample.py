"""Defines `emojob sample`, which chooses utterances of a labelled archive for annotation."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from emojob.jobs.options.every_command import SETTINGS, debug_option
from emojob.jobs.terminal.text import plain
from emojob.schemas.messages import counted

if TYPE_CHECKING:
    from emojob.pipeline.active_learning.selection import Selection


@click.command(context_settings=SETTINGS, short_help="Write uncertain utterances to an annotation sheet.")
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--uncertain",
    type=int,
    metavar="N",
    required=True,
    help="Number of utterances to choose.",
)
@click.option(
    "-o",
    "--sheet",
    "file",
    metavar="FILE.csv",
    type=click.Path(path_type=Path),
    required=True,
    help="Annotation sheet to write (CSV).",
)
@click.option("--force", is_flag=True, help="Replace an existing FILE.csv.")
@click.option("--mask-pii/--no-mask-pii", default=True, show_default=True, help="Mask personal data in FILE.csv.")
@debug_option
def sample(out: Path, uncertain: int, file: Path, force: bool, mask_pii: bool) -> None:
    """Choose the N utterances with the most uncertain labels, and write an annotation sheet (a CSV file).

    OUT is the output of `emojob score`. Open the annotation sheet in Excel, and fill in the column `label`. Then give
    the file to `emojob train`.

    A label is uncertain if the two highest probabilities are nearly equal. From a group of similar texts, only one text
    is chosen. Texts with fewer than 2 letters or more than 1,000 characters are not chosen.
    """
    from emojob.pipeline.active_learning.selection import choose
    from emojob.pipeline.active_learning.sheet import check_path, write_sheet
    from emojob.pipeline.output.labelled_archive import open_labelled
    from emojob.pipeline.storage.permissions import limit_permissions

    check_path(file, force)
    archive = open_labelled(out)
    chosen = choose(archive, uncertain, mask_pii)
    with limit_permissions(part_file.file for part_file in archive.part_files):
        write_sheet(file, chosen.utterances, force)
    click.echo(_result_line(chosen, uncertain, file))
    click.echo(
        f"Fill in the column `label` ({plain(', '.join(archive.labels))}). Then train on your data and this file:"
    )
    click.echo(f"  emojob train --data ANNOTATED.csv --data {plain(shlex.quote(str(file)))} -o DIR")


def _result_line(chosen: Selection, wanted: int, file: Path) -> str:
    count = len(chosen.utterances)
    fewer = f" ({wanted:,} were requested, but there are no more)" if count < wanted else ""
    left_out = (
        f"; {chosen.left_out:,} of these rows were left out (text too short or too long)" if chosen.left_out else ""
    )
    return (
        f"{counted(count, 'utterance')}{fewer} in {plain(str(file))}, out of {chosen.texts:,} distinct texts "
        f"in {chosen.rows:,} labelled rows{left_out}"
    )
