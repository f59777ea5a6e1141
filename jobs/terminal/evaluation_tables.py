"""Prints the metrics of a model, and the progress of `emojob evaluate`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from emojob.jobs.terminal.piped_console import OneLine, PipedConsole
from emojob.jobs.terminal.text import cut_to_width, plain
from emojob.training.evaluation.metrics import TOO_FEW, TOO_FEW_LEGEND

if TYPE_CHECKING:
    from emojob.training.evaluation.comparison import Comparison
    from emojob.training.evaluation.evaluate import Measurement
    from emojob.training.evaluation.label_order import OrderCheck
    from emojob.training.evaluation.metrics import Evaluation

_FIGURES = {
    "accuracy": "accuracy",
    "macro-F1": "macro_f1",
    "expected calibration error": "calibration_error",
    "log-loss": "log_loss",
    "always the most frequent class": "most_frequent",
}


_WIDEST_LABEL = 24  # maximum width of a label; a Hangul syllable has the width 2


@contextlib.contextmanager
def evaluation_bar() -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar in a terminal. Yield callback(done, total), which updates the bar with numbers of texts."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("scoring", total=None)
        yield lambda done, texts: bar.update(task, completed=done, total=texts)


def print_measurement(found: Measurement, written: list[Path]) -> None:
    """Print the result of `emojob evaluate`.

    Args:
        found: The metrics of one or two models.
        written: The JSON and HTML files that were written.
    """
    console = PipedConsole()
    console.print_line(f"\n  {plain(found.model.name)} on {found.model.evaluation.texts:,} texts", "bold")
    console.print_line(f"  {plain(found.data_line)}")
    for warning in found.warnings:
        console.print(Text(f"  warning: {plain(warning)}", "bold"))
    console.print()
    print_evaluation(found.model.evaluation, found.against.evaluation if found.against else None, found.comparison)
    _print_wrong(found)
    if found.in_words:
        console.print(Text(f"{plain(found.in_words)}\n", "bold"))
    for file in written:
        console.print_line(f"  wrote  {plain(str(file))}")


def _print_wrong(found: Measurement) -> None:
    """Print the texts that the model gets wrong, with personal data masked."""
    if not found.wrong:
        return
    from emojob.pipeline.privacy.pii.masking import mask_texts

    console = PipedConsole()
    table = Table(box=None, padding=(0, 1), title=" most confident wrong labels", title_justify="left", title_style="")
    table.add_column("label", no_wrap=True)
    table.add_column("predicted", no_wrap=True)
    table.add_column("prob.", justify="right", no_wrap=True)
    table.add_column("text")
    for one, text in zip(found.wrong, mask_texts([one.text for one in found.wrong]), strict=True):
        label, predicted = (Text(cut_to_width(plain(name), _WIDEST_LABEL)) for name in (one.label, one.predicted))
        table.add_row(label, predicted, f"{one.confidence:.3f}", OneLine(text or ""))
    console.print(table)
    console.print()


def print_evaluation(ours: Evaluation, other: Evaluation | None = None, comparison: Comparison | None = None) -> None:
    """Print the overall metrics and the metrics of each class.

    Args:
        ours: Metrics of the first model.
        other: Metrics of the second model, if there is a second model.
        comparison: Differences between the two models, with confidence intervals.
    """
    console = PipedConsole()
    console.print(_overall(ours, other, comparison))
    console.print()
    console.print(_classes(ours, other))
    every = [figures for one in (ours, other) if one for figures in one.classes.values()]
    if any(TOO_FEW in figures for figures in (ours.shown().values(), *(figures.shown() for figures in every))):
        console.print_line(f"\n {TOO_FEW_LEGEND}")
    console.print()


def _overall(ours: Evaluation, other: Evaluation | None, comparison: Comparison | None) -> Table:
    table = Table(box=None, padding=(0, 1))
    table.add_column()
    for name in ("model", *(("against", "difference") if other else ()), "95% interval"):
        table.add_column(name, justify="right")
    intervals = ours.intervals()
    for shown, name in _FIGURES.items():
        row = [shown, ours.shown()[name]]
        if other is None:
            table.add_row(*row, str(intervals.get(name, "")))
            continue
        row.append(other.shown()[name])
        has_difference = name != "most_frequent" and TOO_FEW not in row
        row.append(f"{getattr(ours, name) - getattr(other, name):+.3f}" if has_difference else "")
        difference = getattr(comparison, name, None)
        table.add_row(*row, difference.interval if difference else "")
    return table


def _classes(ours: Evaluation, other: Evaluation | None) -> Table:
    table = Table(box=None, padding=(0, 1))
    table.add_column("class")
    for name in ("texts", "precision", "recall", "F1", *(("F1 against",) if other else ())):
        table.add_column(name, justify="right")
    for name, one in ours.classes.items():
        figures = one.shown()
        if other:
            figures.append(other.classes[name].shown()[-1])
        table.add_row(Text(cut_to_width(plain(name), _WIDEST_LABEL)), f"{one.support:,}", *figures)
    return table


def print_orders(found: OrderCheck) -> None:
    """Print the accuracy of a model for each order of its labels."""
    console = PipedConsole()
    console.print_line(f"\n  order of the labels, {plain(found.data)}; {found.tried:,} orders compared", "bold")
    for order in found.orders:
        style = "bold" if order == found.best else ""
        name = f"  ({order.name})" if order.name else ""
        console.print_line(f"  {order.accuracy:.3f}  {plain(','.join(order.labels))}{name}", style)
    for line in found.notes():
        console.print_line(f"  note     {plain(line)}")
    console.print()
