"""The commands that the READMEs show are run as they stand there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.schemas.labels import DEFAULT_LABELS
from emojob.training.data.label_map import label_names

TOP = Path(__file__).parent.parent
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def blocks(name: str, kind: str) -> list[str]:
    return [text for found, text in BLOCK.findall((TOP / name).read_text(encoding="utf-8")) if found == kind]


def commands(name: str) -> list[str]:
    lines = [line for block in blocks(name, "console") for line in block.splitlines()]
    return [line[2:].replace(".venv/bin/", "") for line in lines if line.startswith("$ ")]


@pytest.fixture
def logs(tmp_path):
    """A folder with the archives and models that the READMEs speak of."""
    (tmp_path / "logs").mkdir()
    pq.write_table(pa.table({"text": ["좋아요", None, "너무 늦네요"]}), tmp_path / "logs" / "2026-11-21.parquet")
    (tmp_path / "calls.csv").write_bytes("번호,상담내용\n1,고맙습니다\n2,화가 나요\n".encode("cp949"))
    for name in ("annotated.csv", "held_out.csv"):
        shutil.copy(TOP / "pipeline" / "assets" / "sample" / name, tmp_path)
    shutil.copytree(TOP / "pipeline" / "assets" / "default_model", tmp_path / "in_production")
    told = [("밥 먹었어?", "일상"), ("합격했어?", "일상"), ("네", "기쁨"), ("울었어?", "슬픔"), ("네", "슬픔")]
    talks = [f"{call},{text} {call},{label}" for call in range(8) for text, label in told]
    (tmp_path / "talks.csv").write_text("\n".join(["call,text,label", *talks]), encoding="utf-8")
    return tmp_path


def test_every_command_shown_works(logs, make_model):
    english, korean = (
        [one for one in commands(name) if not one.startswith("make ")] for name in ("README.md", "README.ko.md")
    )
    assert min(len(english), len(korean)) >= 3
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    quick = {**os.environ, "PATH": path, "EMOJOB_BASE": str(make_model())}  # trains in seconds
    for command in dict.fromkeys([*english, *korean]):  # what both show is run once
        done = subprocess.run(command, shell=True, cwd=logs, env=quick, capture_output=True, text=True)
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


@pytest.mark.parametrize("name", ["README.md", "README.ko.md"])
def test_the_label_maps_shown_are_read(name, tmp_path):
    shown = blocks(name, "toml")
    assert shown
    for number, text in enumerate(shown):
        file = tmp_path / f"{number}.toml"
        file.write_text(text, encoding="utf-8")
        assert {"당황", "상처"} <= set(label_names(str(file)).class_of())


def test_the_annotated_samples_hold_what_their_card_says():
    for name, of_each in (("annotated.csv", 20), ("held_out.csv", 10)):
        lines = (TOP / "pipeline" / "assets" / "sample" / name).read_text(encoding="cp949").splitlines()
        assert lines[0] == "sentiment,user"
        labels = [line.split(",")[0] for line in lines[1:]]
        assert {label: labels.count(label) for label in labels} == dict.fromkeys(DEFAULT_LABELS, of_each)
