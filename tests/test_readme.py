"""The commands that the READMEs show are run as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

TOP = Path(__file__).parent.parent
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def blocks(name: str, kind: str) -> list[str]:
    return [text for found, text in BLOCK.findall((TOP / name).read_text(encoding="utf-8")) if found == kind]


def commands(name: str) -> list[str]:
    lines = [line for block in blocks(name, "console") for line in block.splitlines()]
    return [line[2:].replace(".venv/bin/", "") for line in lines if line.startswith("$ ")]


@pytest.fixture
def logs(tmp_path):
    """A folder with the archives that the READMEs speak of."""
    (tmp_path / "logs").mkdir()
    pq.write_table(pa.table({"text": ["좋아요", None, "너무 늦네요"]}), tmp_path / "logs" / "2026-11-21.parquet")
    (tmp_path / "calls.csv").write_bytes("번호,상담내용\n1,고맙습니다\n2,화가 나요\n".encode("cp949"))
    return tmp_path


@pytest.mark.parametrize("name", ["README.md", "README.ko.md"])
def test_every_command_shown_works(name, logs):
    shown = [command for command in commands(name) if not command.startswith("make ")]
    assert len(shown) >= 3
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for command in shown:
        done = subprocess.run(
            command, shell=True, cwd=logs, env={**os.environ, "PATH": path}, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"


def test_the_make_targets_shown_exist():
    makefile = (TOP / "Makefile").read_text()
    for name in ("README.md", "README.ko.md", "CONTRIBUTING.md"):
        text = (TOP / name).read_text(encoding="utf-8")
        for target in re.findall(r"^(?:\$ |    )make (\w+)", text, re.MULTILINE):
            assert f"\n{target}:" in makefile


def test_the_python_shown_works(tmp_path):
    code = "\n".join(blocks("README.md", "python"))
    code += "\nassert len(scored.labels) == 2 and scored.probabilities.shape == (2, 6)"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert (tmp_path / "my_kobert" / "config.json").exists()
