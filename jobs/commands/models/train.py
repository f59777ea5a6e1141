"""Defines `emojob train`, which fine-tunes a model on annotated utterances."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from emojob.jobs.options.data_options import corpus_options, take_corpus_options, take_data
from emojob.jobs.options.every_command import SETTINGS, debug_option, language_option
from emojob.jobs.options.input_files import check_inputs
from emojob.schemas.options import CONTEXTS, DEVICES, TRACKERS, ModelOptions

_DEFAULT = ModelOptions()


@click.command(context_settings=SETTINGS, short_help="Fine-tune a model on annotated utterances.")
@corpus_options
@click.option("-o", "--out", metavar="DIR", required=True, help="Folder to write the model to.")
@click.option(
    "--recipe",
    default="default",
    show_default=True,
    metavar="NAME",
    help="Training settings: a preset (default, or seed: the settings of SKT's KoBERT notebook), or a .toml file "
    "with the settings that differ from a preset.",
)
@click.option(
    "--epochs", type=click.IntRange(min=1), metavar="N", help="Number of epochs.  [default: the number in --recipe]"
)
@click.option(
    "--lr",
    "--learning-rate",
    "learning_rate",
    type=float,
    metavar="X",
    help="Learning rate, for example 5e-5.  [default: the number in --recipe]",
)
@click.option(
    "--batch-size",
    "batch",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of texts in a training step.  [default: the number in --recipe]",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    metavar="N",
    help="Random seed of new layers, dropout and the order of texts. The split into parts does not change.  "
    "[default: the number in --recipe]",
)
@click.option(
    "--base", metavar="M",
    help="Model to fine-tune: a folder, or a name on the Hugging Face hub. KoBERT and other Korean "
    "BERT, RoBERTa and ELECTRA models work.  [default: the built-in encoder]",
)  # fmt: skip
@click.option(
    "--test", metavar="FILE", multiple=True, type=click.Path(path_type=Path),
    help="Measure the model on FILE instead of a split of the --data files; may be repeated.",
)  # fmt: skip
@click.option(
    "--test-label-map", metavar="NAME|FILE", help="Label map for the --test files.  [default: the map of --label-map]"
)
@click.option(
    "--context", type=click.Choice(CONTEXTS), default="none", show_default=True,
    help="`previous`: the model reads each text with the previous utterance. `none`: only the text.",
)  # fmt: skip
@click.option(
    "--device",
    type=click.Choice(DEVICES),
    default=_DEFAULT.device,
    show_default=True,
    help="Device that trains the model.",
)
@click.option(
    "--report-to",
    type=click.Choice(TRACKERS),
    multiple=True,
    help="Program that shows the training curves; may be repeated.  [default: tensorboard, if it is installed]",
)
@language_option("the table of metrics and training.html")
@click.option("--fresh", is_flag=True, help="Start over: first delete the earlier results in DIR.")
@click.option("--quiet", is_flag=True, help="Print errors only.")
@debug_option
def train(
    out: str,
    recipe: str,
    epochs: int | None,
    learning_rate: float | None,
    batch: int | None,
    seed: int | None,
    quiet: bool,
    context: str,
    test: tuple[Path, ...],
    **given: Any,
) -> int:
    """Fine-tune a model on annotated utterances.

    FILE is a file that `emojob score` reads, with a text column and a label column. The original files of
    AI Hub, KOTE and GoEmotions are also accepted.

    To resume an interrupted run, run the same command again.
    """
    files = take_data(given)
    check_inputs(test)
    corpus = replace(take_corpus_options(given), context=context)
    from emojob.jobs.terminal.training_progress import TrainingLog, print_outcome
    from emojob.pipeline.output.derived.replacing import check_not_of_archive
    from emojob.training.finetune.options import TrainOptions
    from emojob.training.finetune.recipe import read_train_recipe
    from emojob.training.finetune.run import train_model

    check_not_of_archive("-o", Path(out))
    options = TrainOptions(tuple(files), Path(out), test=test, corpus=corpus, **given)
    settings = read_train_recipe(recipe, epochs=epochs, learning_rate=learning_rate, batch=batch, seed=seed)
    with TrainingLog(quiet) as log:
        outcome = train_model(options, settings, log.callbacks)
    if not quiet:
        print_outcome(outcome, options.language)
    return 0
