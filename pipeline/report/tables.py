"""Makes the sortable tables of a report page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from emojob.pipeline.report.figures import Rows


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
    """One table of a figure. If a figure has several tables, the reader of the page selects a table by `label`."""

    label: str
    table: Table


@dataclass(frozen=True)
class Figure:
    """A figure of the page: one or more tables, each with a chart.

    Attributes:
        id: HTML id.
        title: Title on the page.
        caption: Caption on the page.
        views: The tables of the figure. The page shows one table at a time.
        wide: Whether the figure takes the full width of the page.
    """

    id: str
    title: str
    caption: str
    views: list[TableView]
    wide: bool = False


def table(name: str, rows: Rows, columns: dict[str, str], words: dict[str, Any]) -> Table:
    """Return a table with the given columns.

    Args:
        name: Name of the CSV file to download, without .csv.
        rows: Rows of the table.
        columns: {column name: key of the title in `words`}.
        words: Texts of the page, from `words_of`.
    """
    return Table(
        name, [words[word] for word in columns.values()], [[_cell(row[c], c) for c in columns] for row in rows]
    )


def wide_table(
    rows: Rows, by: str, shown: list[str], words: dict[str, Any], head: str | None = None, counted: str = "rows"
) -> TableView:
    """Return a table of shares: one row for each value of `by`, and one column for each emotion.

    Args:
        rows: One row for each value and emotion. Columns: the column named by `by`, `emotion`, `rows` (count), `share`.
        by: Name of a column of `rows`, such as day.
        shown: All labels in id order, from `label_shown`.
        words: Texts of the page, from `words_of`.
        head: Title of the first column. If None, the title is `words[by]`.
        counted: Key in `words` of the title of the column with the counts.
    """
    values: dict[str | int, dict[str, Any]] = {}
    for row in rows:
        values.setdefault(row[by], {})[row["emotion"]] = row
    lines = []
    for value, emotions in values.items():
        total = sum(row["rows"] for row in emotions.values())
        shares = [_cell(emotions[label]["share"] if label in emotions else 0.0, "share") for label in shown]
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
