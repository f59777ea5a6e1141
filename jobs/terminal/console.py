"""Prints messages for the user on standard error, and keeps prompts from failing at pasted colour codes."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import click

from emojob.jobs.terminal.text import plain

if TYPE_CHECKING:
    from prompt_toolkit.key_binding import KeyBindings


def note(text: str) -> None:
    """Print a message for the user as one line on standard error."""
    with contextlib.suppress(OSError):  # the job continues if standard error is closed
        click.echo(f"emojob: {plain(text)}", err=True)


def ignore_mouse(keys: KeyBindings) -> KeyBindings:
    """Ignore events of the mouse, and return `keys`. prompt_toolkit takes pasted colour codes for them, and fails."""
    from prompt_toolkit.keys import Keys

    keys.add(Keys.Vt100MouseEvent, eager=True)(lambda event: None)
    return keys
