"""Figures and tables of a report's page: the shown text and the sort key of each cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from emojob.pipeline.report.figures import Rows


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        shown: Text of the cell.
        key: Sort key; a number sorts as a number.
    """

    shown: str
    key: str | float = ""

    @property
    def is_number(self) -> bool:
        """Return whether it sorts as a number and is aligned right."""
        return not isinstance(self.key, str)


@dataclass(frozen=True)
class Table:
    """A sortable table.

    Attributes:
        name: Name of its CSV file, without .csv.
        head: Column titles.
        rows: Cells of each row.
    """

    name: str
    head: list[str]
    rows: list[list[Cell]]


@dataclass(frozen=True)
class TableView:
    """One view of a figure, which the chooser selects by its label."""

    label: str
    table: Table


@dataclass(frozen=True)
class Figure:
    """A chart and its table.

    Attributes:
        id: Id in the page.
        title: Title.
        caption: Caption.
        views: Tables to choose from, one for each chart specification.
        wide: Whether it takes the whole width.
    """

    id: str
    title: str
    caption: str
    views: list[TableView]
    wide: bool = False


def table(name: str, rows: Rows, columns: dict[str, str], words: dict[str, Any]) -> Table:
    """Return a table.

    Args:
        name: Name of its CSV file.
        rows: Rows of the figures.
        columns: {column: key of its title in `words`}.
        words: The texts of `words_of`.
    """
    return Table(
        name, [words[word] for word in columns.values()], [[_cell(row[c], c) for c in columns] for row in rows]
    )


def wide_table(rows: Rows, by: str, shown: list[str], words: dict[str, Any], head: str | None = None) -> TableView:
    """Return a table with a row for each value of `by` and a column for each emotion's share.

    Args:
        rows: Rows with the columns `by`, emotion, rows and share.
        by: Column of the values.
        shown: Labels as shown, in id order.
        words: The texts of `words_of`.
        head: Title of the first column; None: the text for `by`.
    """
    values: dict[str, dict[str, Any]] = {}
    for row in rows:
        values.setdefault(row[by], {})[row["emotion"]] = row
    lines = []
    for value, emotions in values.items():
        total = sum(row["rows"] for row in emotions.values())
        shares = [_cell(emotions[label]["share"] if label in emotions else 0.0, "share") for label in shown]
        lines.append([Cell(value, value), _cell(total, "rows"), *shares])
    return TableView("", Table(by, [head or words[by], words["rows"], *shown], lines))


def quality_table(rows: Rows, words: dict[str, Any]) -> Table:
    """Return the table of the rows of quality.sql. words: the texts of `words_of`."""
    columns = {"rows": "read", "labelled": "labelled", "empty": "empty", "truncated": "truncated", "unsure": "unsure"}
    return table("quality", rows, {"day": "day", **columns, "mean_confidence": "mean_confidence"}, words)


def _cell(value: Any, column: str) -> Cell:
    if value is None:
        return Cell("–", -1.0)
    if column == "share":
        return Cell(f"{value:.1%}", float(value))
    if isinstance(value, float):
        return Cell(f"{value:.2f}", value)
    if isinstance(value, int):
        return Cell(f"{value:,}", float(value))
    return Cell(str(value), str(value))
