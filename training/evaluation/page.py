"""Writes the HTML page of a model (metrics, classes, charts), and a PNG picture of the training curves.

The page is a single HTML file and needs no network. Only the script in the page may run (Content-Security-Policy).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from emojob.pipeline.html.page import (
    PAGE,
    PICTURE,
    Palette,
    Spec,
    check_drawable,
    render,
    style_sheet,
    visible,
)
from emojob.pipeline.storage.atomic import write_bytes
from emojob.schemas.labels import ENGLISH
from emojob.training.evaluation.comparison import Comparison, Difference
from emojob.training.evaluation.curves import Curves
from emojob.training.evaluation.intervals import FEWEST_TEXTS
from emojob.training.evaluation.metrics import TOO_FEW, TOO_FEW_LEGEND, Evaluation

#: Maximum number of rows in a table with the values of a curve, not counting the header.
_MOST_ROWS = 60

#: A table: the first row is the header.
TableRows = list[list[str]]


@dataclass(frozen=True)
class _Figure:
    """A chart of the page, and a table with the values of the chart.

    Attributes:
        id: ID of the HTML element that contains the chart.
        title: Heading above the chart.
        caption: Text below the chart.
        spec: Vega-Lite specification of the chart.
        rows: Rows of the table; the first row is the header.
        wide: Whether the chart is as wide as the page.
    """

    id: str
    title: str
    caption: str
    spec: Spec
    rows: TableRows
    wide: bool = False


def write_pictures(folder: Path, curves: Curves) -> list[Path]:
    """Draw the training curves into curves.png. Return [path of curves.png], or [] if there are no curves.

    Raises:
        OptionError: A package for drawing is not installed.
    """
    check_drawable()
    if not curves.epoch and not curves.step:
        return []
    import vl_convert

    from emojob.training.evaluation import charts

    drawn = [[spec for _, spec, _ in row] for row in _curve_charts(curves, PICTURE)]
    path = folder / "curves.png"
    write_bytes(path, vl_convert.vegalite_to_png(charts.side_by_side(drawn), scale=2))
    return [path]


def write_page(
    file: Path,
    title: str,
    evaluation: Evaluation,
    curves: Curves | None,
    facts: dict[str, str],
    comparison: Comparison | None = None,
    against: str = "the other model",
    warnings: Sequence[str] = (),
) -> None:
    """Write a self-contained HTML page about a model.

    Args:
        file: Path of the page.
        title: Title of the page: the name of the model.
        evaluation: Metrics on the test texts.
        curves: Values that training logged; None if there was no training.
        facts: Facts about data, recipe and versions: {name: text}.
        comparison: Comparison with another model; None: no comparison on the page.
        against: Name of the other model in the comparison.
        warnings: Reasons why the metrics may be too good.

    Raises:
        OptionError: A package for drawing is not installed.
    """
    check_drawable()
    quality_figures, training_figures = _quality_figures(evaluation), _training_figures(curves or Curves())
    page = render(
        _file("page.html"),
        _file("page.js"),
        style_sheet(),
        {figure.id: figure.spec for figure in (*quality_figures, *training_figures)},
        title=visible(title),
        subtitle=f"Measured on {evaluation.texts:,} texts with {len(evaluation.classes)} classes",
        warnings=[visible(warning) for warning in warnings],
        tiles=_tiles(evaluation),
        legend=_legend(evaluation),
        comparison=_comparison(comparison, visible(title), visible(against)) if comparison else None,
        classes=_class_rows(evaluation),
        quality_figures=quality_figures,
        training_figures=training_figures,
        facts=[(visible(name), visible(value)) for name, value in facts.items()],
    )
    write_bytes(file, page)


# -- charts --------------------------------------------------------------------------------------------------------


def _quality_figures(evaluation: Evaluation) -> list[_Figure]:
    return [_confusion_figure(evaluation), _reliability_figure(evaluation)]


def _confusion_figure(evaluation: Evaluation) -> _Figure:
    from emojob.training.evaluation import charts

    names = _distinct([visible(name) for name in evaluation.classes])
    matrix = evaluation.confusion
    return _Figure(
        id="confusion",
        title="Confusion matrix",
        caption="Rows: true classes. Columns: predicted classes. The stronger the colour of a cell, the more texts of "
        "the true class are in it.",
        spec=charts.confusion(names, matrix, PAGE),
        rows=[
            ["true \\ predicted", *names],
            *([name, *map(_count, row)] for name, row in zip(names, matrix, strict=True)),
        ],
        wide=len(names) > charts.MOST_NUMBERED,
    )


def _reliability_figure(evaluation: Evaluation) -> _Figure:
    from emojob.training.evaluation import charts

    return _Figure(
        id="reliability",
        title="Reliability",
        caption="Bars: accuracy of the texts in each range of confidence. Points: the same accuracy, drawn at the mean "
        "confidence of these texts. On the dashed line, confidence equals accuracy. "
        f"Expected calibration error: {evaluation.shown()['calibration_error']}.",
        spec=charts.reliability(evaluation.reliability, PAGE),
        rows=[
            ["confidence", "texts", "mean confidence", "accuracy"],
            *(
                [f"{b.low:.2f} to {b.high:.2f}", _count(b.texts), f"{b.confidence:.3f}", f"{b.accuracy:.3f}"]
                for b in evaluation.reliability
            ),
        ],
    )


def _training_figures(curves: Curves) -> list[_Figure]:
    figures = []
    for title, spec, rows in (chart for row in _curve_charts(curves, PAGE) for chart in row):
        shown = [rows[0], *_every_nth(rows[1:], _MOST_ROWS)]
        caption = f"{len(rows) - 1:,} values"
        if len(shown) < len(rows):
            caption += f"; the table shows {len(shown) - 1}"
        figures.append(_Figure(title.lower().replace(" ", "-"), title, caption, spec, shown))
    return figures


def _curve_charts(curves: Curves, palette: Palette) -> list[list[tuple[str, Spec, TableRows]]]:
    """Return (title, chart, table) for each logged curve. Each inner list is a row of the page."""
    from emojob.training.evaluation import charts

    def by_epoch(title: str, **parts: list[float]) -> tuple[str, Spec, TableRows]:
        logged = {part: values for part, values in parts.items() if values}
        rows = _table(("epoch", *logged), [curves.epoch, *logged.values()])
        return title, charts.by_epoch(title, curves.epoch, logged, palette), rows

    def by_step(title: str, values: list[float]) -> tuple[str, Spec, TableRows]:
        rows = _table(("step", title.lower()), [curves.step, values])
        return title, charts.by_step(title.lower(), curves.step, values, palette), rows

    found = []
    if curves.epoch:
        found.append([
            by_epoch("Log-loss", train=curves.train_loss, validation=curves.validation_loss, test=curves.test_loss),
            by_epoch(
                "Accuracy", train=curves.train_accuracy, validation=curves.validation_accuracy,
                test=curves.test_accuracy,
            ),
        ])  # fmt: skip
    if curves.validation_macro_f1:
        found[-1].append(by_epoch("Macro-F1", validation=curves.validation_macro_f1))
    if curves.step:
        found.append([by_step("Training loss", curves.loss), by_step("Learning rate", curves.learning_rate)])
    return found


# -- tables --------------------------------------------------------------------------------------------------------


def _tiles(evaluation: Evaluation) -> list[tuple[str, str, str]]:
    """Return (name, value, confidence interval) of each metric."""
    shown, found = evaluation.shown(), evaluation.intervals()

    def tile(name: str, metric: str) -> tuple[str, str, str]:
        return name, shown[metric], str(found.get(metric, ""))

    return [
        tile("accuracy", "accuracy"),
        tile("macro-F1", "macro_f1"),
        tile("calibration error", "calibration_error"),
        tile("log-loss", "log_loss"),
        tile("most frequent class", "most_frequent"),
    ]


def _legend(evaluation: Evaluation) -> str:
    shown = [*evaluation.shown().values(), *(cell for one in evaluation.classes.values() for cell in one.shown())]
    few = TOO_FEW in shown
    ranges = "The ranges below the metrics are 95% confidence intervals."
    return f"{ranges} {TOO_FEW_LEGEND}." if few else ranges


def _class_rows(evaluation: Evaluation) -> TableRows:
    return [
        ["class", "texts", "precision", "recall", "F1"],
        *(
            [_with_english(name), _count(figures.support), *figures.shown()]
            for name, figures in evaluation.classes.items()
        ),
    ]


def _comparison(comparison: Comparison, ours: str, other: str) -> dict[str, Any]:
    """Return the texts and the table for the section that compares two models."""

    def row(figure: str, d: Difference) -> list[str]:
        return [figure, f"{d.ours:.3f}", f"{d.other:.3f}", f"{d.difference:+.3f}", d.interval]

    return {
        "against": other,
        "sentence": comparison.sentence(ours, other),
        "rows": [
            ["", ours, other, "difference", "95% interval"],
            row("accuracy", comparison.accuracy),
            *([row("macro-F1", comparison.macro_f1)] if comparison.texts >= FEWEST_TEXTS else []),
            *([row("log-loss (less is better)", comparison.log_loss)] if comparison.texts >= FEWEST_TEXTS else []),
        ],
        "note": (
            f"Both models were measured on the same {comparison.texts:,} texts. {comparison.only_ours:,} texts are "
            f"predicted correctly only by {ours}, and {comparison.only_other:,} only by {other}. McNemar's test of "
            "these texts alone decides which model is better. The interval of the accuracy agrees with the test. The "
            f"other intervals come from a paired bootstrap with {comparison.resamples:,} resamples."
        ),
    }


def _table(names: Sequence[str], columns: Sequence[Sequence[float]]) -> TableRows:
    return [list(names), *([_number(value) for value in row] for row in zip(*columns, strict=False))]


def _number(value: float) -> str:
    return "–" if not math.isfinite(value) else f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _count(texts: int) -> str:
    return f"{texts:,}"


def _with_english(label: str) -> str:
    return f"{visible(label)} ({ENGLISH[label]})" if label in ENGLISH else visible(label)


def _distinct(names: Sequence[str]) -> list[str]:
    """Make the names distinct: append a number to a repeated name."""
    return [name if name not in names[:i] else f"{name} #{i}" for i, name in enumerate(names)]


def _every_nth(rows: TableRows, most: int) -> TableRows:
    """Return every n-th row, so that at most `most` rows remain."""
    return rows[:: math.ceil(len(rows) / most) or 1]


def _file(name: str) -> str:
    return files("emojob.training.evaluation").joinpath(name).read_text(encoding="utf-8")
