"""Printing to the terminal: notes on standard error, tables and lines on standard output."""

from __future__ import annotations

import contextlib

import click

from emojob.jobs.terminal.text import plain


def note(text: str) -> None:
    """Print a line on standard error that is neither a result nor an error."""
    with contextlib.suppress(OSError):  # a job continues when nobody reads its notes
        click.echo(f"emojob: {plain(text)}", err=True)
