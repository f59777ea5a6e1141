"""Finds the commands and the Python examples of the documentation, runs them, and compares what they print."""

from __future__ import annotations

import ast
import importlib.util
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from emojob.jobs.main import cli
from tests.command_line import run

TOP = Path(__file__).parent.parent

#: Packages that the development environment lacks; examples that import them are only compiled.
NOT_INSTALLED = {"datasets", "pandas", "pyspark"}

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_SPEED = re.compile(r"[\d.,]+ s, [\d.,]+ rows/s with \w+ on \w+ in \w+")  # another one on every machine
_TOKEN = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?|[^\s\d█─]+")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    kind: str
    text: str


@dataclass
class Step:
    """A command of a page and the output that the page shows."""

    command: str
    shown: list[str] = field(default_factory=list)


def text_of(page: str) -> str:
    return (TOP / page).read_text(encoding="utf-8")


def blocks(page: str, *kinds: str) -> list[Block]:
    return [Block(page, kind, text) for kind, text in BLOCK.findall(text_of(page)) if not kinds or kind in kinds]


def steps(block: Block) -> Iterator[Step]:
    """The commands of a block: after `$ ` in a console, every line in a script."""
    step = None
    for line in block.text.replace("\\\n", " ").splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if block.kind == "console" and not line.startswith("$ "):
            assert step, f"{block.page}: output without a command: {line}"
            step.shown.append(line)
            continue
        if step:
            yield step
        step = Step(line.removeprefix("$ ").removeprefix(".venv/bin/"))
    if step:
        yield step


# -- what is shown -----------------------------------------------------------------------------------------------------


def tokens(line: str) -> list[str]:
    """Words and numbers of a line, without folders and speeds, which are others on every machine."""
    return _TOKEN.findall(_SPEED.sub("SPEED", re.sub(r"(?<!\S)/\S*/", "", line)))


def alike(shown: str, printed: str) -> bool:
    """Whether two tokens are equal; numbers of labels and probabilities differ a little from processor to processor."""
    try:
        a, b = (float(one.replace(",", "")) for one in (shown, printed))
    except ValueError:
        return shown == printed
    last_digit = 10.0 ** -len(shown.partition(".")[2])
    return abs(a - b) <= max(0.1 * abs(a), 3 * last_digit)


def is_printed(shown: str, printed: list[str]) -> bool:
    """Whether a shown line is among the printed ones. `...` at its end stands for anything."""
    wanted = tokens(shown.removesuffix("..."))
    for line in printed:
        found = tokens(line)
        same_length = shown.endswith("...") or len(found) == len(wanted)
        if same_length and len(found) >= len(wanted) and all(map(alike, wanted, found)):
            return True
    return False


# -- running -----------------------------------------------------------------------------------------------------------


@dataclass
class Runner:
    """Runs the commands of a page in this process.

    Attributes:
        fixture: Returns the value of a pytest fixture. A server is started only if a command needs it.
        trained: {command: (the model folder, the output)}. A model that several pages train is trained once.
    """

    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch
    fixture: Callable[[str], object]
    trained: dict[str, tuple[Path, str]]

    def run(self, command: str) -> str:
        """Run one command, or check a command of another program. Return what the command printed."""
        if is_no_command_of_emojob(command):
            return ""
        words = self._prepared(command)
        if words[0] == "export":
            self.monkeypatch.setenv(*words[1].split("=", 1))
            return ""
        if words[0] == "torchrun":
            return self._torchrun(words[1:])
        if words[0] == "echo":
            assert words[2] == "|", command
            self.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(words[1].encode())))
            words = words[3:]
        assert words[0] == "emojob", f"a command that is not run: {command}"
        return self._train_once(words[1:]) if words[1] == "train" else self._emojob(words[1:])

    def _prepared(self, command: str) -> list[str]:
        """Start what the command needs. Return the words of the command, with options that shorten its work."""
        if "s3://" in command:
            self.fixture("company_buckets")
        if "--ray-address" in command:
            command = command.replace("head:6379", str(self.fixture("ray_address")))
        if "--base skt/" in command:
            self.fixture("hub")
            command += " --epochs 1"
        if "--compare" in command:
            command += " --rows 40"  # the last value of an option wins
        return shlex.split(command)

    def _emojob(self, arguments: list[str]) -> str:
        code = run(arguments)
        said = self.capsys.readouterr()
        assert code == 0, f"emojob {shlex.join(arguments)}\n{said.err}"
        return said.err + said.out

    def _train_once(self, arguments: list[str]) -> str:
        command, out = shlex.join(arguments), Path(arguments[arguments.index("-o") + 1])
        if command not in self.trained:
            printed = self._emojob(arguments)
            self.trained[command] = (out.resolve(), printed)
        elif not out.exists():
            shutil.copytree(self.trained[command][0], out)
        return self.trained[command][1]

    def _torchrun(self, words: list[str]) -> str:
        """Train a tiny model for one epoch, in two processes."""
        words[words.index("--nproc-per-node") + 1] = "2"
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", *words]
        command += ["--base", str(self.fixture("tiny_model")), "--epochs", "1"]
        environment = {**os.environ, "PYTHONPATH": str(TOP), "OMP_NUM_THREADS": "1"}
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, f"{shlex.join(command)}\n{ended.stderr}"
        return ended.stderr + ended.stdout


def parse(arguments: list[str]) -> None:
    """Raise a UsageError unless the command and its options exist."""
    cli.commands[arguments[0]].make_context(arguments[0], arguments[1:])


def is_no_command_of_emojob(command: str) -> bool:
    """Check a command of another program as far as it can be checked without running it."""
    words = shlex.split(command)
    if words[0] == "make":
        assert f"\n{words[1]}:" in (TOP / "Makefile").read_text(), command
    elif words[0] == "pip":
        extras = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        assert set(re.findall(r"\[(\w+)\]", command)) <= set(extras), command
    elif words[0] == "python":
        assert (TOP / words[1]).is_file(), command
    else:
        return command in ("python3 -m venv .venv", "source .venv/bin/activate")
    return True


def do_python(block: Block, names: dict[str, object]) -> None:
    """Run an example; only compile it if it needs a package that is not installed."""
    code = compile(block.text, block.page, "exec")
    imports = [node for node in ast.walk(ast.parse(block.text)) if isinstance(node, ast.Import | ast.ImportFrom)]
    wanted = {alias.name for node in imports if isinstance(node, ast.Import) for alias in node.names}
    wanted |= {node.module for node in imports if isinstance(node, ast.ImportFrom) and node.module}
    missing = {name for name in (one.split(".")[0] for one in wanted) if importlib.util.find_spec(name) is None}
    assert missing <= NOT_INSTALLED, f"{block.page}: {missing}"
    if not missing:
        exec(code, names)
