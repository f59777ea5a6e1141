"""Texts in a terminal: a Hangul syllable takes two columns."""

import io

import pytest
from rich.console import Console
from rich.table import Table

from emojob.jobs.terminal.piped_console import OneLine
from emojob.jobs.terminal.text import cut_to_width


@pytest.mark.parametrize(
    ("width", "shown"),
    [(20, "최대한 빨리"), (11, "최대한 빨리"), (10, "최대한 빨…"), (7, "최대한…"), (6, "최대…"), (1, "…"), (0, "")],
)
def test_a_syllable_is_kept_whole_or_cut(width, shown):
    assert cut_to_width("최대한 빨리", width) == shown


def test_a_long_text_takes_the_rest_of_the_line():
    console = Console(file=io.StringIO(), width=30)
    table = Table(box=None, show_header=False, padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column()
    table.add_row("R00618", OneLine("최대한 빨리 해결해 달라고\n말했는데\x1b 답이 없어요"))
    console.print(table)
    assert console.file.getvalue().rstrip() == " R00618  최대한 빨리 해결해…"
