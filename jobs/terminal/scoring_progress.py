"""Prints the progress of `emojob score` and `emojob nightly`: a progress bar, plain lines, or JSON lines."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from emojob.jobs.interruption import stop_on_signals
from emojob.jobs.terminal.text import duration, json_line, plain

if TYPE_CHECKING:
    from emojob.pipeline.running.run import Progress, Result
    from emojob.pipeline.system.prefetch import Stages

_LINE_SECONDS = 30.0  # seconds between two lines of progress


def make_log(log_format: str, quiet: bool) -> Log:
    """Return the object that prints messages and progress.

    Args:
        log_format: "text" or "json".
        quiet: Whether to print only errors.
    """
    if quiet:
        return Log()
    if log_format == "json":
        return JsonLog()
    return BarLog() if sys.stderr.isatty() else LineLog()


class Log:
    """The log for --quiet. Prints nothing, except the plan of --dry-run. All other logs inherit from this class."""

    takes_errors = False  # if false, `main` prints the errors

    @contextlib.contextmanager
    def running(self, stages: Stages) -> Iterator[None]:
        """Stop the run on Ctrl-C and on SIGTERM; see `stop_on_signals`."""
        with stop_on_signals(stages):
            yield

    def progress(self, progress: Progress) -> None:
        """Print the progress. The run calls this method about ten times per second."""

    def note(self, text: str) -> None:
        """Print a message for the user."""

    def plan(self, plan: dict[str, Any]) -> None:
        """Print the plan of --dry-run."""
        from emojob.jobs.terminal.scoring_summary import print_plan

        print_plan(plan)

    def summary(self, result: Result) -> None:
        """Print the result of a run."""

    def error(self, message: str, code: int) -> None:
        """Print an error on standard error."""
        _print_line(f"emojob: {plain(message)}")


def _print_line(line: str, file: Any = None) -> None:
    """Print a line, by default on standard error. If the stream is closed, print nothing."""
    with contextlib.suppress(OSError):
        print(line, file=file or sys.stderr, flush=True)


def _rows(progress: Progress) -> str:
    done = progress.rows_before + progress.rows_done
    return f"{done:,} of {'about ' * progress.is_estimate}{progress.rows_total:,} rows"


class LineLog(Log):
    """A log that prints a line of text every 30 seconds."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def progress(self, progress: Progress) -> None:
        if time.monotonic() - self._last >= _LINE_SECONDS:
            self._last = time.monotonic()
            self.line(progress)

    def line(self, progress: Progress) -> None:
        """Print the progress as one line."""
        left = progress.seconds_left
        parts = [
            _rows(progress),
            f"{progress.rows_per_second:,.0f} rows/s",
            f"{progress.memo_share:.0%} repeats",
            f"part {progress.parts + 1}",
            *([f"{duration(left)} left"] if left is not None else []),
        ]
        _print_line(f"emojob: {', '.join(parts)}")

    def note(self, text: str) -> None:
        _print_line(f"emojob: {plain(text)}")

    def summary(self, result: Result) -> None:
        from emojob.jobs.terminal.scoring_summary import print_summary

        print_summary(result)


class JsonLog(LineLog):
    """A log of JSON lines. The plan and the summary go to standard output, all other lines to standard error."""

    takes_errors = True

    def line(self, progress: Progress) -> None:
        self._print(
            "progress",
            rows=progress.rows_before + progress.rows_done,
            rows_total=progress.rows_total,
            rows_per_second=round(progress.rows_per_second, 1),
            memo_share=round(progress.memo_share, 4),
            part=progress.parts + 1,
            seconds_left=progress.seconds_left,
        )

    def note(self, text: str) -> None:
        self._print("note", message=text)

    def error(self, message: str, code: int) -> None:
        self._print("error", message=message, exit_code=code)

    def plan(self, plan: dict[str, Any]) -> None:
        self._print("plan", sys.stdout, **plan)

    def summary(self, result: Result) -> None:
        self._print("summary", sys.stdout, out=str(result.out), seconds=round(result.seconds, 3), **result.run)

    def _print(self, event: str, file: Any = None, **values: Any) -> None:
        line = {"event": event, "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **values}
        _print_line(json_line(line), file)


class BarLog(LineLog):
    """A log with a progress bar: number of rows, speed, share of repeated texts, remaining time."""

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

        columns = (
            SpinnerColumn(),
            TextColumn("{task.fields[rows]}"),
            BarColumn(),
            TextColumn(
                "{task.fields[rate]} · {task.fields[repeats]} repeats · part {task.fields[part]}{task.fields[left]}"
            ),
        )
        self._console = Console(stderr=True)
        self._bar = Progress(*columns, console=self._console, transient=True)
        self._task = self._bar.add_task("", total=None, rows="loading", rate="", repeats="0%", part=1, left="")

    @contextlib.contextmanager
    def running(self, stages: Stages) -> Iterator[None]:
        with super().running(stages), self._bar:
            yield

    def progress(self, progress: Progress) -> None:
        left = progress.seconds_left
        self._bar.update(
            self._task,
            completed=progress.rows_before + progress.rows_done,
            total=progress.rows_total,
            rows=_rows(progress),
            rate=f"{progress.rows_per_second:,.0f} rows/s",
            repeats=f"{progress.memo_share:.0%}",
            part=progress.parts + 1,
            left=f" · {duration(left)} left" if left is not None else "",
        )

    def note(self, text: str) -> None:
        self._console.print(plain(text), style="dim", markup=False, highlight=False)
