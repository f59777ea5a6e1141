"""Defines `emojob reply`, which drafts replies for the conversations of a labelled archive."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from emojob.jobs.options.conversation_options import conversation_options, take_conversation_options
from emojob.jobs.options.every_command import ANY_PATH, SETTINGS, date_order_option, debug_option, language_option
from emojob.jobs.options.input_files import check_archive
from emojob.jobs.options.output_files import check_output_file
from emojob.jobs.terminal.replies.draft_progress import DraftLog, print_drafted
from emojob.pipeline.storage.paths import AnyPath

if TYPE_CHECKING:
    from emojob.pipeline.output.labelled_archive import LabelledArchive
    from emojob.pipeline.replies.drafts.job import Drafted, DraftOptions


@click.command(context_settings=SETTINGS, short_help="Draft replies to conversations, for a person to approve.")
@click.argument("out", metavar="OUT", type=ANY_PATH)
@click.option(
    "-o",
    "--output",
    "file",
    metavar="FILE",
    required=True,
    type=click.Path(path_type=Path),
    help="File to write: .csv, .xlsx or .parquet.",
)
@click.option("--bot", metavar="BOT", help="Folder of `emojob train-replies`.  [default: the built-in bot]")
@click.option(
    "--where",
    metavar="SQL",
    help="Draft replies for the conversations with an utterance that matches this SQL condition on the columns of the "
    "view `labelled`.  [default: the conversations to look at]",
)
@click.option(
    "--drafts", type=int, default=1, show_default=True, metavar="K",
    help="Maximum number of drafts for an utterance, from 1 to 9.",
)  # fmt: skip
@click.option("--model", metavar="M", help="Model that scores the emotion of a draft.  [default: the built-in model]")
@click.option("--force", is_flag=True, help="Replace an existing file, even if a person has changed it.")
@click.option(
    "--time-zone", metavar="ZONE", help="Time zone of the column said_at.  [default: the time zone of the archive]"
)
@date_order_option
@language_option("the notes and the messages")
@click.option("--quiet", is_flag=True, help="Print errors only.")
@conversation_options
@debug_option
def reply(
    out: AnyPath, file: Path, bot: str | None, where: str | None, drafts: int, model: str | None, force: bool,
    time_zone: str | None, date_order: str | None, language: str, quiet: bool, **given: Any,
) -> None:  # fmt: skip
    """Draft a reply to the last utterance of the customer, in each conversation to look at.

    OUT is the output of `emojob score`. A person reads the drafts in FILE, corrects them, and fills in the column
    `status`. emojob sends nothing.

    \b
    Examples:
    emojob reply OUT -o drafts.xlsx
    emojob reply OUT -o drafts.csv --where "emotion = '분노' AND confidence > 0.8" --drafts 3

    Personal data is masked. Conversations in which a customer speaks of suicide or self-harm get no draft: hand them
    over to a person.

    If the command was interrupted, run it again: it goes on with the next conversations.
    """
    check_archive(out)
    from emojob.pipeline.output.derived.writing import from_current
    from emojob.pipeline.replies.drafts.choosing import Selection
    from emojob.pipeline.replies.drafts.job import DraftOptions

    selection = Selection(where, take_conversation_options(given), time_zone, date_order)
    options = DraftOptions(file, drafts, selection, language, force)
    with DraftLog(quiet, language) as log:
        opened = _open_bot(bot, model, language, log.callbacks.note)
        drafted = from_current(out, lambda archive: _draft(archive, opened, options, log), log.callbacks.note)
    if not quiet:
        print_drafted(drafted, file, where is not None, language)


def _open_bot(bot: str | None, model: str | None, language: str, note: Callable[[str], None]) -> Any:
    from emojob.pipeline.models.model_names import check_model_name
    from emojob.pipeline.replies.bot_folder import open_bot
    from emojob.schemas.options import ModelOptions

    check_model_name(model)
    options = ModelOptions(model=model, precision="fp32")
    return open_bot(bot, options, language, note)


def _draft(archive: LabelledArchive, bot: Any, options: DraftOptions, log: DraftLog) -> Drafted:
    from emojob.pipeline.replies.drafts.draft_file import XLSX, form_of
    from emojob.pipeline.replies.drafts.job import draft_replies
    from emojob.pipeline.replies.drafts.notes import notes_file

    check_output_file("-o", options.file, "drafts.csv", (), archive, force=True)  # `draft_replies` checks --force
    if form_of(options.file) != XLSX:
        check_output_file("-o", notes_file(options.file), "drafts.csv", (), archive, options.force)
    return draft_replies(archive, bot, options, log.callbacks)
