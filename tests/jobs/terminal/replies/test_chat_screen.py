"""The chat in a terminal: what the user sees after each line, and how the user leaves."""

import dataclasses
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pyte
import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from emojob.jobs.terminal.replies import chat_screen
from emojob.pipeline.replies.chat import ChatSession
from tests.pipeline.replies.conftest import ANSWERS, book, bot, scorer  # noqa: F401 - fixtures

HOSTILE = "\x1b]0;title\x07\x1b[31m빨강\x1b[2J 택배가 너무 늦게 와요"


@pytest.fixture
def talk(bot, monkeypatch, capsys):  # noqa: F811
    """Return a function that types keys in a terminal with a number of columns, and returns what is printed."""

    def typed(keys: str, language: str = "en", columns: int = 80) -> str:
        bot.language = language
        monkeypatch.setenv("COLUMNS", str(columns))
        with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
            pipe.send_text(keys)
            chat_screen.run(ChatSession(bot))
        return capsys.readouterr().out

    return typed


def test_a_reply_has_the_emotion_with_a_bar_the_answer_and_its_source(talk):
    lines = talk("시험에 합격했어요 너무 기뻐요\r/quit\r").splitlines()
    assert re.fullmatch(r"  😊 기쁨 █+░* [01]\.\d\d", lines[4].rstrip())
    assert lines[5].rstrip() == f"bot> {ANSWERS['기쁨/성취'][2]}"
    assert re.fullmatch(r"     answers · 기쁨/성취 · [01]\.\d\d", lines[6].rstrip())


def test_commands_are_answered_and_ctrl_d_leaves(talk):
    printed = talk("/why\r/foo\r   \r택배가 너무 늦게 와요\r/WHY\r/new\r/why\r\x04")
    assert printed.count("There is no text to explain yet.") == 2
    assert "The commands are /why, /new and /quit." in printed
    assert re.search(r"^  1\.00  택배가 너무 늦게 와요 *$", printed, re.MULTILINE), printed
    assert "A new conversation starts." in printed


def test_a_crisis_text_shows_the_crisis_line_and_why_shows_no_questions(talk):
    printed = talk("죽고 싶어요\r/why\r/q\r", "ko", 120)
    assert printed.count("109") == 3
    assert "crisis" in printed
    assert "가까운" not in printed


def test_the_crisis_line_stays_below_the_replies_after_a_crisis_text(talk):
    printed = talk("택배가 늦어요\r죽고 싶어요\r택배가 늦어요\r/new\r택배가 늦어요\r/q\r", "ko", 120)
    assert printed.count("자살예방상담전화 109 (24시간, 무료)") == 1


def test_pasted_colour_codes_do_not_end_the_chat(talk):
    printed = talk("\x1b[31m\x1b[<35;1;1M택배가 너무 늦게 와요\x1b[0m\r택배가 너무 늦게 와요\r/q\r")
    assert printed.count("배송/지연") == 2


def test_ctrl_c_clears_the_line_and_says_how_to_leave(talk):
    printed = talk("죽고\x03택배가 너무 늦게 와요\r/exit\r")
    assert "To leave the chat, type /quit or press Ctrl-D." in printed
    assert "109" not in printed
    assert "배송/지연" in printed


def test_ctrl_c_stops_a_reply_and_the_chat_goes_on(talk, bot, monkeypatch):  # noqa: F811
    def interrupted(*args: object) -> None:
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr(bot.scorer, "score", interrupted)
    printed = talk("택배가 너무 늦게 와요\r택배가 너무 늦게 와요\r/q\r")
    assert "The reply was stopped." in printed
    assert printed.count("배송/지연") == 1


@pytest.mark.parametrize("columns", [20, 40, 80, 120])
@pytest.mark.parametrize("language", ["en", "ko"])
def test_no_line_is_wider_than_the_terminal(talk, columns, language):
    screen = pyte.Screen(columns + 60, 200)
    keys = f"{'택배가 너무 늦게 와요 ' * 40}\r왜?\r/why\r죽고 싶어요\r/x\r\x04"
    pyte.Stream(screen).feed(talk(keys, language, columns).replace("\n", "\r\n"))
    assert max(max(row, default=0) for row in screen.buffer.values()) < columns


def test_hostile_texts_and_questions_do_not_control_the_terminal(talk, bot):  # noqa: F811
    bot.answers.book = dataclasses.replace(bot.answers.book, questions=(HOSTILE, *bot.answers.book.questions[1:]))
    bot.name = HOSTILE
    printed = talk("택배가 너무 늦게 와요\r/why\r/q\r")
    assert "빨강" in printed
    assert "\x1b" not in printed
    assert "\x07" not in printed


class Terminal:
    """A terminal in which `emojob chat` runs."""

    def __init__(self, home: Path, columns: int) -> None:
        self.screen = pyte.Screen(columns, 60)
        self._stream, self.written = pyte.ByteStream(self.screen), b""
        self._own, its = pty.openpty()
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 60, columns, 0, 0))
        environment = {**os.environ, "TERM": "xterm-256color", "LANG": "en_US.UTF-8", "HOME": str(home)}
        environment.pop("COLUMNS", None)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "emojob", "chat", "--language", "ko"], stdin=its, stdout=its, stderr=its,
            env=environment, cwd=home, start_new_session=True,
        )  # fmt: skip
        os.close(its)

    def wait(self, prompts: int) -> None:
        """Read until the cursor is at the prompt with this number, or until the program ends."""
        while not (self.lines()[self.screen.cursor.y] == "나>" and self.prompts() == prompts):
            assert select.select([self._own], [], [], 300)[0], self.screen.display
            try:
                some = os.read(self._own, 1 << 16)
            except OSError:  # the program has ended
                return
            self.written += some
            self._stream.feed(some)
            if b"\x1b[6n" in some:  # the program asks where the cursor is
                os.write(self._own, f"\x1b[{self.screen.cursor.y + 1};{self.screen.cursor.x + 1}R".encode())

    def prompts(self) -> int:
        return sum(line.startswith("나>") for line in self.lines())

    def type(self, keys: str) -> None:
        os.write(self._own, keys.encode())

    def resize(self, columns: int) -> None:
        fcntl.ioctl(self._own, termios.TIOCSWINSZ, struct.pack("HHHH", 60, columns, 0, 0))
        self.screen.resize(60, columns)
        self.process.send_signal(signal.SIGWINCH)

    def lines(self) -> list[str]:
        return [line.rstrip() for line in self.screen.display]


@pytest.mark.slow
def test_a_chat_in_a_terminal_answers_and_writes_no_text(tmp_path):
    terminal = Terminal(tmp_path, 60)
    terminal.wait(1)
    terminal.type(f"\x1b[200~첫 줄\n죽고 싶어요 {HOSTILE}\x1b[201~\r")
    terminal.wait(2)
    assert "109" in "".join(terminal.lines())
    terminal.resize(30)
    terminal.type("그냥요\r")
    terminal.wait(3)
    terminal.type("\x04")
    terminal.wait(0)
    assert terminal.process.wait() == 0
    assert b"\x1b]" not in terminal.written
    assert b"\x1b[31m" not in terminal.written
    assert "첫 줄" in terminal.written.decode()
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or "첫 줄".encode() not in file.read_bytes()
        assert ".cache" in file.parts


@pytest.mark.slow
def test_a_program_gets_each_reply_before_it_sends_the_next_line(tmp_path):
    command = [sys.executable, "-m", "emojob", "chat", "--json"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, bufsize=0
    ) as chat:
        for text in ("택배가 너무 늦게 와요", "왜?", "죽고 싶어요"):
            chat.stdin.write(f"{text}\n".encode())
            turn = json.loads(chat.stdout.readline())
            assert (turn["text"], turn["flags"]) == (text, ["crisis"] if text == "죽고 싶어요" else [])
        chat.send_signal(signal.SIGINT)
        assert chat.wait(120) == 130
        assert chat.stderr.read().decode().strip() == "emojob: interrupted"
