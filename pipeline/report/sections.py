"""The sections of a report's page that have charts, each chart with the table that says the same."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from emojob.pipeline.html.page import Spec, visible
from emojob.pipeline.report.figures import Figures, Rows
from emojob.pipeline.report.tables import Figure, TableView, quality_table, table, wide_table
from emojob.pipeline.report.words import cut, label_shown

_MOST_PERIODS = 130  # bars of a chart; with more days, it goes by weeks or months
_LONGEST_VALUE = 60  # characters of a column's value


@dataclass
class Charts:
    """The specifications of the charts, by the figure's id: one for each choice."""

    specs: dict[str, list[Spec]] = field(default_factory=dict)

    def add(self, figure: Figure, specs: Sequence[Spec]) -> Figure:
        self.specs[figure.id] = list(specs)
        return figure


def sections(figures: Figures, words: dict[str, Any], charts: Charts) -> list[tuple[str, list[Figure]]]:
    """(heading, figures) of each section that the archive has something for."""
    shown = [label_shown(label, words) for label in figures.labels]
    name = dict(zip(figures.labels, shown, strict=True))

    def named(rows: Rows, *columns: str) -> Rows:
        return [{**row, **{column: name.get(row[column], row[column]) for column in columns}} for row in rows]

    found: list[tuple[str, list[Figure]]] = []
    if figures.days:
        found.append((words["over_time"], _times(figures, named, shown, words, charts)))
    if figures.transitions or figures.arcs:
        found.append((words["talks"], _conversations(figures, named, shown, words, charts)))
    found.append((words["breakdowns"], _breakdowns(figures, named, shown, words, charts)))
    found.append((words["distributions"], _distributions(figures, named, shown, words, charts)))
    return [(heading, some) for heading, some in found if some]


Named = Callable[..., Rows]


def _period(days: set[datetime.date]) -> tuple[str, Callable[[datetime.date], datetime.date]]:
    """What a chart of these days goes by (day, week or month), and the first day of that period for each day."""
    if len(days) <= _MOST_PERIODS:
        return "day", lambda day: day
    if (max(days) - min(days)).days <= 7 * _MOST_PERIODS:
        return "week", lambda day: day - datetime.timedelta(days=day.weekday())
    return "month", lambda day: day.replace(day=1)


def _by_period(days: Rows, first_day: Callable[[datetime.date], datetime.date], keys: tuple[str, ...] = ()) -> Rows:
    """Rows of days put together by period; counts are added up, shares and means made anew."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    sure: dict[tuple[Any, ...], float] = {}
    for row in days:
        at = (first_day(row["day"]).isoformat(), *(row[key] for key in keys))
        whole = found.setdefault(at, {"day": at[0], **{key: row[key] for key in keys}})
        for name, value in row.items():
            if isinstance(value, int):
                whole[name] = whole.get(name, 0) + value
        sure[at] = sure.get(at, 0.0) + (row.get("mean_confidence") or 0.0) * row.get("labelled", 0)
    totals: dict[str, int] = {}
    for whole in found.values():
        totals[whole["day"]] = totals.get(whole["day"], 0) + whole["rows"]
    for at, whole in found.items():
        whole["share"] = whole["rows"] / totals[whole["day"]]
        whole["mean_confidence"] = sure[at] / whole["labelled"] if whole.get("labelled") else None
    return list(found.values())


def _times(figures: Figures, named: Named, shown: list[str], words: dict[str, Any], charts: Charts) -> list[Figure]:
    from emojob.pipeline.report import charts as draw

    period, first_day = _period({row["day"] for row in figures.days})
    days = named(_by_period(figures.days, first_day, ("emotion",)), "emotion")
    quality = _by_period([row for row in figures.quality if row["day"] is not None], first_day)
    by_emotion = [
        (label, named([row for row in figures.hours_of_week if row["emotion"] == label], "emotion"))
        for label in figures.labels
    ]
    weeks = [
        (label, [{**row, "weekday": words["weekdays"][row["weekday"] - 1]} for row in rows])
        for label, rows in by_emotion
        if rows
    ]
    found = [
        charts.add(
            Figure(
                "days",
                words[f"by_{period}"],
                words[f"by_{period}_caption"],
                [wide_table(days, "day", shown, words)],
                wide=True,
            ),
            [draw.over_time(days, shown, words, period)],
        ),
        charts.add(
            Figure("volume", words["volume"], words["volume_caption"], [TableView("", quality_table(quality, words))]),
            [draw.volume(quality, words, period)],
        ),
    ]
    if weeks:
        columns = {"weekday": "weekday", "hour_of_day": "hour", "rows": "rows", "share": "share"}
        views = [TableView(label_shown(label, words), table("clock", rows, columns, words)) for label, rows in weeks]
        figure = Figure("clock", words["clock"], words["clock_caption"], views)
        found.append(charts.add(figure, [draw.clock(rows, words) for _, rows in weeks]))
    return found


def _conversations(
    figures: Figures, named: Named, shown: list[str], words: dict[str, Any], charts: Charts
) -> list[Figure]:
    from emojob.pipeline.report import charts as draw

    found = []
    if figures.arcs:
        arcs = named(figures.arcs, "emotion")
        tenths = [{**row, "tenth": f"{row['tenth'] * 10:02d}–{row['tenth'] * 10 + 10}"} for row in arcs]
        figure = Figure("arcs", words["arcs"], words["arcs_caption"], [wide_table(tenths, "tenth", shown, words)])
        found.append(charts.add(figure, [draw.arcs(arcs, shown, words)]))
    for id_, rows, down, across, count in (
        ("transitions", figures.transitions, "emotion_before", "emotion", "times"),
        ("endings", figures.endings, "first_emotion", "last_emotion", "conversations"),
    ):
        if not rows:
            continue
        cells = [{**row, "times": row[count]} for row in named(rows, down, across)]
        second = "next_emotion" if id_ == "transitions" else "last_emotion"
        first = "emotion" if id_ == "transitions" else "first_emotion"
        columns = {down: first, across: second, "times": "rows", "share": "share"}
        figure = Figure(id_, words[id_], words[f"{id_}_caption"], [TableView("", table(id_, cells, columns, words))])
        found.append(charts.add(figure, [draw.matrix(cells, shown, down, across, words, id_)]))
    return found


def _breakdowns(
    figures: Figures, named: Named, shown: list[str], words: dict[str, Any], charts: Charts
) -> list[Figure]:
    from emojob.pipeline.report import charts as draw

    views, specs = [], []
    for column, rows in figures.breakdowns.items():
        told = [{**row, "value": _value(row, words)} for row in named(rows, "emotion")]
        views.append(TableView(visible(column), wide_table(told, "value", shown, words, visible(column)).table))
        specs.append(draw.by_value(told, shown, words))
    if not views:
        return []
    figure = Figure("breakdowns", words["breakdowns"], words["breakdowns_caption"], views, wide=True)
    return [charts.add(figure, specs)]


def _distributions(
    figures: Figures, named: Named, shown: list[str], words: dict[str, Any], charts: Charts
) -> list[Figure]:
    from emojob.pipeline.report import charts as draw

    found = []
    for id_, rows, at, step in (
        ("confidences", figures.confidences, "confidence", 0.05),
        ("lengths", figures.lengths, "characters", 10),
    ):
        if rows:
            told = named(rows, "emotion")
            columns = {"emotion": "emotion", at: at, "rows": "rows"}
            figure = Figure(id_, words[id_], words[f"{id_}_caption"], [TableView("", table(id_, told, columns, words))])
            found.append(charts.add(figure, [draw.histogram(told, at, step, shown, words, id_)]))
    return found


def _value(row: dict[str, Any], words: dict[str, Any]) -> str:
    if row["others"]:
        return str(words["others"])
    return cut(visible(row["value"]), _LONGEST_VALUE) or str(words["blank"])
