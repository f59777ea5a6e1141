"""Defines `emojob chat`, which talks with the bot on the command line."""

from __future__ import annotations

import contextlib
from typing import Any

import click

from emojob.jobs.options.every_command import SETTINGS, debug_option, language_option
from emojob.jobs.terminal.console import note


@click.command(context_settings=SETTINGS, short_help="Talk with the bot.")
@click.option("--bot", metavar="BOT", help="Folder of `emojob train-replies`.  [default: the built-in answer book]")
@click.option(
    "--model", metavar="M",
    help="Model that finds the emotion of a text: a folder, or a name on the Hugging Face hub.  "
    "[default: the built-in model]",
)  # fmt: skip
@click.option(
    "--json", "as_json", is_flag=True, help="Print exactly one JSON line for each input line, and no greeting."
)
@language_option("what the bot says about itself")
@debug_option
def chat(bot: str | None, model: str | None, as_json: bool, language: str) -> None:
    """Talk with the bot: it shows the emotion of what you write, and replies.

    The bot chooses an answer of its answer book, or writes one if it has a GPT-2 model. It is a program and can be
    wrong. Nothing is stored or sent.

    \b
    /why   shows the questions of the answer book that are nearest to your last text
    /new   starts a new conversation: the bot forgets your earlier texts
    /quit  leaves the chat (or Ctrl-D)

    To a text that speaks of suicide or self-harm, and to a negative or short text soon after it, the bot replies with
    the Korean crisis line 109. A terminal shows the line until the conversation ends.

    Without a terminal, each line of standard input is a text of one conversation. The emotion and the reply are two
    lines. With --json, the commands are ordinary texts.
    """
    from emojob.jobs.terminal.replies import chat_screen
    from emojob.pipeline.replies.bot_folder import open_bot
    from emojob.pipeline.replies.chat import ChatSession

    talks = chat_screen.is_interactive() and not as_json
    with chat_screen.loading(language) if talks else contextlib.nullcontext():
        session = ChatSession(open_bot(bot, _options(model), language, note))
    for line in session.bot.unknown_emotions():
        note(line)
    if as_json:
        chat_screen.print_json(session)
    elif talks:
        chat_screen.run(session)
    else:
        chat_screen.print_replies(session)


def _options(model: str | None) -> Any:
    from emojob.pipeline.models.model_names import check_model_name
    from emojob.schemas.options import ModelOptions

    check_model_name(model)
    return ModelOptions(model=model, precision="fp32")
