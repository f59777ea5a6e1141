"""Prints the progress of `emojob reply`, and its result."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

import click

from emojob.jobs.interruption import call_on_signals
from emojob.jobs.terminal.console import note
from emojob.jobs.terminal.text import duration, plain
from emojob.schemas.errors import Interrupted
from emojob.schemas.messages import counted

if TYPE_CHECKING:
    from emojob.pipeline.replies.drafts.job import Drafted
    from emojob.pipeline.replies.drafts.notes import Tally

_LINE_SECONDS = 30.0  # seconds between two lines of progress


class DraftLog:
    """Shows the progress of drafting: one line that changes in a terminal, otherwise a line every 30 seconds.

    Ctrl-C and SIGTERM stop the command. The finished parts are kept.
    """

    def __init__(self, quiet: bool, language: str) -> None:
        from emojob.pipeline.replies.drafts.job import Callbacks

        self._quiet, self._language = quiet, language
        self._signals = contextlib.ExitStack()
        self._began = self._printed = time.monotonic()
        self._first: int | None = None
        self._bar: Any = None
        self.callbacks = Callbacks(self._note, self._report)

    def __enter__(self) -> DraftLog:
        self._signals.enter_context(call_on_signals(_stop))
        if not self._quiet and sys.stderr.isatty():
            self._bar = _bar()
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._signals.close()
        if self._bar:
            self._bar.stop()

    def _report(self, done: int, all_: int) -> None:
        if self._first is None:
            self._first, self._began = done, time.monotonic()
        now, line = time.monotonic(), _progress_line(done, all_, self._language)
        if done == all_:
            line += {"ko": ", 파일을 쓰는 중"}.get(self._language, ", writing the file")
        if self._first < done < all_:
            left = duration((all_ - done) * (now - self._began) / (done - self._first))
            line += {"ko": f", 약 {left} 남음"}.get(self._language, f", about {left} left")
        if self._bar:
            self._bar.update(self._bar.task_ids[0], completed=done, total=max(all_, 1), line=line)
        elif not self._quiet and now - self._printed >= _LINE_SECONDS:
            self._printed = now
            note(line)

    def _note(self, text: str) -> None:
        if self._bar:
            self._bar.console.print(plain(text), style="dim", markup=False, highlight=False)
        elif not self._quiet:
            note(text)


def _progress_line(done: int, all_: int, language: str) -> str:
    return f"대화 {all_:,}개 중 {done:,}개 완료" if language == "ko" else f"{done:,} of {counted(all_, 'conversation')}"


def _stop() -> NoReturn:
    raise Interrupted("interrupted: the finished drafts are kept; to go on, run the same command again")


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

    columns = (SpinnerColumn(), BarColumn(), TextColumn("{task.fields[line]}"))
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    bar.add_task("", total=None, line="...")
    return bar


def print_drafted(drafted: Drafted, file: Path, by_condition: bool, language: str) -> None:
    """Print what `emojob reply` has written, and the next step. The language is en or ko."""
    lines = _korean_lines if language == "ko" else _english_lines
    for line in lines(drafted, plain(str(file)), by_condition):
        click.echo(line)


def _english_lines(drafted: Drafted, file: str, by_condition: bool) -> list[str]:
    tally = drafted.tally
    if tally is None:
        changed = ". It was changed since then, and is left as it is" if drafted.is_changed else ""
        return [f"{file} is there already, from the same archive, bot and options{changed}. --force drafts again."]
    if not tally.conversations:
        return [f"{_english_reason(drafted, by_condition)}; {file} has no rows", *_english_others(drafted)]
    lines = [f"{counted(tally.conversations, 'conversation')} in {file}: {tally.with_draft:,} with a draft"]
    lines += _reasons(tally, "without a draft", "en")
    if drafted.resumed:
        lines.append(f"  {drafted.resumed:,} of them were drafted before the interruption")
    if drafted.unanswerable:
        lines.append(f"  {drafted.unanswerable:,} more were left out, because no customer speaks in them")
    lines += _english_others(drafted)
    return [*lines, "A machine wrote the drafts: a person must read and approve each one. Nothing was sent."]


def _english_reason(drafted: Drafted, by_condition: bool) -> str:
    if drafted.unanswerable:
        return (
            f"no customer speaks in the {counted(drafted.unanswerable, 'conversation')} that match --where: name the "
            "customers with --customer-speaker"
        )
    if by_condition:
        return "no utterance matches --where"
    return "no conversation turned bad"


def _english_others(drafted: Drafted) -> list[str]:
    return (
        [f"  to draft replies to others, run the command again with {plain(drafted.others)}"] if drafted.others else []
    )


def _korean_lines(drafted: Drafted, file: str, by_condition: bool) -> list[str]:
    tally = drafted.tally
    if tally is None:
        changed = " 그 뒤에 수정되었으므로 그대로 둡니다." if drafted.is_changed else ""
        return [
            f"{file}: 같은 아카이브, 봇, 옵션으로 이미 만든 파일입니다.{changed} 다시 만들려면 --force를 추가하세요."
        ]
    if not tally.conversations:
        return [f"{_korean_reason(drafted, by_condition)} {file}에는 행이 없습니다.", *_korean_others(drafted)]
    lines = [f"{file}: 대화 {tally.conversations:,}개, 초안 있음 {tally.with_draft:,}개"]
    lines += _reasons(tally, "초안 없음", "ko")
    if drafted.resumed:
        lines.append(f"  이 중 {drafted.resumed:,}개는 중단되기 전에 만들었습니다.")
    if drafted.unanswerable:
        lines.append(f"  고객의 발화가 없는 대화 {drafted.unanswerable:,}개는 제외했습니다.")
    lines += _korean_others(drafted)
    return [*lines, "초안은 기계가 작성했습니다. 사람이 모두 읽고 승인해야 합니다. 아무것도 보내지 않았습니다."]


def _korean_reason(drafted: Drafted, by_condition: bool) -> str:
    if drafted.unanswerable:
        return (
            f"--where에 맞는 대화 {drafted.unanswerable:,}개에 고객의 발화가 없습니다. --customer-speaker로 고객의 "
            "이름을 지정하세요."
        )
    if by_condition:
        return "--where에 맞는 발화가 없습니다."
    return "감정이 나빠진 대화가 없습니다."


def _korean_others(drafted: Drafted) -> list[str]:
    if not drafted.others:
        return []
    return [f"  다른 대화의 초안도 만들려면 {plain(drafted.others)} 옵션을 추가해 명령을 다시 실행하세요."]


def _reasons(tally: Tally, heading: str, language: str) -> list[str]:
    return [f"  {number:,} {heading}: {plain(why)}" for why, number in tally.reasons(language)]
