"""What is shown while a run works and when it ends: a bar in a terminal, plain lines elsewhere, or JSON lines."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from emojob.jobs.terminal.text import duration, json_line, plain
from emojob.schemas.errors import Interrupted

if TYPE_CHECKING:
    from emojob.pipeline.running.run import Progress, Result
    from emojob.pipeline.system.prefetch import Stages

_LINE_SECONDS = 30.0


def make_log(log_format: str, quiet: bool) -> Log:
    """The log that suits --log-format, --quiet and where the output goes."""
    if quiet:
        return Log()
    if log_format == "json":
        return JsonLog()
    return BarLog() if sys.stderr.isatty() else LineLog()


class Log:
    """Shows nothing; the others show more."""

    takes_errors = False  # whether errors are shown by the log rather than as emojob's one line

    @contextlib.contextmanager
    def running(self, stages: Stages) -> Iterator[None]:
        """While a run works: Ctrl-C and SIGTERM end it in good order; a second one ends it at once."""

        def stop(number: int, frame: object) -> None:
            if stages.stopping or not stages.started:
                raise Interrupted("interrupted: the same command goes on with what is not complete")
            stages.stop()

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def progress(self, progress: Progress) -> None:
        """Called some ten times a second."""

    def note(self, text: str) -> None:
        """Something that the user should know."""

    def plan(self, plan: dict[str, Any]) -> None:
        """What --dry-run found."""
        from emojob.jobs.terminal.scoring_summary import print_plan

        print_plan(plan)

    def summary(self, result: Result) -> None:
        """What the run came to."""

    def error(self, message: str, code: int) -> None:
        """An error, where `takes_errors`."""


def _say(line: str, file: Any = None) -> None:
    """Print a line, by default on standard error; a run does not end because nobody reads what it says."""
    with contextlib.suppress(OSError):
        print(line, file=file or sys.stderr, flush=True)


def _rows(progress: Progress) -> str:
    done = progress.rows_before + progress.rows_done
    return f"{done:,} of {'about ' * progress.is_estimate}{progress.rows_total:,} rows"


class LineLog(Log):
    """A plain line every half minute."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def progress(self, progress: Progress) -> None:
        if time.monotonic() - self._last >= _LINE_SECONDS:
            self._last = time.monotonic()
            self.line(progress)

    def line(self, progress: Progress) -> None:
        """Print one line of progress."""
        left = progress.seconds_left
        parts = [
            _rows(progress),
            f"{progress.rows_per_second:,.0f} rows/s",
            f"{progress.memo_share:.0%} repeats",
            f"part {progress.parts + 1}",
            *([f"{duration(left)} left"] if left is not None else []),
        ]
        _say(f"emojob: {', '.join(parts)}")

    def note(self, text: str) -> None:
        _say(f"emojob: {plain(text)}")

    def summary(self, result: Result) -> None:
        from emojob.jobs.terminal.scoring_summary import print_summary

        print_summary(result)


class JsonLog(LineLog):
    """One JSON object a line: progress, notes and errors on standard error, the summary on standard output."""

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
        _say(json_line(line), file)


class BarLog(LineLog):
    """A bar in the terminal: rows, rows/s, share from the memo, time left, part."""

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
