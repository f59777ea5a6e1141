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
from emojob.training.evaluation.metrics import TOO_FEW, Evaluation
from emojob.training.evaluation.words import Words, too_few_legend, words_of

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
        axes: Titles of both axes of a matrix.
    """

    id: str
    title: str
    caption: str
    spec: Spec
    rows: TableRows
    wide: bool = False
    axes: str = ""


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

    # in English, because the machine may have no font for Hangul
    drawn = [[spec for *_, spec, _ in row] for row in _curve_charts(curves, PICTURE, words_of("en"))]
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
    against: str = "",
    warnings: Sequence[str] = (),
    language: str = "en",
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
        language: Language of the page: en or ko.

    Raises:
        OptionError: A package for drawing is not installed.
    """
    check_drawable()
    words = words_of(language)
    quality_figures = [_confusion_figure(evaluation, words), _reliability_figure(evaluation, words)]
    training_figures = _training_figures(curves or Curves(), words)
    specs = {figure.id: figure.spec for figure in (*quality_figures, *training_figures)}
    page = render(
        _file("page.html"),
        _file("page.js"),
        style_sheet(),
        {"figures": specs, "words": {"not_drawn": words["not_drawn"]}},
        words=words,
        title=visible(title),
        subtitle=words["subtitle"].format(texts=f"{evaluation.texts:,}", classes=len(evaluation.classes)),
        warnings=[visible(warning) for warning in warnings],
        tiles=_tiles(evaluation, words),
        legend=_legend(evaluation, words),
        comparison=_comparison(comparison, visible(title), visible(against), words) if comparison else None,
        classes=_class_rows(evaluation, words),
        quality_figures=quality_figures,
        training_figures=training_figures,
        facts=[(visible(name), visible(value)) for name, value in facts.items()],
    )
    write_bytes(file, page)


# -- charts --------------------------------------------------------------------------------------------------------


def _confusion_figure(evaluation: Evaluation, words: Words) -> _Figure:
    from emojob.training.evaluation import charts

    names = _distinct([visible(name) for name in evaluation.classes])
    matrix = evaluation.confusion
    return _Figure(
        id="confusion",
        title=words["confusion"],
        caption=words["confusion_caption"],
        spec=charts.confusion(names, matrix, PAGE, words),
        rows=[
            [f"{words['true']} \\ {words['predicted']}", *names],
            *([name, *map(_count, row)] for name, row in zip(names, matrix, strict=True)),
        ],
        wide=len(names) > charts.MOST_NUMBERED,
        axes=words["axes"],
    )


def _reliability_figure(evaluation: Evaluation, words: Words) -> _Figure:
    from emojob.training.evaluation import charts

    return _Figure(
        id="reliability",
        title=words["reliability"],
        caption=words["reliability_caption"].format(error=evaluation.shown()["calibration_error"]),
        spec=charts.reliability(evaluation.reliability, PAGE, words),
        rows=[
            [words[name] for name in ("confidence", "texts", "mean_confidence", "accuracy")],
            *(
                [_range(b.low, b.high, words, 2), _count(b.texts), f"{b.confidence:.3f}", f"{b.accuracy:.3f}"]
                for b in evaluation.reliability
            ),
        ],
    )


def _training_figures(curves: Curves, words: Words) -> list[_Figure]:
    figures = []
    for name, spec, rows in (chart for row in _curve_charts(curves, PAGE, words) for chart in row):
        shown = [rows[0], *_every_nth(rows[1:], _MOST_ROWS)]
        caption = words["values_shown" if len(shown) < len(rows) else "values"]
        caption = caption.format(count=f"{len(rows) - 1:,}", shown=len(shown) - 1)
        figures.append(_Figure(name.replace("_", "-"), words[f"curve_{name}"], caption, spec, shown))
    return figures


def _curve_charts(curves: Curves, palette: Palette, words: Words) -> list[list[tuple[str, Spec, TableRows]]]:
    """Return (name, chart, table) for each logged curve. Each inner list is a row of the page."""
    from emojob.training.evaluation import charts

    def by_epoch(name: str, **parts: list[float]) -> tuple[str, Spec, TableRows]:
        logged = {part: values for part, values in parts.items() if values}
        head = (words["epoch"], *(words[part] for part in logged))
        rows = _table(head, [curves.epoch, *logged.values()])
        return name, charts.by_epoch(words[f"curve_{name}"], curves.epoch, logged, palette, words), rows

    def by_step(name: str, values: list[float]) -> tuple[str, Spec, TableRows]:
        title = words[f"curve_{name}"].lower()
        rows = _table((words["step"], title), [curves.step, values])
        return name, charts.by_step(title, curves.step, values, palette, words), rows

    found = []
    if curves.epoch:
        found.append([
            by_epoch("log_loss", train=curves.train_loss, validation=curves.validation_loss, test=curves.test_loss),
            by_epoch(
                "accuracy", train=curves.train_accuracy, validation=curves.validation_accuracy,
                test=curves.test_accuracy,
            ),
        ])  # fmt: skip
    if curves.validation_macro_f1:
        found[-1].append(by_epoch("macro_f1", validation=curves.validation_macro_f1))
    if curves.step:
        found.append([by_step("training_loss", curves.loss), by_step("learning_rate", curves.learning_rate)])
    return found


# -- tables --------------------------------------------------------------------------------------------------------


def _tiles(evaluation: Evaluation, words: Words) -> list[tuple[str, str, str]]:
    """Return (name, value, confidence interval) of each metric."""
    shown, found = evaluation.shown(), evaluation.intervals()
    metrics = ("accuracy", "macro_f1", "calibration_error", "log_loss", "most_frequent")
    return [
        (words[one], shown[one], _range(found[one].low, found[one].high, words) if one in found else "")
        for one in metrics
    ]


def _legend(evaluation: Evaluation, words: Words) -> str:
    shown = [*evaluation.shown().values(), *(cell for one in evaluation.classes.values() for cell in one.shown())]
    return f"{words['ranges']} {too_few_legend(words)}." if TOO_FEW in shown else str(words["ranges"])


def _class_rows(evaluation: Evaluation, words: Words) -> TableRows:
    return [
        [words[name] for name in ("class", "texts", "precision", "recall", "f1")],
        *(
            [_shown_label(name, words), _count(figures.support), *figures.shown()]
            for name, figures in evaluation.classes.items()
        ),
    ]


def _comparison(comparison: Comparison, ours: str, other: str, words: Words) -> dict[str, Any]:
    """Return the texts and the table for the section that compares two models."""

    def row(figure: str, d: Difference) -> list[str]:
        return [figure, f"{d.ours:.3f}", f"{d.other:.3f}", f"{d.difference:+.3f}", d.interval(words)]

    enough = comparison.texts >= FEWEST_TEXTS
    return {
        "against": other,
        "sentence": comparison.sentence(ours, other, words),
        "rows": [
            ["", ours, other, words["difference"], words["interval"]],
            row(words["accuracy"], comparison.accuracy),
            *([row(words["macro_f1"], comparison.macro_f1)] if enough else []),
            *([row(words["log_loss_less"], comparison.log_loss)] if enough else []),
        ],
        "note": words["comparison_note"].format(
            texts=f"{comparison.texts:,}", ours=ours, other=other, only_ours=f"{comparison.only_ours:,}",
            only_other=f"{comparison.only_other:,}", resamples=f"{comparison.resamples:,}",
        ),
    }  # fmt: skip


def _range(low: float, high: float, words: Words, decimals: int = 3) -> str:
    return str(words["range"].format(low=f"{low:.{decimals}f}", high=f"{high:.{decimals}f}"))


def _table(names: Sequence[str], columns: Sequence[Sequence[float]]) -> TableRows:
    return [list(names), *([_number(value) for value in row] for row in zip(*columns, strict=False))]


def _number(value: float) -> str:
    return "–" if not math.isfinite(value) else f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _count(texts: int) -> str:
    return f"{texts:,}"


def _shown_label(label: str, words: Words) -> str:
    is_english = words["language"] == "en" and label in ENGLISH
    return f"{visible(label)} ({ENGLISH[label]})" if is_english else visible(label)


def _distinct(names: Sequence[str]) -> list[str]:
    """Make the names distinct: append a number to a repeated name."""
    return [name if name not in names[:i] else f"{name} #{i}" for i, name in enumerate(names)]


def _every_nth(rows: TableRows, most: int) -> TableRows:
    """Return every n-th row, so that at most `most` rows remain."""
    return rows[:: math.ceil(len(rows) / most) or 1]


def _file(name: str) -> str:
    return files("emojob.training.evaluation").joinpath(name).read_text(encoding="utf-8")
