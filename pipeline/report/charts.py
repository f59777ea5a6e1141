"""Makes the charts of a report as Vega-Lite specifications. This module needs Altair (pip extra `report`).

Several functions have these arguments:

- `rows`: Rows to draw, with labels from `label_shown`. Rows with a share have the column `interval`, a text.
- `labels`: All labels in id order, from `label_shown`.
- `words`: Texts of the page, from `words_of`.
- `period`: day, week or month.

The file report.css defines the colours.
"""

from __future__ import annotations

from typing import Any

import altair as alt

from emojob.pipeline.html.page import PAGE, Spec, to_spec
from emojob.pipeline.report.words import COLOURS

Rows = list[dict[str, Any]]

_SHADE = alt.Scale(domainMin=0, range=[0.03, 1])
_PERCENT = alt.Axis(format="%")
_UNITS: dict[str, Any] = {"day": "utcyearmonthdate", "week": "utcyearweek", "month": "utcyearmonth"}
_LEGEND = alt.Legend(orient="top", title=None, columns=3, symbolType="square", labelLimit=110)
_DAYS = alt.Axis(format="%y-%m-%d", labelOverlap=True, grid=False)


def colour_of(label_id: int) -> str:
    """Return the CSS colour of a label."""
    return f"var(--emotion-{label_id % COLOURS})"


def _emotion(labels: list[str], title: str) -> alt.Color:
    scale = alt.Scale(domain=labels, range=[colour_of(i) for i in range(len(labels))])
    return alt.Color("emotion:N", title=title, scale=scale, sort=labels, legend=_LEGEND)


def over_time(rows: Rows, labels: list[str], words: dict[str, Any], period: str) -> Spec:
    """Return a stacked bar chart with the share of each emotion in each period.

    Columns of `rows`: `day` (first day of the period, YYYY-MM-DD), `emotion`, `rows` (count), `share`.
    """
    order = {label: i for i, label in enumerate(labels)}
    rows = [{**row, "order": order[row["emotion"]]} for row in rows]
    chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_bar(stroke="var(--paper)", strokeWidth=0.5)
        .encode(
            x=alt.X("day:T", timeUnit=_UNITS[period], title=None, axis=_DAYS),
            y=alt.Y("share:Q", title=words["share"], stack="normalize", axis=_PERCENT),
            color=_emotion(labels, words["emotion"]),
            order=alt.Order("order:Q"),
            tooltip=_tooltips(words, day="day", emotion="emotion", rows="rows", share="share", interval="interval"),
        )
    )  # fmt: skip
    return to_spec(chart, words[f"by_{period}"], PAGE, 260)


def volume(rows: Rows, words: dict[str, Any], period: str) -> Spec:
    """Return a bar chart with the number of labelled rows in each period.

    Columns of `rows`: `day` (first day of the period, YYYY-MM-DD), `labelled` (number of labelled rows).
    """
    chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_bar(color=PAGE.first)
        .encode(
            x=alt.X("day:T", timeUnit=_UNITS[period], title=None, axis=_DAYS),
            y=alt.Y("labelled:Q", title=words["rows"], axis=alt.Axis(format="~s", tickCount=4)),
            tooltip=_tooltips(words, day="day", labelled="rows"),
        )
    )  # fmt: skip
    return to_spec(chart, words["volume"], PAGE, 130)


def clock(rows: Rows, words: dict[str, Any]) -> Spec:
    """Return a heat map with the share of one emotion in each hour of the week.

    Columns of `rows`: `weekday` (as shown on the page), `hour_of_day`, `rows` (count), `share`.
    """
    chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_rect(fill=PAGE.first, stroke="var(--paper)", strokeWidth=1)
        .encode(
            x=alt.X("hour_of_day:O", title=words["hour"], scale=alt.Scale(domain=list(range(24))),
                    axis=alt.Axis(labelAngle=0, grid=False, values=list(range(0, 24, 3)))),
            y=alt.Y("weekday:N", title=None, sort=words["weekdays"], scale=alt.Scale(domain=words["weekdays"])),
            fillOpacity=alt.FillOpacity("share:Q", scale=_SHADE, legend=None),
            tooltip=_tooltips(
                words, weekday="weekday", hour_of_day="hour", rows="rows", share="share", interval="interval"
            ),
        )
    )  # fmt: skip
    return to_spec(chart, words["clock"], PAGE, 210)


def matrix(rows: Rows, labels: list[str], down: str, across: str, words: dict[str, Any], title: str) -> Spec:
    """Return a heat map with the share of each pair of emotions.

    Args:
        rows: One row for each pair. Columns: the two columns named by `down` and `across`, `times` (count), `share`.
        labels: All labels in id order, from `label_shown`.
        down: Name of the column for the vertical axis.
        across: Name of the column for the horizontal axis.
        words: Texts of the page, from `words_of`.
        title: Key of the title in `words`: transitions or endings.
    """
    is_transitions = title == "transitions"
    down_title = words["emotion" if is_transitions else "first_emotion"]
    across_title = words["next_emotion" if is_transitions else "last_emotion"]
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X(f"{across}:N", title=across_title, sort=labels, scale=alt.Scale(domain=labels),
                axis=alt.Axis(orient="top", labelAngle=-90, grid=False)),
        y=alt.Y(f"{down}:N", title=down_title, sort=labels, scale=alt.Scale(domain=labels)),
        tooltip=[alt.Tooltip(f"{down}:N", title=down_title),
                 alt.Tooltip(f"{across}:N", title=across_title),
                 alt.Tooltip("times:Q", title=words["rows" if is_transitions else "conversations"], format=","),
                 alt.Tooltip("share:Q", title=words["share"], format=".1%"),
                 alt.Tooltip("interval:N", title=words["interval"])],
    )  # fmt: skip
    chart: Any = base.mark_rect(fill=PAGE.first, stroke="var(--paper)", strokeWidth=1).encode(
        fillOpacity=alt.FillOpacity("share:Q", scale=_SHADE, legend=None)
    )
    if len(labels) <= 12:
        dark = alt.condition("datum.share > 0.5", alt.value(PAGE.on_first), alt.value(PAGE.ink))
        chart += base.mark_text(fontSize=12).encode(text=alt.Text("share:Q", format=".0%"), color=dark)
    return to_spec(chart, words[title], PAGE, max(200, 36 * len(labels)))


def arcs(rows: Rows, labels: list[str], words: dict[str, Any]) -> Spec:
    """Return a line chart of the emotions from the beginning to the end of a conversation.

    Columns of `rows`: `tenth` (0: first utterance of the conversation, 9: last utterance), `emotion`, `share`.
    """
    rows = [{**row, "position": row["tenth"] * 100 / 9} for row in rows]
    dashes = [[1, 0], [6, 2], [2, 2], [8, 3, 2, 3], [4, 4], [1, 3]]
    dash = alt.Scale(domain=labels, range=[dashes[i % len(dashes)] for i in range(len(labels))])
    chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_line(strokeWidth=2, point={"size": 25, "filled": True})
        .encode(
            x=alt.X("position:Q", title=words["tenth"], scale=alt.Scale(domain=[0, 100]), axis=alt.Axis(tickCount=5)),
            y=alt.Y("share:Q", title=words["share"], axis=_PERCENT),
            color=_emotion(labels, words["emotion"]),
            strokeDash=alt.StrokeDash("emotion:N", title=words["emotion"], scale=dash, sort=labels, legend=_LEGEND),
            tooltip=_tooltips(words, position="tenth", emotion="emotion", share="share", interval="interval"),
        )
    )
    return to_spec(chart, words["arcs"], PAGE, 260)


def by_value(rows: Rows, labels: list[str], words: dict[str, Any]) -> Spec:
    """Return a stacked bar chart with the share of each emotion for each value of a column.

    Columns of `rows`: `value` (as shown on the page), `emotion`, `rows` (count), `share`.
    """
    order = {label: i for i, label in enumerate(labels)}
    rows = [{**row, "order": order[row["emotion"]]} for row in rows]
    values = list(dict.fromkeys(row["value"] for row in rows))
    chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_bar(stroke="var(--paper)", strokeWidth=0.5)
        .encode(
            y=alt.Y("value:N", title=None, sort=values, scale=alt.Scale(domain=values), axis=alt.Axis(labelLimit=140)),
            x=alt.X("share:Q", title=words["share"], stack="normalize", axis=_PERCENT),
            color=_emotion(labels, words["emotion"]),
            order=alt.Order("order:Q"),
            tooltip=_tooltips(words, value="value", emotion="emotion", rows="rows", share="share", interval="interval"),
        )
    )
    return to_spec(chart, words["breakdowns"], PAGE, max(90, 26 * len(values) + 30))


def histogram(rows: Rows, at: str, step: float, labels: list[str], words: dict[str, Any], title: str) -> Spec:
    """Return a histogram with the number of rows in each bin, stacked by emotion.

    Args:
        rows: One row for each bin and emotion. Columns: the column named by `at` (start of the bin), `emotion`, `rows`
            (count).
        at: Name of the column for the horizontal axis: confidence or characters.
        step: Width of a bin, such as 0.05 for confidence.
        labels: All labels in id order, from `label_shown`.
        words: Texts of the page, from `words_of`.
        title: Key of the title in `words`.
    """
    order = {label: i for i, label in enumerate(labels)}
    rows = [{**row, "end": row[at] + step, "order": order[row["emotion"]]} for row in rows]
    axis = _PERCENT if at == "confidence" else alt.Axis(tickCount=6)
    chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_bar(stroke="var(--paper)", strokeWidth=0.5)
        .encode(
            x=alt.X(f"{at}:Q", bin="binned", title=words[at], axis=axis),
            x2="end:Q",
            y=alt.Y("rows:Q", title=words["rows"], stack="zero", axis=alt.Axis(format="~s", tickCount=5)),
            color=_emotion(labels, words["emotion"]),
            order=alt.Order("order:Q"),
            tooltip=_tooltips(words, **{at: at}, emotion="emotion", rows="rows"),
        )
    )
    return to_spec(chart, words[title], PAGE, 220)


def _tooltips(words: dict[str, Any], **fields: str) -> list[alt.Tooltip]:
    """Return the tooltips of a chart.

    Args:
        words: Texts of the page, from `words_of`.
        fields: Columns to show: {column name: key of the title in `words`}.
    """
    formats = {"share": ".1%", "rows": ",", "labelled": ",", "confidence": ".2f", "characters": "d", "position": ".0f"}
    return [
        alt.Tooltip(f"{name}:Q", title=words[word], format=formats[name])
        if name in formats
        else alt.Tooltip(f"{name}:N", title=words[word])
        for name, word in fields.items()
    ]
