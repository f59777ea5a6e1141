"""Prints the result of a query as a table."""

from __future__ import annotations

import datetime
import itertools
from typing import TYPE_CHECKING, Any

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from emojob.jobs.terminal.text import plain
from emojob.schemas.messages import counted

if TYPE_CHECKING:
    from emojob.pipeline.warehouse.query import QueryResult

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
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for name, number in zip(result.schema.names, numbers, strict=True):
        table.add_column(Text(plain(name)), justify="right" if number else "left", overflow="fold")
    rows = itertools.chain.from_iterable(_rows(batch) for batch in result.batches)
    shown = 0
    for row in itertools.islice(rows, _MOST_ROWS):
        table.add_row(*(Text(cell) for cell in row))
        shown += 1
    more = sum(1 for _ in rows)
    console = Console(highlight=False)
    console = console if console.is_terminal else Console(highlight=False, width=_PIPE_WIDTH)
    console.print(table)
    click.echo(f"{counted(shown + more, 'row')}"
               + (f"; only {shown:,} are shown; --format csv prints all rows" if more else ""))  # fmt: skip


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
