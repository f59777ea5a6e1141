"""Defines the console that prints tables and lines on standard output."""

from __future__ import annotations

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.text import Text

from emojob.jobs.terminal.text import cut_to_width, plain


class PipedConsole(Console):
    """A console on standard output. If the output is piped to a program that exits early, the command exits with 0."""

    def __init__(self) -> None:
        super().__init__(highlight=False)

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError  # `main` handles this error

    def print_line(self, text: str, style: str = "") -> None:
        """Print text without line wrapping, so that paths and commands can be copied."""
        self.print(Text(text, style), soft_wrap=True)


class OneLine:
    """A text in a table cell. It is shortened to the width of its column, never wrapped."""

    def __init__(self, text: str, narrowest: int = 12) -> None:
        """Show `text`, with control characters replaced. The column is at least `narrowest` wide if the text is."""
        self._text, self._narrowest = plain(text), narrowest

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(cut_to_width(self._text, options.max_width), no_wrap=True, end="")

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        width = cell_len(self._text)
        return Measurement(min(width, self._narrowest), width)
