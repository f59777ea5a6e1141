"""Defines `emojob sample`, which chooses utterances of a labelled archive for annotation."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from emojob.jobs.options.every_command import SETTINGS, debug_option
from emojob.jobs.options.output_files import check_output_file
from emojob.jobs.terminal.console import note
from emojob.jobs.terminal.text import plain
from emojob.schemas.errors import OptionError
from emojob.schemas.messages import counted, first_of

if TYPE_CHECKING:
    from emojob.pipeline.active_learning.random_sample import RandomSample
    from emojob.pipeline.active_learning.selection import Selection
    from emojob.pipeline.output.labelled_archive import LabelledArchive


@click.command(context_settings=SETTINGS, short_help="Write utterances to an annotation sheet.")
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--uncertain", type=int, metavar="N", help="Choose the N utterances with the most uncertain labels.")
@click.option("--random", "at_random", type=int, metavar="N", help="Draw N rows at random, to measure a model on.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the random order for --random.")
@click.option(
    "-o",
    "--sheet",
    "file",
    metavar="FILE.csv",
    type=click.Path(path_type=Path),
    required=True,
    help="Annotation sheet to write (CSV).",
)
@click.option(
    "--leave-out",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Do not choose texts of this annotated file (repeatable). The annotation sheets in the folder of FILE.csv are "
    "always left out.",
)
@click.option("--again", is_flag=True, help="Also choose texts of the annotation sheets in the folder of FILE.csv.")
@click.option("--force", is_flag=True, help="Replace an existing FILE.csv.")
@click.option("--mask-pii/--no-mask-pii", default=True, show_default=True, help="Mask personal data in FILE.csv.")
@debug_option
def sample(
    out: Path, uncertain: int | None, at_random: int | None, seed: int, file: Path, leave_out: tuple[Path, ...],
    again: bool, force: bool, mask_pii: bool,
) -> None:  # fmt: skip
    """Choose utterances, and write an annotation sheet (a CSV file).

    OUT is the output of `emojob score`. Open the annotation sheet in Excel, and fill in the column `label`.

    --uncertain N chooses utterances to train on. A label is uncertain if the two highest probabilities are nearly
    equal. From a group of similar texts, only one text is chosen. Texts with fewer than 2 letters or more than 1,000
    characters are not chosen. Give the file to `emojob train`.

    --random N draws rows to measure a model on. Each labelled row has the same chance. The sheet does not show the
    labels of the model. Give the file to `emojob evaluate`.
    """
    from emojob.pipeline.active_learning.random_sample import draw
    from emojob.pipeline.active_learning.selection import choose
    from emojob.pipeline.active_learning.sheet import check_path, write_sheet
    from emojob.pipeline.output.derived.records import SHEET
    from emojob.pipeline.output.derived.writing import DerivedFile, from_current
    from emojob.pipeline.storage.permissions import limit_permissions
    from emojob.training.data.earlier_sheets import sheets_in, texts_of

    if (uncertain is None) == (at_random is None):
        raise OptionError("give either --uncertain N (utterances to train on) or --random N (rows to measure on)")
    check_path(file, force)
    sheets = [] if again else sheets_in(file.parent)
    known = texts_of([*sheets, *leave_out], note)

    def make(archive: LabelledArchive) -> tuple[str, tuple[str, ...]]:
        check_output_file("-o", file, "sheet.csv", leave_out, archive, force=True)  # check_path has checked --force
        with limit_permissions(part_file.file for part_file in archive.part_files):
            if at_random is not None:
                drawn = draw(archive, at_random, seed, mask_pii, known)
                guard = DerivedFile(archive, file, SHEET, note).committing
                write_sheet(file, drawn.utterances, force, f"random, seed {seed}", drawn.weight, guard)
                return _random_line(drawn, at_random, file), archive.labels
            chosen = choose(archive, uncertain or 0, mask_pii, known)
            guard = DerivedFile(archive, file, SHEET, note).committing
            write_sheet(file, chosen.utterances, force, guard=guard)
            return _result_line(chosen, uncertain or 0, file), archive.labels

    line, labels = from_current(out, make, note)
    click.echo(line)
    if sheets:
        click.echo(
            f"Left out: the texts of {plain(first_of([one.name for one in sheets], 'more annotation sheets'))} in the "
            "same folder (--again chooses from all texts)"
        )
    _print_next_step(labels, file, at_random is not None)


def _print_next_step(labels: tuple[str, ...], file: Path, at_random: bool) -> None:
    name = plain(shlex.quote(str(file)))
    if at_random:
        click.echo(f"Fill in the column `label` ({plain(', '.join(labels))}). Do not train on this file. Then measure:")
        click.echo(f"  emojob evaluate --model MODEL --data {name}")
        return
    click.echo(f"Fill in the column `label` ({plain(', '.join(labels))}). Then train on your data and this file:")
    click.echo(f"  emojob train --data ANNOTATED.csv --data {name} -o DIR")


def _random_line(drawn: RandomSample, wanted: int, file: Path) -> str:
    count = len(drawn.utterances)
    fewer = f" ({wanted:,} were requested, but there are no more)" if count < wanted else ""
    return (
        f"{counted(count, 'row')}{fewer} in {plain(str(file))}, drawn at random from {drawn.rows:,} labelled rows; "
        f"each stands for {drawn.weight:,.1f} rows"
    )


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
