"""Runs commands with a fault at a chosen file operation: the command is killed there, or the operation fails."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
TOP = HERE.parent.parent

#: Kinds of fault, with the numbers that faults.c uses.
KILL, TERM, INT, NO_SPACE, IO_ERROR, NO_ACCESS, SHORT, FULL = range(1, 9)
NAMES = ("", "KILL", "TERM", "INT", "ENOSPC", "EIO", "EACCES", "short", "full disk")


def missing_tool() -> str:
    """Return why faults cannot be made on this machine; "" if they can."""
    return "" if shutil.which("gcc") and sys.platform == "linux" else "faults need Linux and gcc"


@dataclass(frozen=True)
class Done:
    """How a command ended.

    Attributes:
        code: Exit code; negative for a signal.
        operations: Number of operations on watched files; None if the command was killed.
        out: Standard output.
        err: Standard error.
    """

    code: int
    operations: int | None
    out: str
    err: str


class Faults:
    """Runs commands of emojob, each in a process of its own."""

    def __init__(self, folder: Path, watched: Sequence[Path]) -> None:
        """Build the library and start the process that forks.

        Args:
            folder: Folder for the library and the output of commands.
            watched: Folders; operations on their files are counted.
        """
        self._folder = folder
        library = folder / "faults.so"
        subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-o", library, HERE / "faults.c", "-ldl"], check=True)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.torture.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=TOP,
            env={**os.environ, "LD_PRELOAD": str(library), "FAULT_UNDER": ":".join(f"{one}/" for one in watched)},
        )

    def run(self, args: Sequence[str | Path], cwd: Path, at: int = 0, kind: int = 0, **env: str) -> Done:
        """Run a command.

        Args:
            args: Arguments of emojob.
            cwd: Current folder of the command.
            at: Number of the operation with the fault, from 1; 0 for no fault.
            kind: Kind of the fault.
            env: More environment variables.
        """
        out, err = self._folder / "out", self._folder / "err"
        request = {"args": list(map(str, args)), "at": at, "kind": kind, "cwd": str(cwd), "env": env}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({**request, "out": str(out), "err": str(err)}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        read = (one.read_text(encoding="utf-8", errors="replace") for one in (out, err))
        return Done(answer["code"], answer["count"], *read)

    def end(self) -> None:
        """End the process that forks."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def files_below(folder: Path) -> list[str]:
    """Return the paths of all files and folders below a folder."""
    return sorted(str(one.relative_to(folder)) for one in folder.rglob("*"))
