"""Defines the console that prints tables and lines on standard output."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text


class PipedConsole(Console):
    """A console on standard output. If the output is piped to a program that exits early, the command exits with 0."""

    def __init__(self) -> None:
        super().__init__(highlight=False)

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError  # `main` handles this error

    def print_line(self, text: str, style: str = "") -> None:
        """Print text without line wrapping, so that paths and commands can be copied."""
        self.print(Text(text, style), soft_wrap=True)
