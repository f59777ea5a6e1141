"""The figures and tables of a report's page: what is shown in each cell, and what it is sorted by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from emojob.pipeline.report.figures import Rows


@dataclass(frozen=True)
class Cell:
    """A cell of a table: what is shown, and what it is sorted by."""

    shown: str
    key: str | float = ""

    @property
    def is_number(self) -> bool:
        """Whether it is sorted as a number, and stands right."""
        return not isinstance(self.key, str)


@dataclass(frozen=True)
class Table:
    """A table that sorts; name: of its CSV file."""

    name: str
    head: list[str]
    rows: list[list[Cell]]


@dataclass(frozen=True)
class TableView:
    """One of the things that a figure can show."""

    label: str
    table: Table


@dataclass(frozen=True)
class Figure:
    """A chart with its words and the table that says the same; several of each where there is something to choose."""

    id: str
    title: str
    caption: str
    views: list[TableView]
    wide: bool = False


def table(name: str, rows: Rows, columns: dict[str, str], words: dict[str, Any]) -> Table:
    """A table of these columns of the rows; columns: the word for each."""
    return Table(
        name, [words[word] for word in columns.values()], [[_cell(row[c], c) for c in columns] for row in rows]
    )


def wide_table(rows: Rows, by: str, shown: list[str], words: dict[str, Any], head: str | None = None) -> TableView:
    """A table with a row for each value of `by` and a column for each emotion's share."""
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
