"""The charts of a model's page and its picture, as Vega-Lite: curves, confusion matrix, reliability diagram.

This module needs Altair (the extra `report`); only `training.evaluation.page` imports it, when it draws.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import altair as alt

from emojob.pipeline.html.page import Palette, Spec, to_spec
from emojob.training.evaluation.metrics import Bin

Rows = list[dict[str, Any]]

#: Points that a line is drawn with at most.
MOST_POINTS = 1000
#: Above so many classes the numbers would not fit into the cells of the confusion matrix.
MOST_NUMBERED = 12


def by_epoch(
    what: str, epoch: Sequence[float], train: Sequence[float], test: Sequence[float], palette: Palette
) -> Spec:
    """Lines of a figure after each epoch, on the training and the test texts. what: loss or accuracy."""
    rows = [
        {"epoch": at, "part": part, "value": value}
        for part, values in (("train", train), ("test", test))
        for at, value in _thinned(list(zip(epoch, values, strict=False)))
    ]
    parts = ["train", "test"]
    colour = alt.Scale(domain=parts, range=[palette.first, palette.second])
    dash = alt.Scale(domain=parts, range=[[1, 0], [5, 3]])
    legend = alt.Legend(orient="top", symbolType="stroke", symbolSize=400, symbolStrokeWidth=2)
    chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_line(point={"size": 30, "filled": True}, strokeWidth=2)
        .encode(
            x=alt.X("epoch:Q", title="epoch", axis=alt.Axis(tickMinStep=1)),
            y=alt.Y("value:Q", title=what, scale=alt.Scale(zero=False)),
            color=alt.Color("part:N", title=None, scale=colour, legend=legend),
            strokeDash=alt.StrokeDash("part:N", title=None, scale=dash, legend=legend),
            tooltip=[
                alt.Tooltip("epoch:Q"), alt.Tooltip("part:N"), alt.Tooltip("value:Q", title=what, format=".4f"),
            ],
        )
    )  # fmt: skip
    return to_spec(chart, f"{what} after each epoch, on training and test texts", palette)


def by_step(what: str, step: Sequence[int], values: Sequence[float], palette: Palette) -> Spec:
    """A line of what training logged step by step: its loss or its learning rate."""
    points = _thinned(list(zip(step, values, strict=False)))
    rows = [{"step": at, "value": value} for at, value in points]
    tiny = max((value for _, value in points), default=0) < 0.01
    axis = alt.Axis(labelExpr="datum.value == 0 ? '0' : format(datum.value, '~e')") if tiny else alt.Axis()
    chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_line(color=palette.first, strokeWidth=1.5)
        .encode(
            x=alt.X("step:Q", title="step", axis=alt.Axis(tickCount=5, labelOverlap=True)),
            y=alt.Y("value:Q", title=what, axis=axis, scale=alt.Scale(zero=False)),
            tooltip=[alt.Tooltip("step:Q"), alt.Tooltip("value:Q", title=what, format=".2e" if tiny else ".4f")],
        )
    )
    return to_spec(chart, f"{what} by step", palette)


def confusion(names: Sequence[str], matrix: Sequence[Sequence[int]], palette: Palette) -> Spec:
    """A heat map: the true class down, the guessed one across, each cell's shade its share of the true class."""
    rows = [
        {"true": true, "guessed": guessed, "texts": texts, "share": texts / max(1, sum(line))}
        for true, line in zip(names, matrix, strict=True)
        for guessed, texts in zip(names, line, strict=True)
    ]
    across = alt.Axis(
        orient="top", labelAngle=0 if _fits_across(names) else -90, labelLimit=110, grid=False, labelOverlap=True
    )
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X("guessed:N", title="guessed", sort=None, scale=alt.Scale(domain=list(names)), axis=across),
        y=alt.Y(
            "true:N", title="true", sort=None, scale=alt.Scale(domain=list(names)),
            axis=alt.Axis(labelLimit=110, grid=False),
        ),
        tooltip=[
            "true:N", "guessed:N", "texts:Q", alt.Tooltip("share:Q", title="share of the true class", format=".1%"),
        ],
    )  # fmt: skip
    shade = alt.Scale(domain=[0, 1], range=[0.03, 1])
    chart: Any = base.mark_rect(fill=palette.first, stroke=palette.faint, strokeWidth=0.5).encode(
        fillOpacity=alt.FillOpacity("share:Q", scale=shade, legend=None)
    )
    if len(names) <= MOST_NUMBERED:
        dark = alt.condition("datum.share > 0.5", alt.value(palette.on_first), alt.value(palette.ink))
        chart += base.mark_text(fontSize=12).encode(text=alt.Text("texts:Q", format=","), color=dark)
    height = max(220, (36 if len(names) <= MOST_NUMBERED else 18) * len(names))
    return to_spec(chart, "confusion matrix: how many texts of each class were taken for each class", palette, height)


def reliability(bins: Sequence[Bin], palette: Palette) -> Spec:
    """Bars of the share that is right against confidence; on the diagonal a probability means what it says."""
    rows = [
        {"low": one.low, "high": one.high, "confidence": one.confidence, "accuracy": one.accuracy, "texts": one.texts}
        for one in bins
    ]
    share = alt.Scale(domain=[0, 1])
    tooltip = [
        alt.Tooltip("low:Q", title="confidence from", format=".2f"), alt.Tooltip("high:Q", title="to", format=".2f"),
        alt.Tooltip("confidence:Q", title="mean confidence", format=".3f"),
        alt.Tooltip("accuracy:Q", title="share right", format=".3f"), alt.Tooltip("texts:Q"),
    ]  # fmt: skip
    data = alt.Chart(alt.InlineData(values=rows)).encode(tooltip=tooltip)
    bars = data.mark_rect(fill=palette.first, fillOpacity=0.5, stroke=palette.first).encode(
        x=alt.X("low:Q", title="confidence", scale=share, axis=alt.Axis(format="%", tickCount=6)),
        x2="high:Q",
        y=alt.Y("accuracy:Q", title="share right", scale=share, axis=alt.Axis(format="%", tickCount=6)),
        y2=alt.datum(0),
    )
    points = data.mark_point(color=palette.second, filled=True, size=45, opacity=1).encode(
        x="confidence:Q", y="accuracy:Q"
    )
    ends = alt.InlineData(values=[{"x": 0, "y": 0}, {"x": 1, "y": 1}])
    diagonal = alt.Chart(ends).mark_line(color=palette.ink, strokeDash=[4, 4], strokeWidth=1).encode(x="x:Q", y="y:Q")
    return to_spec(bars + diagonal + points, "reliability: the share right against confidence", palette, 280)


def side_by_side(rows: Sequence[Sequence[Spec]]) -> Spec:
    """One picture of several charts, given row by row. Their settings are the first one's."""
    shared = ("$schema", "config", "datasets")
    inner = [[{key: value for key, value in spec.items() if key not in shared} for spec in row] for row in rows]
    first = rows[0][0]
    apart = {"scale": {"color": "independent", "strokeDash": "independent"}}
    return {
        "datasets": {name: data for row in rows for spec in row for name, data in spec["datasets"].items()},
        "$schema": first["$schema"],
        "config": first["config"],
        "background": "white",
        "padding": 16,
        "vconcat": [{"hconcat": row, "spacing": 40, "resolve": apart} for row in inner],
        "spacing": 30,
        "resolve": apart,
    }


def _thinned(points: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Points with a number, evenly fewer where there are very many; the last one always."""
    points = [(at, value) for at, value in points if math.isfinite(value)]
    every = math.ceil(len(points) / MOST_POINTS) or 1
    kept = points[::every]
    return kept if not points or kept[-1] == points[-1] else [*kept, points[-1]]


def _fits_across(names: Sequence[str]) -> bool:
    return len(names) <= MOST_NUMBERED and max(map(len, names)) <= 4
