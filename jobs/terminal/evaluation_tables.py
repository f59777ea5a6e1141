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
from emojob.training.evaluation.metrics import TOO_FEW

if TYPE_CHECKING:
    from emojob.training.evaluation.comparison import Comparison
    from emojob.training.evaluation.evaluate import Measurement
    from emojob.training.evaluation.label_order import OrderCheck
    from emojob.training.evaluation.metrics import Evaluation
    from emojob.training.evaluation.words import Words

#: {metric: its name in words.toml}
_FIGURES = {
    "accuracy": "accuracy",
    "macro_f1": "macro_f1",
    "calibration_error": "expected_calibration_error",
    "log_loss": "log_loss",
    "most_frequent": "always_most_frequent",
}
_WIDEST_LABEL = 24  # maximum width of a label; a Hangul syllable has the width 2


@contextlib.contextmanager
def evaluation_bar() -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar in a terminal. Yield callback(done, total), which updates the bar with numbers of texts."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("scoring", total=None)
        yield lambda done, texts: bar.update(task, completed=done, total=texts)


def print_measurement(found: Measurement, written: list[Path], words: Words) -> None:
    """Print the result of `emojob evaluate`.

    Args:
        found: The metrics of one or two models.
        written: The JSON and HTML files that were written.
        words: Texts of the language, from training/evaluation/words.py.
    """
    from emojob.training.evaluation.words import model_shown

    console = PipedConsole()
    title = words["on_texts"].format(
        model=plain(model_shown(found.model.name, words)), texts=f"{found.model.evaluation.texts:,}"
    )
    console.print_line(f"\n  {title}", "bold")
    console.print_line(f"  {plain(found.data_line(words))}")
    for warning in found.warnings:
        console.print(Text(f"  {words['warning']}: {plain(warning)}", "bold"))
    console.print()
    against = found.against.evaluation if found.against else None
    print_evaluation(found.model.evaluation, words, against, found.comparison)
    _print_wrong(found, words)
    result = found.in_words(words)
    if result:
        console.print(Text(f"{plain(result)}\n", "bold"))
    for file in written:
        console.print_line(f"  {words['wrote']}  {plain(str(file))}")


def _print_wrong(found: Measurement, words: Words) -> None:
    """Print the texts that the model gets wrong, with personal data masked."""
    if not found.wrong:
        return
    from emojob.pipeline.privacy.pii.masking import mask_texts

    console = PipedConsole()
    table = Table(box=None, padding=(0, 1), title=f" {words['wrong']}", title_justify="left", title_style="")
    table.add_column(words["label"], no_wrap=True)
    table.add_column(words["predicted"], no_wrap=True)
    table.add_column(words["probability"], justify="right", no_wrap=True)
    table.add_column(words["text"])
    for one, text in zip(found.wrong, mask_texts([one.text for one in found.wrong]), strict=True):
        label, predicted = (Text(cut_to_width(plain(name), _WIDEST_LABEL)) for name in (one.label, one.predicted))
        table.add_row(label, predicted, f"{one.confidence:.3f}", OneLine(text or ""))
    console.print(table)
    console.print()


def print_evaluation(
    ours: Evaluation, words: Words, other: Evaluation | None = None, comparison: Comparison | None = None
) -> None:
    """Print the overall metrics and the metrics of each class.

    Args:
        ours: Metrics of the first model.
        words: Texts of the language, from training/evaluation/words.py.
        other: Metrics of the second model, if there is a second model.
        comparison: Differences between the two models, with confidence intervals.
    """
    from emojob.training.evaluation.words import too_few_legend

    console = PipedConsole()
    console.print(_overall(ours, words, other, comparison))
    console.print()
    console.print(_classes(ours, words, other))
    every = [figures for one in (ours, other) if one for figures in one.classes.values()]
    if any(TOO_FEW in figures for figures in (ours.shown().values(), *(figures.shown() for figures in every))):
        console.print_line(f"\n {too_few_legend(words)}")
    console.print()


def _overall(ours: Evaluation, words: Words, other: Evaluation | None, comparison: Comparison | None) -> Table:
    table = Table(box=None, padding=(0, 1))
    table.add_column()
    for head in ("model", *(("against", "difference") if other else ()), "interval"):
        table.add_column(words[head], justify="right")
    intervals = ours.intervals()
    for name, shown in _FIGURES.items():
        row = [words[shown], ours.shown()[name]]
        if other is None:
            found = intervals.get(name)
            ends = words["range"].format(low=f"{found.low:.3f}", high=f"{found.high:.3f}") if found else ""
            table.add_row(*row, ends)
            continue
        row.append(other.shown()[name])
        has_difference = name != "most_frequent" and TOO_FEW not in row
        row.append(f"{getattr(ours, name) - getattr(other, name):+.3f}" if has_difference else "")
        difference = getattr(comparison, name, None)
        table.add_row(*row, difference.interval(words) if difference else "")
    return table


def _classes(ours: Evaluation, words: Words, other: Evaluation | None) -> Table:
    table = Table(box=None, padding=(0, 1))
    table.add_column(words["class"])
    for name in ("texts", "precision", "recall", "f1", *(("f1_against",) if other else ())):
        table.add_column(words[name], justify="right")
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
