"""Makes the sortable tables of a report page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from emojob.pipeline.report.figures import Rows
from emojob.pipeline.report.group_sizes import group_size
from emojob.pipeline.statistics.shares import share_interval


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        shown: Text of the cell.
        key: Value to sort by: a number or a text.
    """

    shown: str
    key: str | float = ""

    @property
    def is_number(self) -> bool:
        """Return whether the cell contains a number. The page aligns numbers to the right."""
        return not isinstance(self.key, str)


@dataclass(frozen=True)
class Table:
    """A sortable table.

    Attributes:
        name: Name of the CSV file to download, without .csv.
        head: Column titles.
        rows: Cells of each row.
    """

    name: str
    head: list[str]
    rows: list[list[Cell]]


@dataclass(frozen=True)
class TableView:
    """One table of a figure. If a figure has several tables, the reader of the page selects a table by `label`.

    Attributes:
        label: Text for the selection.
        table: The table.
        most: Largest value of the colour scale, as shown on the page. If "", the page shows no colour scale.
    """

    label: str
    table: Table
    most: str = ""


@dataclass(frozen=True)
class LegendEntry:
    """The colour of an emotion.

    Attributes:
        label: The label, as shown on the page.
        colour: Number of the colour in report.css.
        dash: Dashes of the line (SVG attribute `stroke-dasharray`). If "", the legend shows a square.
    """

    label: str
    colour: int
    dash: str = ""


@dataclass(frozen=True)
class Figure:
    """A figure of the page: one or more tables, each with a chart.

    Attributes:
        id: HTML id.
        title: Title on the page.
        caption: Caption on the page.
        views: The tables of the figure. The page shows one table at a time.
        wide: Whether the figure takes the full width of the page.
        legend: The colours of the emotions.
        axes: Titles of both axes of a matrix.
    """

    id: str
    title: str
    caption: str
    views: list[TableView]
    wide: bool = False
    legend: tuple[LegendEntry, ...] = ()
    axes: str = ""


def table(name: str, rows: Rows, columns: dict[str, str], words: dict[str, Any]) -> Table:
    """Return a table with the given columns.

    Args:
        name: Name of the CSV file to download, without .csv.
        rows: Rows of the table.
        columns: {column name: key of the title in `words`}.
        words: Texts of the page, from `words_of`.
    """
    head = [words[word] for word in columns.values()]
    return Table(name, head, [[_cell(row[c], c, _interval(row, c)) for c in columns] for row in rows])


def wide_table(
    rows: Rows,
    by: str,
    shown: list[str],
    words: dict[str, Any],
    head: str | None = None,
    counted: str = "rows",
    designs: Mapping[str, float] = MappingProxyType({}),
) -> TableView:
    """Return a table of shares: one row for each value of `by`, and one column for each emotion.

    Args:
        rows: One row for each value and emotion. Columns: the column named by `by`, `emotion`, `rows` (count), `share`.
        by: Name of a column of `rows`, such as day.
        shown: All labels in id order, from `label_shown`.
        words: Texts of the page, from `words_of`.
        head: Title of the first column. If None, the title is `words[by]`.
        counted: Key in `words` of the title of the column with the counts.
        designs: {label of `shown`: design effect}, for the intervals of emotions without rows.
    """
    values: dict[str | int, dict[str, Any]] = {}
    for row in rows:
        values.setdefault(row[by], {})[row["emotion"]] = row
    lines = []
    for value, emotions in values.items():
        total = group_size(emotions.values())
        shares = []
        for label in shown:
            low, high = share_interval(0, total, design=designs.get(label, 1.0))
            row = emotions.get(label, {"share": 0.0, "low": low, "high": high})
            shares.append(_cell(row["share"], "share", _interval(row, "share")))
        lines.append([_cell(value, by), _cell(round(total), "rows"), *shares])
    return TableView("", Table(by, [head or words[by], words[counted], *shown], lines))


def quality_table(rows: Rows, words: dict[str, Any]) -> Table:
    """Return the table of data quality, with one row for each period.

    Args:
        rows: Rows of quality.sql.
        words: Texts of the page, from `words_of`.
    """
    columns = {"rows": "read", "labelled": "labelled", "empty": "empty", "truncated": "truncated", "unsure": "unsure"}
    return table("quality", rows, {"day": "day", **columns, "mean_confidence": "mean_confidence"}, words)


def half_width(value: float, low: float, high: float) -> float:
    """Return the larger distance of a value from the ends of its interval, for texts such as "12.3% ±2.1"."""
    return max(value - low, high - value)


def share_text(row: dict[str, Any] | None, total: int, design: float) -> str:
    """Return a share and the half width of its interval, such as "12±3%".

    Args:
        row: Row with `share`, `low` and `high`; None for a share of 0.
        total: Number of rows of the group.
        design: Design effect of the emotion.
    """
    low, high = (row["low"], row["high"]) if row else share_interval(0, total, design=design)
    share = row["share"] if row else 0.0
    return f"{100 * share:.0f}±{100 * half_width(share, low, high):.0f}%"


def change_half_width(row: dict[str, Any]) -> float:
    """Return the distance of a change from the end of its interval that is nearer to 0.

    A change is significant only if it is larger than this distance. `row` is a row of `latest`.
    """
    change = row["change"]
    return float(change - row["change_low"] if change >= 0 else row["change_high"] - change)


def _interval(row: dict[str, Any], column: str) -> tuple[float, float] | None:
    """Return the 95% interval of a value in a row. Return None if the row has no interval for the column."""
    low, high = {"share": ("low", "high")}.get(column, (f"{column}_low", f"{column}_high"))
    return None if row.get(low) is None else (row[low], row[high])


def _cell(value: Any, column: str, interval: tuple[float, float] | None = None) -> Cell:
    if value is None:
        return Cell("–", -1.0)
    half = half_width(value, *interval) if interval else None
    if column == "share":
        return Cell(f"{value:.1%}" if half is None else f"{value:.1%} ±{100 * half:.1f}", float(value))
    if isinstance(value, float):
        return Cell(f"{value:.2f}" if half is None else f"{value:.2f} ±{half:.2f}", value)
    if isinstance(value, int):
        return Cell(f"{value:,}", float(value))
    return Cell(str(value), str(value))
