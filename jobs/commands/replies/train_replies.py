"""Defines `emojob train-replies`, which makes the folder of a bot from questions and answers."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from emojob.jobs.options.conversation_options import conversation_options, take_conversation_options
from emojob.jobs.options.every_command import ANY_PATH, SETTINGS, debug_option, language_option
from emojob.jobs.options.input_files import check_archive, check_inputs
from emojob.jobs.options.read_options import read_options
from emojob.pipeline.storage.paths import AnyPath
from emojob.schemas.errors import OptionError
from emojob.schemas.options import DEVICES, ModelOptions

if TYPE_CHECKING:
    from emojob.jobs.terminal.training_progress import TrainingLog
    from emojob.pipeline.output.labelled_archive import LabelledArchive
    from emojob.training.replies.pairs import Pairs
    from emojob.training.replies.run import BotOptions, BotOutcome

_FILE = click.Path(path_type=Path)
_NAMES = {
    "answers": "names of persons may remain in the answers: read {folder}/answers.parquet before you use the bot",
    "gpt2": "names of persons may remain in the answers from which {folder} learned, so a draft may contain them",
}


@click.command(name="train-replies", context_settings=SETTINGS, short_help="Make a bot from questions and answers.")
@click.argument("more_data", metavar="[FILE...]", nargs=-1, type=_FILE)
@click.option("--data", metavar="FILE...", multiple=True, type=_FILE, help="Files with questions and answers.")
@click.option(
    "--from-archive", metavar="OUT", type=ANY_PATH,
    help="Learn from the answers of agents in a labelled archive after which the emotion of the customer got better.",
)  # fmt: skip
@click.option("-o", "--out", metavar="BOT", required=True, type=_FILE, help="Folder of the bot.")
@click.option(
    "--way", type=click.Choice(["answers", "gpt2"]),
    help="answers: the bot chooses an answer. gpt2: a GPT-2 model writes one.  [default: as the base]",
)  # fmt: skip
@click.option(
    "--base", metavar="M",
    help="Model to start from: a folder, or a name on the Hugging Face hub, such as KoBERT for answers, or "
    "skt/kogpt2-base-v2 for gpt2.  [default: the built-in encoder]",
)  # fmt: skip
@click.option("--question-column", metavar="C", help="Column with the questions.")
@click.option("--answer-column", metavar="C", help="Column with the answers.")
@click.option("--category-column", metavar="C", help="Column with the categories.")
@click.option("--epochs", type=click.IntRange(min=1), metavar="N", help="Number of epochs.")
@click.option(
    "--device", type=click.Choice(DEVICES), default=ModelOptions().device, show_default=True,
    help="Device that trains the model.",
)  # fmt: skip
@click.option("--fresh", is_flag=True, help="Train this way of the bot again.")
@click.option("--quiet", is_flag=True, help="Print errors only.")
@language_option("the table of measures")
@read_options
@conversation_options
@debug_option
def train_replies(
    more_data: tuple[Path, ...], data: tuple[Path, ...], from_archive: AnyPath | None, out: Path, way: str | None,
    base: str | None, epochs: int | None, device: str, fresh: bool, quiet: bool, language: str, **given: Any,
) -> None:  # fmt: skip
    """Make a bot for `emojob reply` and `emojob chat` from questions and answers.

    FILE is a file that `emojob score` reads. Known shapes: the wellness script of AI Hub (구분, 유저, 챗봇), Q and A,
    and the emotional dialogue corpus of AI Hub (사람문장1, 시스템문장1). Name the columns of other tables with
    --question-column and --answer-column.

    A second call with the same -o and the other way adds this way to the bot. BOT/replies.toml says which emotion is
    answered in which way and tone.
    """
    from emojob.jobs.terminal.replies.bot_tables import print_bot
    from emojob.jobs.terminal.training_progress import TrainingLog
    from emojob.pipeline.output.derived.bots import learned_from_files
    from emojob.pipeline.output.derived.replacing import check_not_of_archive
    from emojob.training.replies.run import BotOptions
    from emojob.training.replies.run import train_replies as train

    check_not_of_archive("-o", out)
    conversations = take_conversation_options(given)
    options = BotOptions(out, way, base, epochs, device, fresh, source=str(from_archive or ""))
    with TrainingLog(quiet) as log:
        if from_archive is None:
            pairs = _pairs_of_files([*data, *more_data], given, log)
            outcome = train(pairs, options, log.callbacks)
            learned_from_files(out / outcome.way)
        else:
            if data or more_data:
                raise OptionError("--from-archive and --data exclude each other: give one of them")
            outcome = _train_from_archive(from_archive, conversations, options, log)
    if not quiet:
        print_bot(outcome, language)


def _pairs_of_files(files: list[Path], given: dict[str, Any], log: TrainingLog) -> Pairs:
    from emojob.training.replies.pair_columns import PairOptions
    from emojob.training.replies.pairs import read_pairs

    if not files:
        raise OptionError("no data is given: give files with questions and answers with --data FILE...")
    check_inputs(files)
    names = [field.name for field in dataclasses.fields(PairOptions) if field.name in given]
    pairs = read_pairs(files, PairOptions(**{name: given[name] for name in names}))
    for line in (pairs.summary(), *pairs.notes):
        log.callbacks.note(line)
    return pairs


def _train_from_archive(out: AnyPath, conversations: Any, options: BotOptions, log: TrainingLog) -> BotOutcome:
    from emojob.pipeline.output.derived.bots import learning
    from emojob.pipeline.output.labelled_archive import open_labelled
    from emojob.training.replies.run import train_replies, way_of

    check_archive(out)
    archive = open_labelled(out)
    pairs = _pairs_of_archive(archive, conversations, log)
    way = options.way or way_of(options.base)
    with learning(archive, options.out / way, log.callbacks.note):
        outcome = train_replies(pairs, options, log.callbacks)
    note = _NAMES[way].format(folder=options.out / way)
    return dataclasses.replace(outcome, notes=(*outcome.notes, note))


def _pairs_of_archive(archive: LabelledArchive, conversations: Any, log: TrainingLog) -> Pairs:
    from emojob.pipeline.replies.drafts.mining import mine
    from emojob.training.replies.pair_columns import PairColumns
    from emojob.training.replies.pairs import gather

    mined = mine(archive, conversations)
    for line in (mined.counts.summary(), *mined.notes):
        log.callbacks.note(line)
    return gather([PairColumns("archive", list(mined.questions), list(mined.answers), None, mined.emotions)])
