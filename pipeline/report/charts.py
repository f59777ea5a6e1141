"""Makes the charts of a report as Vega-Lite specifications. This module needs Altair (pip extra `report`).

Several functions have these arguments:

- `rows`: Rows to draw, with labels from `label_shown`. Rows with a share have the column `interval`, a text.
- `labels`: All labels in id order, from `label_shown`.
- `words`: Texts of the page, from `words_of`.
- `period`: day, week or month.

The file report.css defines the colours.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Any

import altair as alt

from emojob.pipeline.html.page import PAGE, Spec, to_spec
from emojob.pipeline.report.words import COLOURS

Rows = list[dict[str, Any]]

#: Maximum number of labels of a matrix with numbers in its cells.
MOST_NUMBERED = 12

_SHADE = alt.Scale(domainMin=0, range=[0.03, 1])
_DARK = 0.7  # part of the largest share, above which a cell has text in a light colour
_PERCENT = alt.Axis(format="%", tickCount=5)
_DASHES = ("1 0", "6 2", "2 2", "8 3 2 3", "4 4", "1 3")  # for lines, so that they differ without colours
_LINE = 14  # height of a line of a label, in pixels
_NARROW = 60  # width of a column of a matrix in pixels, below which its head is shortened


def colour_of(label_id: int) -> str:
    """Return the CSS colour of a label."""
    return f"var(--emotion-{label_id % COLOURS})"


def dash_of(label_id: int) -> str:
    """Return the dashes of the line of a label, as in the SVG attribute `stroke-dasharray`."""
    return _DASHES[label_id % len(_DASHES)]


def _emotion(labels: list[str], title: str) -> alt.Color:
    scale = alt.Scale(domain=labels, range=[colour_of(i) for i in range(len(labels))])
    return alt.Color("emotion:N", title=title, scale=scale, sort=labels, legend=None)


def _counts(ticks: int) -> alt.Axis:
    """Return a vertical axis for numbers of utterances, such as 1,500."""
    return alt.Axis(format=",d", tickCount=ticks, tickMinStep=1)


def _periods(rows: Rows, period: str) -> alt.X:
    """Return the horizontal axis with all periods from the first to the last one. Periods without rows are empty."""
    first, last = (datetime.date.fromisoformat(of(row["day"] for row in rows)) for of in (min, max))
    domain = [day.isoformat() for day in _between(first, last, period)]
    start = 5 if first.year == last.year and period != "month" else 0
    text = f"slice(datum.value, {start}, {7 if period == 'month' else 10})"
    axis = alt.Axis(labelExpr=text, labelAngle=0, labelOverlap=True, labelSeparation=6, grid=False)
    return alt.X("day:O", title=None, scale=alt.Scale(domain=domain, paddingInner=0, paddingOuter=0), axis=axis)


def _between(first: datetime.date, last: datetime.date, period: str) -> Iterable[datetime.date]:
    """Return the first days of all periods from `first` to `last`, which are first days of a period."""
    if period == "month":
        months = range(12 * first.year + first.month - 1, 12 * last.year + last.month)
        return [datetime.date(month // 12, month % 12 + 1, 1) for month in months]
    step = 7 if period == "week" else 1
    return [first + datetime.timedelta(days=i) for i in range(0, (last - first).days + 1, step)]


def _with_dates(rows: Rows, words: dict[str, Any], period: str) -> Rows:
    """Return copies of the rows with the column `date`: the period as text, for tooltips."""

    def shown(text: str) -> str:
        day = datetime.date.fromisoformat(text)
        if period == "month":
            return text[:7]
        if period == "week":
            return f"{text} ~ {day + datetime.timedelta(days=6)}"
        return f"{text} ({words['weekdays'][day.weekday()]})"

    dates = {text: shown(text) for text in {row["day"] for row in rows}}
    return [{**row, "date": dates[row["day"]]} for row in rows]


def over_time(rows: Rows, labels: list[str], words: dict[str, Any], period: str) -> Spec:
    """Return a stacked bar chart with the share of each emotion in each period.

    Columns of `rows`: `day` (first day of the period, YYYY-MM-DD), `emotion`, `rows` (count), `share`.
    """
    order = {label: i for i, label in enumerate(labels)}
    rows = [{**row, "order": order[row["emotion"]]} for row in _with_dates(rows, words, period)]
    chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_bar(stroke="var(--paper)", strokeWidth=0.5)
        .encode(
            x=_periods(rows, period),
            y=alt.Y("share:Q", title=words["share"], stack="normalize", axis=_PERCENT),
            color=_emotion(labels, words["emotion"]),
            order=alt.Order("order:Q"),
            tooltip=_tooltips(words, date=period, emotion="emotion", rows="rows", share="share", interval="interval"),
        )
    )  # fmt: skip
    return to_spec(chart, words[f"by_{period}"], PAGE, 260)


def lines_over_time(rows: Rows, labels: list[str], words: dict[str, Any], period: str) -> Spec:
    """Return a line chart with the share of each label in each period, for utterances that carry several labels.

    The columns of `rows` are those of `over_time`. The shares of a period need not sum to 1, so they are not stacked.
    """
    dash = alt.Scale(domain=labels, range=[list(map(int, dash_of(i).split())) for i in range(len(labels))])
    chart = (
        alt.Chart(alt.InlineData(values=_with_dates(rows, words, period)))
        .mark_line(strokeWidth=2, point={"size": 25, "filled": True})
        .encode(
            x=_periods(rows, period),
            y=alt.Y("share:Q", title=words["share"], axis=_PERCENT),
            color=_emotion(labels, words["emotion"]),
            strokeDash=alt.StrokeDash("emotion:N", title=words["emotion"], scale=dash, sort=labels, legend=None),
            tooltip=_tooltips(words, date=period, emotion="emotion", rows="rows", share="share", interval="interval"),
        )
    )
    return to_spec(chart, words[f"by_{period}"], PAGE, 260)


def volume(rows: Rows, words: dict[str, Any], period: str) -> Spec:
    """Return a bar chart with the number of labelled rows in each period.

    Columns of `rows`: `day` (first day of the period, YYYY-MM-DD), `labelled` (number of labelled rows).
    """
    chart = (
        alt.Chart(alt.InlineData(values=_with_dates(rows, words, period)))
        .mark_bar(color=PAGE.first, stroke="var(--paper)", strokeWidth=0.5)
        .encode(
            x=_periods(rows, period),
            y=alt.Y("labelled:Q", title=words["rows"], axis=_counts(4)),
            tooltip=_tooltips(words, date=period, labelled="rows"),
        )
    )
    return to_spec(chart, words["volume"], PAGE, 130)


def clock(rows: Rows, words: dict[str, Any]) -> Spec:
    """Return a heat map with the share of one emotion in each hour of the week.

    Columns of `rows`: `weekday` (as shown on the page), `hour_of_day`, `rows` (count), `share`.
    """
    rows = [{**row, "time": words["at_hour"].format(hour=row["hour_of_day"])} for row in rows]
    chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_rect(fill=PAGE.first, stroke="var(--paper)", strokeWidth=1)
        .encode(
            x=alt.X("hour_of_day:O", title=words["hour"], scale=alt.Scale(domain=list(range(24))),
                    axis=alt.Axis(labelAngle=0, grid=False, values=list(range(0, 24, 3)))),
            y=alt.Y("weekday:N", title=None, sort=words["weekdays"], scale=alt.Scale(domain=words["weekdays"])),
            fillOpacity=alt.FillOpacity("share:Q", scale=_SHADE, legend=None),
            tooltip=_tooltips(words, weekday="weekday", time="hour", rows="rows", share="share", interval="interval"),
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
    most = max((row["share"] for row in rows), default=1.0)
    rows = [{**row, "is_dark": row["share"] > _DARK * most} for row in rows]
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X(f"{across}:N", title=None, sort=labels, scale=alt.Scale(domain=labels),
                axis=_heads(labels)),
        y=alt.Y(f"{down}:N", title=None, sort=labels, scale=alt.Scale(domain=labels)),
        tooltip=[alt.Tooltip(f"{down}:N", title=down_title),
                 alt.Tooltip(f"{across}:N", title=across_title),
                 alt.Tooltip("times:Q", title=words["rows" if is_transitions else "conversations"], format=","),
                 alt.Tooltip("share:Q", title=words["share"], format=".1%"),
                 alt.Tooltip("interval:N", title=words["interval"])],
    )  # fmt: skip
    chart: Any = base.mark_rect(fill=PAGE.first, stroke="var(--paper)", strokeWidth=1).encode(
        fillOpacity=alt.FillOpacity("share:Q", scale=_SHADE, legend=None)
    )
    if len(labels) <= MOST_NUMBERED:
        dark = alt.condition("datum.is_dark", alt.value(PAGE.on_first), alt.value(PAGE.ink))
        chart += base.mark_text(fontSize=12).encode(text=alt.Text("share:Q", format=".0%"), color=dark)
    return to_spec(chart, words[title], PAGE, max(200, 36 * len(labels)))


def _heads(labels: list[str]) -> alt.Axis:
    """Return the axis above a matrix. Many labels and long labels are written sideways."""
    longest = max((len(word) for label in labels for word in label.split()), default=0)
    if len(labels) > 8 or longest > 10:
        return alt.Axis(orient="top", labelAngle=-90, labelLimit=110, grid=False)
    # one word a line; narrow columns have no third line, which is the English name
    words, lines = "split(datum.label, ' ')", max(len(label.split()) for label in labels)
    is_narrow = f"width / {len(labels)} < {_NARROW}"
    padding = alt.ExprRef(f"{_LINE} * ({is_narrow} ? {min(lines, 2) - 1} : {lines - 1}) + 4")
    text = f"{is_narrow} ? slice({words}, 0, 2) : {words}"
    return alt.Axis(
        orient="top", labelAngle=0, labelExpr=text, labelPadding=padding, labelLineHeight=_LINE, labelLimit=0,
        labelOverlap=False, grid=False,
    )  # fmt: skip


def arcs(rows: Rows, labels: list[str], words: dict[str, Any]) -> Spec:
    """Return a line chart of the emotions from the beginning to the end of a conversation.

    Columns of `rows`: `tenth` (0: first utterance of the conversation, 9: last utterance), `emotion`, `share`.
    """
    rows = [{**row, "position": row["tenth"] * 100 / 9} for row in rows]
    dash = alt.Scale(domain=labels, range=[list(map(int, dash_of(i).split())) for i in range(len(labels))])
    chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_line(strokeWidth=2, point={"size": 25, "filled": True})
        .encode(
            x=alt.X("position:Q", title=words["tenth"], scale=alt.Scale(domain=[0, 100]), axis=alt.Axis(tickCount=5)),
            y=alt.Y("share:Q", title=words["share"], axis=_PERCENT),
            color=_emotion(labels, words["emotion"]),
            strokeDash=alt.StrokeDash("emotion:N", title=words["emotion"], scale=dash, sort=labels, legend=None),
            tooltip=_tooltips(words, position="tenth", emotion="emotion", share="share", interval="interval"),
        )
    )
    return to_spec(chart, words["arcs"], PAGE, 260)


def by_value(rows: Rows, column: str, labels: list[str], words: dict[str, Any]) -> Spec:
    """Return a stacked bar chart with the share of each emotion for each value of a column.

    Args:
        rows: One row for each value and emotion. Columns: `value` (as shown on the page), `emotion`, `rows` (count),
            `share`.
        column: Name of the column, as shown on the page.
        labels: All labels in id order, from `label_shown`.
        words: Texts of the page, from `words_of`.
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
            tooltip=[
                alt.Tooltip("value:N", title=column),
                *_tooltips(words, emotion="emotion", rows="rows", share="share", interval="interval"),
            ],
        )
    )
    return to_spec(chart, words["breakdowns"], PAGE, max(90, 26 * len(values) + 30))


def shades_by_value(rows: Rows, column: str, labels: list[str], words: dict[str, Any]) -> Spec:
    """Return a heat map with the share of each label for each value of a column, for utterances with several labels.

    The arguments are those of `by_value`.
    """
    values = list(dict.fromkeys(row["value"] for row in rows))
    chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_rect(fill=PAGE.first, stroke="var(--paper)", strokeWidth=1)
        .encode(
            x=alt.X("emotion:N", title=None, sort=labels, scale=alt.Scale(domain=labels), axis=_heads(labels)),
            y=alt.Y("value:N", title=None, sort=values, scale=alt.Scale(domain=values), axis=alt.Axis(labelLimit=140)),
            fillOpacity=alt.FillOpacity("share:Q", scale=_SHADE, legend=None),
            tooltip=[
                alt.Tooltip("value:N", title=column),
                *_tooltips(words, emotion="emotion", rows="rows", share="share", interval="interval"),
            ],
        )
    )
    return to_spec(chart, words["breakdowns"], PAGE, max(120, 26 * len(values) + 60))


def histogram(rows: Rows, at: str, step: float, labels: list[str], words: dict[str, Any], title: str) -> Spec:
    """Return a histogram with the number of rows in each bin, stacked by emotion.

    Args:
        rows: One row for each bin and emotion. Columns: the column named by `at` (start of the bin), `bin` (as shown on
            the page), `emotion`, `rows` (count).
        at: Name of the column for the horizontal axis: confidence or characters.
        step: Width of a bin, such as 0.05 for confidence.
        labels: All labels in id order, from `label_shown`.
        words: Texts of the page, from `words_of`.
        title: Key of the title in `words`.
    """
    order = {label: i for i, label in enumerate(labels)}
    rows = [{**row, "end": row[at] + step, "order": order[row["emotion"]]} for row in rows]
    axis = _PERCENT if at == "confidence" else alt.Axis(tickCount=6, tickMinStep=step, format="d")
    chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_bar(stroke="var(--paper)", strokeWidth=0.5)
        .encode(
            x=alt.X(f"{at}:Q", bin="binned", title=words[at], axis=axis),
            x2="end:Q",
            y=alt.Y("rows:Q", title=words["rows"], stack="zero", axis=_counts(5)),
            color=_emotion(labels, words["emotion"]),
            order=alt.Order("order:Q"),
            tooltip=_tooltips(words, bin=at, emotion="emotion", rows="rows"),
        )
    )
    return to_spec(chart, words[title], PAGE, 220)


def _tooltips(words: dict[str, Any], **fields: str) -> list[alt.Tooltip]:
    """Return the tooltips of a chart.

    Args:
        words: Texts of the page, from `words_of`.
        fields: Columns to show: {column name: key of the title in `words`}.
    """
    formats = {"share": ".1%", "rows": ",", "labelled": ",", "position": ".0f"}
    return [
        alt.Tooltip(f"{name}:Q", title=words[word], format=formats[name])
        if name in formats
        else alt.Tooltip(f"{name}:N", title=words[word])
        for name, word in fields.items()
    ]
