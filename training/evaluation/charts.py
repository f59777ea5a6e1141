"""Builds Vega-Lite charts for a model's HTML page and PNG picture: curves, confusion matrix, reliability diagram.

This module needs Altair (the extra `report`), so `training.evaluation.page` imports this module only when it draws
charts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from emojob.pipeline.html.page import Palette, Spec, to_spec
from emojob.training.evaluation.metrics import Bin
from emojob.training.evaluation.words import Words

#: Maximum number of points of a line, not counting the last point.
MOST_POINTS = 1000

#: Number of classes above which a confusion matrix shows only colours, no numbers.
MOST_NUMBERED = 12


def by_epoch(
    figure: str, epoch: Sequence[float], parts: Mapping[str, Sequence[float]], palette: Palette, words: Words
) -> Spec:
    """Return a chart of a metric by epoch, with a line for each split.

    Args:
        figure: Name of the metric, such as Accuracy.
        epoch: Numbers of the epochs.
        parts: {name of the split: value after each epoch}; at most train, validation and test.
        palette: Colours, width and font of the chart.
        words: Texts of the page, from `words_of`.
    """
    rows = [
        {"epoch": at, "part": words[part], "value": value}
        for part, values in parts.items()
        for at, value in _thinned(list(zip(epoch, values, strict=False)))
    ]
    ticks = max(1, min(5, round(max(epoch, default=1.0)) - 1))  # no ticks between epochs
    domain = [words[part] for part in ("train", "validation", "test")]
    shown = [words[part] for part in parts]
    colour = alt.Scale(domain=domain, range=[palette.first, palette.second, palette.ink])
    dash = alt.Scale(domain=domain, range=[[1, 0], [5, 3], [2, 2]])
    legend = alt.Legend(orient="bottom", values=shown, symbolType="stroke", symbolSize=400, symbolStrokeWidth=2)
    chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_line(point={"size": 30, "filled": True}, strokeWidth=2)
        .encode(
            x=alt.X("epoch:Q", title=words["epoch"], axis=alt.Axis(tickCount=ticks, format="~g")),
            y=alt.Y("value:Q", title=figure, scale=alt.Scale(zero=False)),
            color=alt.Color("part:N", title=None, scale=colour, legend=legend),
            strokeDash=alt.StrokeDash("part:N", title=None, scale=dash, legend=legend),
            tooltip=[
                alt.Tooltip("epoch:Q", title=words["epoch"]), alt.Tooltip("part:N", title=words["part"]),
                alt.Tooltip("value:Q", title=figure, format=".4f"),
            ],
        )
    )  # fmt: skip
    return to_spec(chart, words["after_each_epoch"].format(figure=figure, parts=", ".join(shown)), palette)


def by_step(figure: str, step: Sequence[int], values: Sequence[float], palette: Palette, words: Words) -> Spec:
    """Return a chart of the training loss or the learning rate by training step.

    Args:
        figure: training loss or learning rate.
        step: Numbers of the steps with logged values.
        values: The logged values, one per step.
        palette: Colours, width and font of the chart.
        words: Texts of the page, from `words_of`.
    """
    points = _thinned(list(zip(step, values, strict=False)))
    rows = [{"step": at, "value": value} for at, value in points]
    is_tiny = max((value for _, value in points), default=0) < 0.01
    axis = alt.Axis(labelExpr="datum.value == 0 ? '0' : format(datum.value, '~e')") if is_tiny else alt.Axis()
    chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_line(color=palette.first, strokeWidth=1.5)
        .encode(
            x=alt.X("step:Q", title=words["step"], axis=alt.Axis(tickCount=5, labelOverlap=True)),
            y=alt.Y("value:Q", title=figure, axis=axis, scale=alt.Scale(zero=False)),
            tooltip=[
                alt.Tooltip("step:Q", title=words["step"]),
                alt.Tooltip("value:Q", title=figure, format=".2e" if is_tiny else ".4f"),
            ],
        )
    )
    return to_spec(chart, words["by_step"].format(figure=figure), palette)


def confusion(names: Sequence[str], matrix: Sequence[Sequence[int]], palette: Palette, words: Words) -> Spec:
    """Return the confusion matrix as a heat map: a row for each true class, a column for each predicted class.

    The colour of a cell shows which share of the true class is in the cell.

    Args:
        names: Names of the classes.
        matrix: Number of texts by [true class][predicted class].
        palette: Colours, width and font of the chart.
        words: Texts of the page, from `words_of`.
    """
    rows = [
        {"true": true, "predicted": predicted, "texts": texts, "share": texts / max(1, sum(row))}
        for true, row in zip(names, matrix, strict=True)
        for predicted, texts in zip(names, row, strict=True)
    ]
    across = alt.Axis(
        orient="top", labelAngle=0 if _fits_across(names) else -90, labelLimit=110, grid=False, labelOverlap=True
    )
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X("predicted:N", title=None, sort=None, scale=alt.Scale(domain=list(names)), axis=across),
        y=alt.Y(
            "true:N", title=None, sort=None, scale=alt.Scale(domain=list(names)),
            axis=alt.Axis(labelLimit=110, grid=False),
        ),
        tooltip=[
            alt.Tooltip("true:N", title=words["true"]), alt.Tooltip("predicted:N", title=words["predicted"]),
            alt.Tooltip("texts:Q", title=words["texts"], format=","),
            alt.Tooltip("share:Q", title=words["share_of_true"], format=".1%"),
        ],
    )  # fmt: skip
    shade = alt.Scale(domain=[0, 1], range=[0.03, 1])
    chart: Any = base.mark_rect(fill=palette.first, stroke=palette.faint, strokeWidth=0.5).encode(
        fillOpacity=alt.FillOpacity("share:Q", scale=shade, legend=None)
    )
    if len(names) <= MOST_NUMBERED:
        dark = alt.condition("datum.share > 0.7", alt.value(palette.on_first), alt.value(palette.ink))
        chart += base.mark_text(fontSize=12).encode(text=alt.Text("texts:Q", format=","), color=dark)
    height = max(220, (36 if len(names) <= MOST_NUMBERED else 18) * len(names))
    return to_spec(chart, f"{words['confusion']}: {words['axes']}", palette, height)


def reliability(bins: Sequence[Bin], palette: Palette, words: Words) -> Spec:
    """Return a reliability diagram: accuracy by confidence, with a diagonal for perfect calibration.

    Args:
        bins: The confidence bins that contain texts.
        palette: Colours, width and font of the chart.
        words: Texts of the page, from `words_of`.
    """
    rows = [
        {
            "low": b.low, "high": b.high, "confidence": b.confidence, "accuracy": b.accuracy, "texts": b.texts,
            "range": f"{b.low:.0%}–{b.high:.0%}",
        }
        for b in bins
    ]  # fmt: skip
    unit = alt.Scale(domain=[0, 1])
    percent = alt.Axis(format="%", tickCount=6)
    tooltip = [
        alt.Tooltip("range:N", title=words["confidence"]),
        alt.Tooltip("confidence:Q", title=words["mean_confidence"], format=".1%"),
        alt.Tooltip("accuracy:Q", title=words["accuracy"], format=".1%"),
        alt.Tooltip("texts:Q", title=words["texts"], format=","),
    ]  # fmt: skip
    data = alt.Chart(alt.InlineData(values=rows)).encode(tooltip=tooltip)
    bars = data.mark_rect(fill=palette.first, fillOpacity=0.5, stroke=palette.first).encode(
        x=alt.X("low:Q", title=words["confidence"], scale=unit, axis=percent),
        x2="high:Q",
        y=alt.Y("accuracy:Q", title=words["accuracy"], scale=unit, axis=percent),
        y2=alt.datum(0),
    )
    points = data.mark_point(color=palette.second, filled=True, size=45, opacity=1).encode(
        x="confidence:Q", y="accuracy:Q"
    )
    ends = alt.InlineData(values=[{"x": 0, "y": 0}, {"x": 1, "y": 1}])
    diagonal = alt.Chart(ends).mark_line(color=palette.ink, strokeDash=[4, 4], strokeWidth=1).encode(x="x:Q", y="y:Q")
    return to_spec(
        bars + diagonal + points, f"{words['reliability']}: {words['accuracy']}, {words['confidence']}", palette, 280
    )


def side_by_side(rows: Sequence[Sequence[Spec]]) -> Spec:
    """Arrange charts in a grid, as one Vega-Lite specification. The settings of the first chart apply to all charts.

    Args:
        rows: The rows of the grid, from top to bottom. Each row contains the charts from left to right.
    """
    shared = ("$schema", "config", "datasets")
    inner = [[{key: value for key, value in spec.items() if key not in shared} for spec in row] for row in rows]
    first = rows[0][0]
    independent = {"scale": {"color": "independent", "strokeDash": "independent"}}
    return {
        "datasets": {name: data for row in rows for spec in row for name, data in spec["datasets"].items()},
        "$schema": first["$schema"],
        "config": first["config"],
        "background": "white",
        "padding": 16,
        "vconcat": [{"hconcat": row, "spacing": 40, "resolve": independent} for row in inner],
        "spacing": 30,
        "resolve": independent,
    }


def _thinned(points: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Return the finite points. If there are more than MOST_POINTS, return every n-th point and the last point."""
    points = [(at, value) for at, value in points if math.isfinite(value)]
    step = math.ceil(len(points) / MOST_POINTS) or 1
    kept = points[::step]
    return kept if not points or kept[-1] == points[-1] else [*kept, points[-1]]


def _fits_across(names: Sequence[str]) -> bool:
    return len(names) <= MOST_NUMBERED and max(map(len, names)) <= 4
