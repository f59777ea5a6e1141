"""Prints the result of a query as a table."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from emojob.jobs.terminal.text import cut_to_width, plain
from emojob.schemas.messages import counted

if TYPE_CHECKING:
    from emojob.pipeline.warehouse.query import QueryResult

_MOST_ON_END = 20  # maximum number of printed rows if each row is a list
_NARROWEST = 12  # a column may be folded to this width
_MOST_ROWS = 1000  # maximum number of printed rows
_LONGEST_CELL = 200  # maximum number of characters in a cell
_PIPE_WIDTH = 100_000  # line width in a pipe, in characters; large, so that no row is wrapped


def print_table(result: QueryResult) -> None:
    """Print up to 1,000 rows, and the total number of rows."""
    from emojob.pipeline.warehouse.queries.errors import result_errors

    with result_errors("table"):
        _print_table(result)


def _print_table(result: QueryResult) -> None:
    import pyarrow as pa

    numbers = [pa.types.is_integer(one) or pa.types.is_floating(one) or pa.types.is_decimal(one)
               for one in result.schema.types]  # fmt: skip
    names = list(map(plain, result.schema.names))
    rows = itertools.chain.from_iterable(_rows(batch) for batch in result.batches)
    shown = list(itertools.islice(rows, _MOST_ROWS))
    console = Console(highlight=False)
    console = console if console.is_terminal else Console(highlight=False, width=_PIPE_WIDTH)
    if _fits(names, shown, console.width):
        table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
        for name, number in zip(names, numbers, strict=True):
            table.add_column(Text(name), justify="right" if number else "left", overflow="fold")
        for row in shown:
            table.add_row(*(Text(cell) for cell in row))
        console.print(table)
        more = sum(1 for _ in rows)
    else:
        more = max(0, len(shown) - _MOST_ON_END) + sum(1 for _ in rows)
        shown = shown[:_MOST_ON_END]
        _print_on_end(console, names, shown)
    click.echo(f"{counted(len(shown) + more, 'row')}"
               + (f"; only {len(shown):,} are shown; --format csv prints all rows" if more else ""))  # fmt: skip


def _fits(names: list[str], rows: list[list[str]], width: int) -> bool:
    """Return whether a table with folded cells is readable in a line of `width` characters."""
    widths = [min(_NARROWEST, max([cell_len(name), *map(cell_len, cells)])) for name, cells in _columns(names, rows)]
    return sum(widths) + 2 * len(widths) <= width


def _columns(names: list[str], rows: list[list[str]]) -> Iterable[tuple[str, tuple[str, ...]]]:
    return zip(names, zip(*rows, strict=True) if rows else [()] * len(names), strict=True)


def _print_on_end(console: Console, names: list[str], rows: list[list[str]]) -> None:
    """Print each row as a list with one line for each column, as psql's expanded view does. Long values are cut."""
    widest = min(max(map(cell_len, names)), max(console.width // 2, 1))
    for number, row in enumerate(rows, 1):
        console.print(Text(f"─ row {number} ".ljust(min(console.width, 60), "─"), "bold"), no_wrap=True)
        for name, cell in zip(names, row, strict=True):
            line = f"{_padded(name, widest)}  {cell}"
            console.print(Text(cut_to_width(line, console.width)), no_wrap=True)


def _padded(name: str, width: int) -> str:
    shown = cut_to_width(name, width)
    return shown + " " * (width - cell_len(shown))


def _rows(batch: Any) -> list[list[str]]:
    from emojob.pipeline.warehouse.queries.values import values_of

    columns = [list(map(_cell, values_of(column))) for column in batch.columns]
    return [list(row) for row in zip(*columns, strict=True)]


def _cell(value: Any) -> str:
    from emojob.pipeline.warehouse.queries.values import json_text, plain_value

    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e6 else f"{value:,.0f}"
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ")
    if isinstance(value, (dict, list)):
        return plain(json_text(value), _LONGEST_CELL)
    return plain(str(plain_value(value)), _LONGEST_CELL)
