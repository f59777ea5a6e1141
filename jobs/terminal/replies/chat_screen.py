"""Runs `emojob chat` in a terminal or a pipe: reads lines, and prints the emotion and the reply."""

from __future__ import annotations

import contextlib
import itertools
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from emojob.jobs.terminal.console import ignore_mouse
from emojob.jobs.terminal.replies.chat_lines import batches
from emojob.jobs.terminal.text import json_line, plain
from emojob.pipeline.replies.words import GPT2
from emojob.schemas.labels import EMOJI

if TYPE_CHECKING:
    from emojob.pipeline.replies.chat import ChatSession, ChatTurn

_WHY, _NEW, _QUIT = "/why", "/new", ("/quit", "/exit", "/q")
_BAR = 10  # width of the bar of an emotion, in characters
_COLOURS = {"분노": "red", "불안": "magenta", "슬픔": "blue", "기쁨": "yellow", "우울": "cyan", "일상": "green"}
_QUESTION = 200  # maximum number of characters of a question that /why shows

_WORDS = {
    "en": {
        "loading": "loading the bot ...",
        "hello": "{name}: a program that replies by feeling. It can be wrong. Nothing is stored or sent.",
        "commands": "/why explains a reply, /new starts a new conversation, /quit leaves the chat.",
        "you": "you> ",
        "bot": "bot> ",
        "leave": "To leave the chat, type /quit or press Ctrl-D.",
        "stopped": "The reply was stopped.",
        "new": "A new conversation starts.",
        "nothing": "There is no text to explain yet.",
        "no_questions": "The bot has no answer book, so there is no nearest question.",
        "nearest": "The nearest questions of the answer book to your last text:",
        "written": "A GPT-2 model wrote the reply. The nearest questions of the answer book, for comparison:",
        "unknown": "The commands are /why, /new and /quit.",
    },
    "ko": {
        "loading": "봇을 불러오는 중입니다 ...",
        "hello": "{name}: 감정에 맞춰 답하는 프로그램이라 틀릴 수 있습니다. 저장하거나 보내는 것은 없습니다.",
        "commands": "/why: 답한 까닭, /new: 새 대화 시작, /quit: 나가기",
        "you": "나> ",
        "bot": "봇> ",
        "leave": "나가려면 /quit을 입력하거나 Ctrl-D를 누르세요.",
        "stopped": "답변을 중단했습니다.",
        "new": "새 대화를 시작합니다.",
        "nothing": "아직 설명할 글이 없습니다.",
        "no_questions": "봇에 답변집이 없어서 가까운 질문이 없습니다.",
        "nearest": "마지막 글과 가장 가까운 답변집의 질문:",
        "written": "GPT-2 모델이 쓴 답입니다. 비교할 수 있게 답변집의 가까운 질문을 보여 드립니다:",
        "unknown": "명령은 /why, /new, /quit입니다.",
    },
}


def is_interactive() -> bool:
    """Return whether the user sits at a terminal."""
    return sys.stdin is not None and sys.stdout is not None and sys.stdin.isatty() and sys.stdout.isatty()


@contextlib.contextmanager
def loading(language: str) -> Iterator[None]:
    """Show a line in the terminal while the `with` block runs. The language is en or ko."""
    from rich.console import Console

    with Console(highlight=False).status(_WORDS[language]["loading"]):
        yield


def run(session: ChatSession) -> None:
    """Talk with the user in a terminal until the user leaves. The history of the prompt lives in memory only.

    Ctrl-C clears the line or stops a reply. Ctrl-D leaves the chat.
    """
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import InMemoryHistory
    from prompt_toolkit.key_binding import KeyBindings
    from rich.console import Console

    words, console = _WORDS[session.bot.language], Console(highlight=False, markup=False, emoji=False)
    prompt: PromptSession[str] = PromptSession(history=InMemoryHistory(), key_bindings=ignore_mouse(KeyBindings()))
    console.print(words["hello"].format(name=plain(session.bot.name)), style="bold")
    console.print(words["commands"], "\n", style="dim")
    while True:
        try:
            typed = prompt.prompt([("bold ansicyan", words["you"])])
        except KeyboardInterrupt:
            console.print(words["leave"], style="dim")
            continue
        except EOFError:
            return
        if _command(typed) in _QUIT:
            return
        try:
            _show(session, typed, console)
        except KeyboardInterrupt:
            console.print(words["stopped"], style="dim")


def print_replies(session: ChatSession) -> None:
    """Reply to each line of standard input, with the emotion and the reply in two lines."""
    for lines in batches():
        for has_commands, group in itertools.groupby(lines, lambda line: bool(_command(line))):
            for printed in _command_lines(session, group) if has_commands else _reply_lines(session, group):
                if printed is None:
                    return
                click.echo(printed)


def print_json(session: ChatSession) -> None:
    """Print one JSON line for each line of standard input."""
    for lines in batches():
        click.echo("\n".join(json_line(turn.as_json()) for turn in session.say_all(lines)))


def _command(typed: str) -> str:
    """Return the command in a typed line, such as /why; "" if the line is a text."""
    command = typed.strip().lower()
    return command if command.startswith("/") and command[1:].isascii() and command[1:].isalpha() else ""


def _command_lines(session: ChatSession, lines: Iterable[str]) -> Iterator[str | None]:
    """Yield what is printed for commands; None if the user leaves."""
    for line in lines:
        heading, questions = _obey(session, _command(line))
        answer = "\n".join([heading, *(f" {score}  {question}" for score, question in questions)])
        yield None if _command(line) in _QUIT else answer


def _reply_lines(session: ChatSession, lines: Iterable[str]) -> Iterator[str | None]:
    """Yield what is printed for texts."""
    turns = session.say_all([line for line in lines if line.strip()])
    if turns:
        bot = _WORDS[session.bot.language]["bot"]
        yield "\n".join(f"   {_feeling(turn)}   {_source(turn)}\n{bot}{plain(turn.reply)}" for turn in turns)


def _show(session: ChatSession, typed: str, console: Any) -> None:
    """Show the answer to a typed line in the terminal."""
    from rich.text import Text

    command = _command(typed)
    if command:
        heading, questions = _obey(session, command)
        console.print(heading)
        if questions:
            console.print(_grid((f" {score}  ", question) for score, question in questions))
    elif typed.strip():
        turn, bot = session.say(typed), _WORDS[session.bot.language]["bot"]
        console.print(Text(f"  {_feeling(turn)}", style=_COLOURS.get(turn.emotion or "", "")))
        rows = [(Text(bot, style="bold"), plain(turn.reply)), ("", Text(_source(turn), style="dim"))]
        if session.reminder and not turn.flags:
            rows.append(("", session.reminder))
        console.print(_grid(rows))
    console.print()


def _grid(rows: Iterable[tuple[Any, Any]]) -> Any:
    """Return rows of two columns for the terminal. Long texts are wrapped within the second column."""
    from rich.table import Table

    grid = Table.grid()
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for row in rows:
        grid.add_row(*row)
    return grid


def _obey(session: ChatSession, command: str) -> tuple[str, list[tuple[str, str]]]:
    """Return the heading of the answer to a command, and the (score, question) rows below it."""
    words = _WORDS[session.bot.language]
    if command == _NEW:
        session.restart()
        return words["new"], []
    return _why(session) if command == _WHY else (words["unknown"], [])


def _feeling(turn: ChatTurn) -> str:
    """Return the emotion with its bar, and the flags."""
    if not turn.emotion or turn.confidence is None:
        return ""
    full = round(turn.confidence * _BAR)
    bar = "█" * full + "░" * (_BAR - full)
    return "   ".join(
        [f"{EMOJI.get(turn.emotion, '·')} {plain(turn.emotion)} {bar} {turn.confidence:.2f}", *turn.flags]
    )


def _source(turn: ChatTurn) -> str:
    """Return the way, the category and the score of a reply, and why there is no draft."""
    draft = turn.draft
    found = [draft.way, plain(draft.category), "" if draft.score is None else f"{draft.score:.2f}"]
    return "   ".join(part for part in (" · ".join(one for one in found if one), plain(draft.note)) if part)


def _why(session: ChatSession) -> tuple[str, list[tuple[str, str]]]:
    """Return the nearest questions of the last text. A text that speaks of self-harm has none."""
    words = _WORDS[session.bot.language]
    if not session.turns:
        return words["nothing"], []
    last = session.turns[-1]
    if last.flags:
        return plain(last.draft.note), []
    nearest = session.bot.neighbours(last.request)
    if not nearest:
        return words["no_questions"], []
    heading = words["written" if last.draft.way == GPT2 else "nearest"]
    return heading, [(f"{score:5.2f}", plain(question, _QUESTION)) for question, score in nearest]
