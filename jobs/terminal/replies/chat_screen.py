"""Runs `emojob chat` in a terminal or a pipe: reads lines, and prints the emotion and the reply."""

from __future__ import annotations

import codecs
import contextlib
import itertools
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from emojob.jobs.terminal.text import json_line, plain
from emojob.schemas.labels import EMOJI

if TYPE_CHECKING:
    from emojob.pipeline.replies.chat import ChatSession, ChatTurn

_WHY, _QUIT = "/why", ("/quit", "/exit", "/q")
_BAR = 10  # width of the bar of an emotion, in characters
_LONGEST = 100_000  # characters of a line that are looked at

_WORDS = {
    "en": {
        "hello": "This is {name}: a program that replies by feeling. It can be wrong. /why explains a reply, /quit "
        "leaves the chat.",
        "you": "you> ",
        "bot": "bot>",
        "nothing": "There is no text to explain yet.",
        "no_questions": "The bot has no answer book, so there is no nearest question.",
        "nearest": "The nearest questions of the answer book to your last text:",
        "unknown": "The commands are /why and /quit.",
    },
    "ko": {
        "hello": "{name}입니다. 감정에 맞춰 답하는 프로그램이라 틀릴 수 있습니다. /why: 답한 까닭, /quit: 나가기",
        "you": "나> ",
        "bot": "봇>",
        "nothing": "아직 설명할 글이 없습니다.",
        "no_questions": "봇에 답변집이 없어서 가까운 질문이 없습니다.",
        "nearest": "마지막 글과 가장 가까운 답변집의 질문:",
        "unknown": "명령은 /why와 /quit입니다.",
    },
}


def is_interactive() -> bool:
    """Return whether the user sits at a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def run(session: ChatSession) -> None:
    """Talk with the user in a terminal until the user leaves. The history of the prompt lives in memory only."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import InMemoryHistory

    words = _WORDS[session.bot.language]
    prompt: PromptSession[str] = PromptSession(history=InMemoryHistory())
    click.echo(words["hello"].format(name=plain(session.bot.name)))
    while True:
        try:
            typed = prompt.prompt(words["you"])
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
        if not _answer(session, typed):
            return


def print_replies(session: ChatSession) -> None:
    """Reply to each line of standard input, with the emotion and the reply in two lines."""
    for line in _lines():
        if not _answer(session, line):
            return


def print_json(session: ChatSession) -> None:
    """Print one JSON line for each line of standard input."""
    for line in _lines():
        click.echo(json_line(session.say(line).as_json()))


def _answer(session: ChatSession, typed: str) -> bool:
    """Print the answer to a typed line. Return False if the user leaves."""
    words, command = _WORDS[session.bot.language], typed.strip().lower()
    if command in _QUIT:
        return False
    if command == _WHY:
        click.echo(_why(session))
    elif command.startswith("/") and command[1:].isascii() and command[1:].isalpha():
        click.echo(words["unknown"])
    elif command:
        turn = session.say(typed[:_LONGEST])
        click.echo(_summary(turn))
        click.echo(f"{words['bot']} {plain(turn.reply)}")
    return True


def _summary(turn: ChatTurn) -> str:
    """Return the line with the emotion, its bar, the way, the category and the score."""
    parts = []
    if turn.emotion and turn.confidence is not None:
        full = round(turn.confidence * _BAR)
        bar = "█" * full + "░" * (_BAR - full)
        parts.append(f"{EMOJI.get(turn.emotion, '·')} {plain(turn.emotion)} {bar} {turn.confidence:.2f}")
    parts += [", ".join(turn.flags)] if turn.flags else []
    draft = turn.draft
    found = [draft.way, plain(draft.category), "" if draft.score is None else f"{draft.score:.2f}"]
    parts.append(" · ".join(one for one in found if one))
    parts.append(plain(draft.note))
    return "   " + "   ".join(part for part in parts if part)


def _why(session: ChatSession) -> str:
    words = _WORDS[session.bot.language]
    if not session.turns:
        return words["nothing"]
    nearest = session.bot.neighbours(session.turns[-1].text)
    if not nearest:
        return words["no_questions"]
    return "\n".join([words["nearest"], *(f"  {score:.2f}  {plain(question, 100)}" for question, score in nearest)])


def _lines() -> Iterator[str]:
    """Yield the lines of standard input without their ends.

    Each line is read when it is there, because another program may wait for the reply before it sends the next line.
    """
    stream = getattr(sys.stdin, "buffer", None)
    if stream is None or sys.stdin.isatty():
        yield from (line.rstrip("\r\n") for line in sys.stdin)
        return
    first = stream.readline()
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        yield from (first + stream.read()).decode("utf-16", "replace").splitlines()
        return
    for raw in itertools.chain([first] if first else [], stream):
        yield _decoded(raw.removeprefix(codecs.BOM_UTF8)).rstrip("\r\n")


def _decoded(line: bytes) -> str:
    """Decode a line in UTF-8 or CP949. Bytes that fit neither become "\ufffd"."""
    for encoding in ("utf-8", "cp949"):
        with contextlib.suppress(UnicodeDecodeError):
            return line.decode(encoding)
    return line.decode("utf-8", "replace")
