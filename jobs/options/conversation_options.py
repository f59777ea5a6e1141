"""Defines the options for figures about conversations, for `emojob report` and `emojob sql`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from emojob.schemas.options import CONVERSATION_SCOPES, ConversationOptions
from emojob.schemas.settings import field_types

_OPTIONS = (
    click.option(
        "--conversation-scope", type=click.Choice(CONVERSATION_SCOPES), default="auto",
        show_default=True,
        help="Whether equal conversation IDs in two input files are one conversation: input: no; archive: yes; auto: "
        "if the IDs look globally unique, or the second file continues the conversation of the first.",
    ),
    click.option(
        "--negative", metavar="LABEL", multiple=True,
        help="Label that counts as negative (repeatable). Then all other labels are not negative.  [default: known "
        "names such as 분노, anger]",
    ),
    click.option(
        "--customer-speaker", "customer_speakers", metavar="NAME", multiple=True,
        help="Speaker who is a customer (repeatable). Usual names such as 고객, customer are known.",
    ),
    click.option(
        "--agent-speaker", "agent_speakers", metavar="NAME", multiple=True,
        help="Speaker who is an agent or a bot (repeatable). Usual names such as 상담사, agent are known.",
    ),
)  # fmt: skip


def conversation_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options for figures about conversations to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def take_conversation_options(given: dict[str, Any]) -> ConversationOptions:
    """Return the options for figures about conversations, and remove them from `given`.

    Raises:
        OptionError: A value is wrong.
    """
    return ConversationOptions(**{name: given.pop(name) for name in field_types(ConversationOptions)})
