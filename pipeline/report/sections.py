"""Makes the sections of a report page. A section contains charts, and a table for each chart.

This module needs Altair (pip extra `report`). So `html_page` imports this module only when a page is rendered.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from emojob.pipeline.html.page import Spec, visible
from emojob.pipeline.report import charts
from emojob.pipeline.report.figures import Figures, Rows
from emojob.pipeline.report.notes import leading_labels, transitions_caption
from emojob.pipeline.report.tables import Figure, LegendEntry, TableView, quality_table, table, wide_table
from emojob.pipeline.report.uncertainty import add_mean_intervals, add_share_intervals
from emojob.pipeline.report.words import COLOURS, LONGEST_VALUE, cut, label_shown

_MOST_PERIODS = 130  # maximum number of days in a chart; more days are grouped by week or month
_LONGEST_BIN = 200  # first number of characters of the last range in lengths.sql


@dataclass(frozen=True)
class Chart:
    """A chart of the page. `specs` contains one Vega-Lite specification for each table in `figure.views`."""

    figure: Figure
    specs: list[Spec]


def sections(figures: Figures, words: dict[str, Any]) -> list[tuple[str, list[Chart]]]:
    """Return (heading, charts) of each section with at least one chart.

    Args:
        figures: Counts, shares and example texts of the report, from `make_figures`.
        words: Texts of the page, from `words_of`.
    """
    make = _Sections(figures, words)
    found = [
        (words["over_time"], make.times()),
        (words["talks"], make.conversations()),
        (words["breakdowns"], make.breakdowns()),
        (words["distributions"], make.distributions()),
    ]
    return [(heading, some) for heading, some in found if some]


class _Sections:
    """Makes the charts of each section."""

    def __init__(self, figures: Figures, words: dict[str, Any]) -> None:
        self._figures, self._words = figures, words
        self._labels = [label_shown(label, words) for label in figures.labels]
        self._shown = dict(zip(figures.labels, self._labels, strict=True))
        leading = leading_labels(figures) if figures.has_label_sets else figures.labels
        self._leading = [self._shown[label] for label in leading]
        self._designs = {self._shown.get(label, label): design for label, design in figures.design_effects.items()}

    def times(self) -> list[Chart]:
        """Return the charts over time: by day, week or month, and by hour of the week."""
        if not self._figures.days:
            return []
        designs = self._figures.design_effects
        aside = {row["day"] for row in self._figures.latest["set_aside"]}  # would stretch the axis over years
        daily = [row for row in self._figures.days if row["day"] not in aside]
        measured = [row for row in self._figures.quality if row["day"] is not None and row["day"] not in aside]
        period, first_day = _period({row["day"] for row in daily})
        quality = _by_period(measured, first_day)
        by_period = _with_shares(_by_period(daily, first_day, ("emotion",)), quality)
        add_share_intervals(by_period, ("day",), designs)
        days = self._named(by_period, "emotion")
        add_mean_intervals(quality, "labelled", designs)
        by_day = wide_table(days, "day", self._labels, self._words, designs=self._designs)
        are_sets = self._figures.has_label_sets
        draw = charts.lines_over_time if are_sets else charts.over_time
        spec = draw(self._led(days), self._labels, self._words, period)
        rows = TableView("", quality_table(quality, self._words))
        return [
            Chart(
                self._figure("days", [by_day], name=f"by_{period}", wide=True, legend=self._legend(are_sets)), [spec]
            ),
            Chart(self._figure("volume", [rows]), [charts.volume(quality, self._words, period)]),
            *self._hours_of_week(),
        ]

    def _hours_of_week(self) -> list[Chart]:
        columns = {"weekday": "weekday", "hour_of_day": "hour", "rows": "rows", "share": "share"}
        views, specs = [], []
        counts = {row["emotion"]: row["rows"] for row in self._figures.emotions}
        negative = self._figures.meaning["negative"]
        for label in sorted(self._figures.labels, key=lambda one: (one not in negative, -counts.get(one, 0))):
            found = [row for row in self._figures.hours_of_week if row["emotion"] == label]
            if found:
                rows = [{**row, "weekday": self._words["weekdays"][row["weekday"] - 1]} for row in found]
                most = f"{max(row['share'] for row in rows):.0%}"
                views.append(TableView(self._shown[label], table("clock", rows, columns, self._words), most))
                specs.append(charts.clock(self._named(rows, "emotion"), self._words))
        return [Chart(self._figure("clock", views), specs)] if views else []

    def conversations(self) -> list[Chart]:
        """Return the charts about conversations."""
        if not (self._figures.transitions or self._figures.arcs):
            return []
        found = []
        if self._figures.arcs:
            arcs = self._named(self._figures.arcs, "emotion")
            places = [{**row, "tenth": round(row["tenth"] * 100 / 9), "rows": row["conversations"]} for row in arcs]
            view = wide_table(places, "tenth", self._labels, self._words, counted="conversations")
            figure = self._figure("arcs", [view], legend=self._legend(are_lines=True))
            found.append(Chart(figure, [charts.arcs(self._led(arcs), self._labels, self._words)]))
        if self._figures.transitions:
            columns = {"emotion_before": "emotion", "emotion": "next_emotion", "times": "rows", "share": "share"}
            found.append(self._matrix("transitions", self._figures.transitions, columns))
        if self._figures.endings:
            columns = {"first_emotion": "first_emotion", "last_emotion": "last_emotion", "times": "conversations"}
            rows = [{**row, "times": row["conversations"]} for row in self._figures.endings]
            found.append(self._matrix("endings", rows, {**columns, "share": "share"}))
        return found

    def _matrix(self, id_: str, rows: Rows, columns: dict[str, str]) -> Chart:
        """Return a chart with a heat map and a table.

        Args:
            id_: Id of the figure: transitions or endings.
            rows: Rows of the figure.
            columns: {column name: key of the title in `words`}. The heat map shows the first two columns.
        """
        down, across, *_ = columns
        cells = self._named(rows, down, across)
        most = f"{max(row['share'] for row in rows):.0%}" if len(self._labels) > charts.MOST_NUMBERED else ""
        view = TableView("", table(id_, cells, columns, self._words), most)
        caption = transitions_caption(self._figures, self._words) if id_ == "transitions" else None
        axes = self._words["axes"].format(down=self._words[columns[down]], across=self._words[columns[across]])
        figure = replace(self._figure(id_, [view], caption=caption), axes=axes)
        return Chart(figure, [charts.matrix(cells, self._labels, down, across, self._words, id_)])

    def breakdowns(self) -> list[Chart]:
        """Return a list with one chart: the emotions for each value of a column.

        The reader of the page selects the column. The list is empty if there are no breakdowns.
        """
        views, specs = [], []
        for column, rows in self._figures.breakdowns.items():
            named = [{**row, "value": self._value(row)} for row in self._named(rows, "emotion")]
            head = visible(column)
            view = wide_table(named, "value", self._labels, self._words, head, designs=self._designs)
            views.append(TableView(head, view.table))
            draw = charts.shades_by_value if self._figures.has_label_sets else charts.by_value
            specs.append(draw(named, head, self._labels, self._words))
        figure = self._figure("breakdowns", views, wide=True, legend=self._legend())
        return [Chart(figure, specs)] if views else []

    def distributions(self) -> list[Chart]:
        """Return the histograms of confidence and text length."""
        found = []
        for id_, rows, at, step in (
            ("confidences", self._figures.confidences, "confidence", 0.05),
            ("lengths", self._figures.lengths, "characters", 10),
        ):
            if rows:
                named = [{**row, "bin": _bin(row[at], step)} for row in self._named(rows, "emotion")]
                columns = {"emotion": "emotion", "bin": at, "rows": "rows"}
                view = TableView("", table(id_, named, columns, self._words))
                spec = charts.histogram(named, at, step, self._labels, self._words, id_)
                found.append(Chart(self._figure(id_, [view], legend=self._legend()), [spec]))
        return found

    def _figure(
        self,
        id_: str,
        views: list[TableView],
        name: str | None = None,
        wide: bool = False,
        caption: str | None = None,
        legend: tuple[LegendEntry, ...] = (),
    ) -> Figure:
        name = name or id_
        return Figure(id_, self._words[name], caption or self._words[f"{name}_caption"], views, wide, legend)

    def _led(self, rows: Rows) -> Rows:
        """Return the rows of the labels that a chart with a colour for each label shows."""
        return [row for row in rows if row["emotion"] in self._leading]

    def _legend(self, are_lines: bool = False) -> tuple[LegendEntry, ...]:
        return tuple(
            LegendEntry(label, i % COLOURS, charts.dash_of(i) if are_lines else "")
            for i, label in enumerate(self._labels)
            if label in self._leading
        )

    def _named(self, rows: Rows, *columns: str) -> Rows:
        """Return copies of the rows with the column `interval`, such as "10.1–14.8%".

        In the given columns, each label is replaced with the text of `label_shown`.
        """
        named = [{**row, **{name: self._shown.get(row[name], row[name]) for name in columns}} for row in rows]
        for row in named:
            if "low" in row:
                row["interval"] = f"{100 * row['low']:.1f}–{row['high']:.1%}"
        return named

    def _value(self, row: dict[str, Any]) -> str:
        if row["others"]:
            return str(self._words["others"])
        return cut(visible(row["value"]), LONGEST_VALUE) or str(self._words["blank"])


def _bin(start: float, step: float) -> str:
    """Return a range of a histogram as text, such as "90–95%" (confidence) or "10–19" (characters)."""
    if step < 1:
        return f"{100 * start:.0f}–{100 * (start + step):.0f}%"
    if start >= _LONGEST_BIN:
        return f"{start:.0f}+"
    return f"{start:.0f}–{start + step - 1:.0f}"


def _period(days: set[datetime.date]) -> tuple[str, Callable[[datetime.date], datetime.date]]:
    """Return the period of a chart (day, week or month), and the function (day -> first day of the period)."""
    span = (max(days) - min(days)).days
    if len(days) <= _MOST_PERIODS and span <= 3 * _MOST_PERIODS:
        return "day", lambda day: day
    if span <= 7 * _MOST_PERIODS:
        return "week", lambda day: day - datetime.timedelta(days=day.weekday())
    return "month", lambda day: day.replace(day=1)


def _with_shares(groups: Rows, quality: Rows) -> Rows:
    """Return the rows of emotions by period with their shares of the labelled rows, which `quality` has by period."""
    labelled = {row["day"]: row["labelled"] for row in quality}
    return [{**row, "labelled": labelled[row["day"]], "share": row["rows"] / labelled[row["day"]]} for row in groups]


def _by_period(days: Rows, first_day: Callable[[datetime.date], datetime.date], keys: tuple[str, ...] = ()) -> Rows:
    """Aggregate daily rows by period, and by the columns `keys`."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    confidences: dict[tuple[Any, ...], tuple[float, float]] = {}  # sum, sum of squares
    for row in days:
        at = (first_day(row["day"]).isoformat(), *(row[key] for key in keys))
        group = found.setdefault(at, {"day": at[0], **{key: row[key] for key in keys}})
        for name, value in row.items():
            if isinstance(value, int):
                group[name] = group.get(name, 0) + value
        labelled, mean = row.get("labelled", 0), row.get("mean_confidence") or 0.0
        squares = mean**2 + (row.get("confidence_deviation") or 0.0) ** 2
        sums = confidences.get(at, (0.0, 0.0))
        confidences[at] = sums[0] + labelled * mean, sums[1] + labelled * squares
    for at, group in found.items():
        labelled = group.get("labelled", 0)
        mean, squares = (value / labelled if labelled else 0.0 for value in confidences[at])
        group["mean_confidence"] = mean if labelled else None
        group["confidence_deviation"] = math.sqrt(max(0.0, squares - mean**2))
    return list(found.values())
