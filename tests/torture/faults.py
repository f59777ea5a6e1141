"""Commands that meet a fault at a certain file operation: killed there, or told that it failed."""

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

#: What may become of the operation, as faults.c numbers it.
KILL, TERM, INT, NO_SPACE, IO_ERROR, NO_ACCESS, SHORT, FULL = range(1, 9)
NAMES = ("", "KILL", "TERM", "INT", "ENOSPC", "EIO", "EACCES", "short", "full disk")


def why_not() -> str:
    """Why there can be no faults here; "" where there can."""
    return "" if shutil.which("gcc") and sys.platform == "linux" else "a C compiler makes the faults, and there is none"


@dataclass(frozen=True)
class Done:
    """How a command ended.

    code: negative for a signal; operations: on files that are watched, None where it was killed.
    """

    code: int
    operations: int | None
    out: str
    err: str


class Faults:
    """Runs emojob's commands, each in a process of its own."""

    def __init__(self, folder: Path, watched: Sequence[Path]) -> None:
        """folder: for what the harness needs itself; watched: folders on whose files operations are counted."""
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
        """Run a command. at: the number of the operation, from 1, that a fault of this kind meets; 0: none."""
        out, err = self._folder / "out", self._folder / "err"
        asked = {"args": list(map(str, args)), "at": at, "kind": kind, "cwd": str(cwd), "env": env}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({**asked, "out": str(out), "err": str(err)}) + "\n")
        self._process.stdin.flush()
        told = json.loads(self._process.stdout.readline())
        read = (one.read_text(encoding="utf-8", errors="replace") for one in (out, err))
        return Done(told["code"], told["count"], *read)

    def end(self) -> None:
        """End the process that forks."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def files_below(folder: Path) -> list[str]:
    """The names of all that is below a folder."""
    return sorted(str(one.relative_to(folder)) for one in folder.rglob("*"))
