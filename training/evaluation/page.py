"""A model's page and picture: what training logged and what the figures are, for the eye.

The page is one HTML file that needs no network, and whose Content-Security-Policy lets nothing run but its own script.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from emojob.pipeline.html.page import PAGE, PICTURE, check_drawable, render, style_sheet, visible
from emojob.pipeline.storage.atomic import write_bytes
from emojob.schemas.labels import ENGLISH
from emojob.training.evaluation.comparison import Comparison, Difference
from emojob.training.evaluation.curves import Curves
from emojob.training.evaluation.metrics import Evaluation

#: Rows of a table that stands for a curve, at most.
_MOST_ROWS = 60


def write_pictures(folder: Path, curves: Curves) -> list[Path]:
    """Draw curves.png into a folder, and return what was written: nothing where the curves are empty.

    Raises OptionError where a package that draws is not installed.
    """
    check_drawable()
    if not curves.epoch and not curves.step:
        return []
    import vl_convert

    from emojob.training.evaluation import charts

    drawn = [[spec for _, spec, _ in row] for row in _curve_charts(curves, PICTURE)]
    place = folder / "curves.png"
    write_bytes(place, vl_convert.vegalite_to_png(charts.side_by_side(drawn), scale=2))
    return [place]


def write_page(
    file: Path,
    title: str,
    evaluation: Evaluation,
    curves: Curves | None,
    facts: dict[str, str],
    comparison: Comparison | None = None,
    against: str = "the other model",
) -> None:
    """Write a self-contained HTML page: figures, classes, confusion matrix, reliability diagram, curves, facts.

    facts: what to say of data, recipe and versions, by name. against: the name of the model that `comparison` is with;
    our own there is `title`. Raises OptionError where a package that draws is not installed.
    """
    check_drawable()
    judged, learned = _judged(evaluation), _learned(curves or Curves())
    page = render(
        _part("page.html"),
        _part("page.js"),
        style_sheet(),
        {one.id: one.spec for one in (*judged, *learned)},
        title=visible(title),
        subtitle=f"Measured on {evaluation.texts:,} texts with {len(evaluation.classes)} classes",
        tiles=_tiles(evaluation),
        comparison=_compared(comparison, visible(title), visible(against)) if comparison else None,
        classes=_classes(evaluation),
        judged=judged,
        learned=learned,
        facts=[(visible(name), visible(value)) for name, value in facts.items()],
    )
    write_bytes(file, page)


@dataclass(frozen=True)
class _Figure:
    """A chart in the page, with the table that says the same; the table's first row is its head."""

    id: str
    title: str
    caption: str
    spec: dict[str, Any]
    rows: list[list[str]]
    wide: bool = False


def _judged(evaluation: Evaluation) -> list[_Figure]:
    from emojob.training.evaluation import charts

    names = _distinct([visible(name) for name in evaluation.classes])
    matrix = evaluation.confusion
    return [
        _Figure(
            "confusion",
            "Confusion matrix",
            "Down: the true class; across: what the model said. The stronger its colour, the larger a cell's "
            "share of the true class.",
            charts.confusion(names, matrix, PAGE),
            [
                ["true \\ guessed", *names],
                *([name, *map(_count, row)] for name, row in zip(names, matrix, strict=True)),
            ],
            wide=len(names) > charts.MOST_NUMBERED,
        ),
        _Figure(
            "reliability",
            "Reliability",
            "Bars: the share that is right among texts of like confidence; points: at their mean confidence. "
            "On the dashed line confidence means what it says. "
            f"Expected calibration error: {evaluation.calibration_error:.3f}.",
            charts.reliability(evaluation.reliability, PAGE),
            [
                ["confidence", "texts", "mean confidence", "share right"],
                *(
                    [f"{b.low:.2f} to {b.high:.2f}", _count(b.texts), f"{b.confidence:.3f}", f"{b.accuracy:.3f}"]
                    for b in evaluation.reliability
                ),
            ],
        ),
    ]  # fmt: skip


def _learned(curves: Curves) -> list[_Figure]:

    found = []
    for title, spec, rows in (one for row in _curve_charts(curves, PAGE) for one in row):
        thin = [rows[0], *_every(rows[1:], _MOST_ROWS)]
        caption = f"{len(rows) - 1:,} values" + (f"; the table shows {len(thin) - 1}" if len(thin) < len(rows) else "")
        found.append(_Figure(title.lower().replace(" ", "-"), title, caption, spec, thin))
    return found


def _curve_charts(curves: Curves, palette: Any) -> list[list[tuple[str, dict[str, Any], list[list[str]]]]]:
    """(title, chart, table) of each curve that was logged, row by row."""
    from emojob.training.evaluation import charts

    def by_epoch(title: str, train: list[float], test: list[float]) -> tuple[str, dict[str, Any], list[list[str]]]:
        rows = _columns(("epoch", "train", "test"), [curves.epoch, train, test])
        return title, charts.by_epoch(title.lower(), curves.epoch, train, test, palette), rows

    def by_step(title: str, values: list[float]) -> tuple[str, dict[str, Any], list[list[str]]]:
        rows = _columns(("step", title.lower()), [curves.step, values])
        return title, charts.by_step(title.lower(), curves.step, values, palette), rows

    found = []
    if curves.epoch:
        found.append([
            by_epoch("Loss", curves.train_loss, curves.test_loss),
            by_epoch("Accuracy", curves.train_accuracy, curves.test_accuracy),
        ])  # fmt: skip
    if curves.step:
        found.append([by_step("Training loss", curves.loss), by_step("Learning rate", curves.learning_rate)])
    return found


def _tiles(evaluation: Evaluation) -> list[tuple[str, str]]:
    return [
        ("accuracy", f"{evaluation.accuracy:.3f}"),
        ("macro-F1", f"{evaluation.macro_f1:.3f}"),
        ("calibration error", f"{evaluation.calibration_error:.3f}"),
        ("log-loss", f"{evaluation.log_loss:.3f}"),
        ("most frequent class", f"{evaluation.most_frequent:.3f}"),
    ]


def _classes(evaluation: Evaluation) -> list[list[str]]:
    return [
        ["class", "texts", "precision", "recall", "F1"],
        *(
            [_named(name), _count(one.support), f"{one.precision:.3f}", f"{one.recall:.3f}", f"{one.f1:.3f}"]
            for name, one in evaluation.classes.items()
        ),
    ]


def _compared(comparison: Comparison, ours: str, other: str) -> dict[str, Any]:
    def row(name: str, one: Difference) -> list[str]:
        return [
            name,
            f"{one.ours:.3f}",
            f"{one.other:.3f}",
            f"{one.difference:+.3f}",
            f"{one.low:+.3f} to {one.high:+.3f}",
        ]

    return {
        "against": other,
        "sentence": comparison.sentence(ours, other),
        "rows": [
            ["", ours, other, "difference", "95% interval"],
            row("accuracy", comparison.accuracy),
            row("macro-F1", comparison.macro_f1),
            row("log-loss (less is better)", comparison.log_loss),
        ],
        "note": (
            f"Both models on the same {comparison.texts:,} texts. {ours} alone is right on {comparison.only_ours:,} of "
            f"them, {other} alone on {comparison.only_other:,}. Intervals: paired bootstrap, "
            f"{comparison.resamples:,} resamples."
        ),
    }


def _columns(names: Sequence[str], columns: Sequence[Sequence[float]]) -> list[list[str]]:
    return [list(names), *([_number(value) for value in row] for row in zip(*columns, strict=False))]


def _number(value: float) -> str:
    return "–" if not math.isfinite(value) else f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _count(texts: int) -> str:
    return f"{texts:,}"


def _named(label: str) -> str:
    return f"{visible(label)} ({ENGLISH[label]})" if label in ENGLISH else visible(label)


def _distinct(names: Sequence[str]) -> list[str]:
    """The names, with a number behind one that an earlier one looks like."""
    return [name if name not in names[:i] else f"{name} #{i}" for i, name in enumerate(names)]


def _every(rows: list[list[str]], most: int) -> list[list[str]]:
    return rows[:: math.ceil(len(rows) / most) or 1]


def _part(name: str) -> str:
    return files("emojob.training.evaluation").joinpath(name).read_text(encoding="utf-8")
