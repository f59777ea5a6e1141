"""Prints the progress of `emojob train`, and the metrics of the finished model."""

from __future__ import annotations

import contextlib
import shlex
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

from emojob.jobs.interruption import stop_on_signals
from emojob.jobs.terminal.console import note
from emojob.jobs.terminal.text import duration, plain

if TYPE_CHECKING:
    from emojob.training.finetune.run import Outcome
    from emojob.training.finetune.watch import Progress

_LINE_SECONDS = 30.0  # seconds between two lines of progress
_RESUME = "interrupted: to resume from the last checkpoint, run the same command again"


class TrainingLog:
    """Shows the progress of a training run: a progress bar in a terminal, otherwise a line every 30 seconds.

    Ctrl-C or SIGTERM saves a checkpoint, then stops the training. Under torchrun, only the first process prints.
    """

    def __init__(self, quiet: bool) -> None:
        from emojob.training.finetune.distributed import is_first
        from emojob.training.finetune.watch import Callbacks

        self._is_first = is_first()
        self._signals = contextlib.ExitStack()
        self._has_signals = False
        self.quiet = quiet or not self._is_first
        self.callbacks = Callbacks(self._report, self._note)
        self._bar: Any = None
        self._printed = time.monotonic()

    def __enter__(self) -> TrainingLog:
        if self._is_first:
            self._take_signals()
        if not self.quiet and sys.stderr.isatty():
            self._bar = _bar()
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._signals.close()
        if self._bar:
            self._bar.stop()

    def _take_signals(self) -> None:
        self._signals.enter_context(stop_on_signals(self.callbacks.stop, message=_RESUME))
        self._has_signals = True

    def _report(self, progress: Progress) -> None:
        if not self._has_signals:  # under torchrun, only the first process has set the signal handlers before
            self._take_signals()
        if self.quiet:
            return
        left = progress.seconds_left
        words = {
            "epoch": f"epoch {progress.epoch:.1f} of {progress.epochs}",
            "loss": f"loss {progress.loss:.3f}",
            "rate": f"learning rate {progress.learning_rate:.1e}",
            "left": f"{duration(left)} left" if left is not None else "",
        }
        if self._bar:
            self._bar.update(self._bar.task_ids[0], completed=progress.step, total=progress.steps, **words)
        elif time.monotonic() - self._printed >= _LINE_SECONDS:
            self._printed = time.monotonic()
            note(", ".join(word for word in words.values() if word))

    def _note(self, text: str) -> None:
        if self.quiet:
            return
        if self._bar:
            self._bar.console.print(plain(text), style="dim", markup=False, highlight=False)
        else:
            note(text)


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.fields[epoch]}"),
        BarColumn(),
        TextColumn("{task.fields[loss]} · {task.fields[rate]} · {task.fields[left]}"),
        console=Console(stderr=True),
        transient=True,
    )
    bar.add_task("", total=None, epoch="reading", loss="", rate="", left="")
    return bar


def print_outcome(outcome: Outcome, language: str) -> None:
    """Print the metrics and the folder of a trained model, and the next command. The language is en or ko."""
    from emojob.training.finetune.distributed import is_first

    if not is_first():
        return
    folder = plain(str(outcome.folder))
    if outcome.was_finished:
        click.echo(f"the model in {folder} is already trained; to train again, add --fresh")
        return
    if outcome.evaluation:
        from emojob.jobs.terminal.evaluation_tables import print_evaluation
        from emojob.training.evaluation.words import words_of

        print_evaluation(outcome.evaluation, words_of(language))
    for line in outcome.notes:
        click.echo(f"  note     {plain(line)}")
    click.echo(f"  model    {folder}")
    click.echo(f"  next     emojob score FILE.parquet --model {plain(shlex.quote(str(outcome.folder)))}")
