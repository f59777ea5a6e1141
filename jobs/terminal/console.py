"""Defines `note`, which prints a message for the user on standard error."""

from __future__ import annotations

import contextlib

import click

from emojob.jobs.terminal.text import plain


def note(text: str) -> None:
    """Print a message for the user as one line on standard error."""
    with contextlib.suppress(OSError):  # the job continues if standard error is closed
        click.echo(f"emojob: {plain(text)}", err=True)
