"""The figures of a model, as `emojob evaluate` and `emojob train` print them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from emojob.jobs.terminal.text import plain

if TYPE_CHECKING:
    from emojob.training.evaluation.comparison import Comparison
    from emojob.training.evaluation.metrics import Evaluation

_FIGURES = {
    "accuracy": "accuracy",
    "macro-F1": "macro_f1",
    "expected calibration error": "calibration_error",
    "log-loss": "log_loss",
    "always the most frequent class": "most_frequent",
}


class PipedConsole(Console):
    """A console whose reader may leave early, as `head` does: that ends a command as it does without rich, with 0."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def print_evaluation(ours: Evaluation, other: Evaluation | None = None, comparison: Comparison | None = None) -> None:
    """Print the figures of the whole and of each class; beside another model's where there is one."""
    console = PipedConsole(highlight=False)
    console.print(_figures(ours, other, comparison))
    console.print()
    console.print(_classes(ours, other))
    console.print()


def _figures(ours: Evaluation, other: Evaluation | None, comparison: Comparison | None) -> Table:
    """The figures of the whole; beside another model's, with the interval of the difference."""
    table = Table(box=None, padding=(0, 1), show_header=other is not None)
    table.add_column()
    for name in ("model", *(("against", "difference", "95% interval") if other else ())):
        table.add_column(name, justify="right")
    for shown, name in _FIGURES.items():
        row = [shown, f"{getattr(ours, name):.3f}"]
        if other:
            row.append(f"{getattr(other, name):.3f}")
            row.append(f"{getattr(ours, name) - getattr(other, name):+.3f}" if name != "most_frequent" else "")
            difference = getattr(comparison, name, None)
            row.append(f"{difference.low:+.3f} to {difference.high:+.3f}" if difference else "")
        table.add_row(*row)
    return table


def _classes(ours: Evaluation, other: Evaluation | None) -> Table:
    table = Table(box=None, padding=(0, 1))
    table.add_column("class")
    for name in ("texts", "precision", "recall", "F1", *(("F1 against",) if other else ())):
        table.add_column(name, justify="right")
    for name, one in ours.classes.items():
        shares = [f"{share:.3f}" for share in (one.precision, one.recall, one.f1)]
        if other:
            shares.append(f"{other.classes[name].f1:.3f}")
        table.add_row(Text(plain(name, 24)), f"{one.support:,}", *shares)
    return table
