"""Trains the n-gram model of the crisis rule: `python -m emojob.jobs.commands.models.make_crisis_ngrams DATA FILE`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from emojob.schemas.errors import EmojobError


@click.command()
@click.argument("data", metavar="DATA_FOLDER", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("out", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
def make_crisis_ngrams(data: Path, out: Path) -> None:
    """Train the model that finds texts about suicide or self-harm, and write its n-grams to FILE (TSV).

    DATA_FOLDER has the corpora of the default model. The training takes a few minutes on one processor core.
    """
    from emojob.pipeline.storage.atomic import write_bytes
    from emojob.training.rules.crisis_ngrams import read_ordinary, read_texts, train_crisis_ngrams

    texts, ordinary = read_texts(), read_ordinary(data)
    model = train_crisis_ngrams(texts, ordinary)
    write_bytes(out, model.write().encode())
    click.echo(
        f"{len(model.weights):,} n-grams from {len(texts.crisis):,} crisis texts, {len(texts.harmless):,} harmless "
        f"texts and {len(ordinary):,} texts of corpora"
    )


if __name__ == "__main__":
    try:
        make_crisis_ngrams()
    except EmojobError as error:
        click.echo(f"make_crisis_ngrams: {error}", err=True)
        sys.exit(error.exit_code)
