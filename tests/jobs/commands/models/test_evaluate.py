"""`emojob evaluate` as a user types it."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from emojob.jobs.main import main
from emojob.pipeline.html import page
from emojob.schemas.labels import DEFAULT_LABELS
from tests.command_line import one_line


@pytest.fixture
def emojob(tiny_model, monkeypatch, capsys):
    """Run `emojob evaluate` in this process with the tiny model: (exit code, standard output, standard error)."""
    monkeypatch.setenv("EMOJOB_MODEL", str(tiny_model))

    def run(*arguments: object):
        with pytest.raises(SystemExit) as ended:
            main(["evaluate", *map(str, arguments)])
        printed = capsys.readouterr()
        return ended.value.code, printed.out, printed.err

    return run


@pytest.fixture
def data(tmp_path):
    file = tmp_path / "val.csv"
    rows = ["기뻐요,기쁨", "정말 화나요,분노", "너무 슬퍼요,슬픔", "걱정이에요,불안", ",일상", "밥 먹었어요,일상"]
    file.write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    return file


def width(line: str) -> int:
    return sum(1 + (unicodedata.east_asian_width(c) in "WF") for c in line)


def test_it_prints_figures_classes_and_row_counts(emojob, data):
    code, out, err = emojob("--data", data)
    assert (code, err) == (0, "")
    for one in ("accuracy", "macro-F1", "expected calibration error", "log-loss", "precision", "recall", "F1", "우울"):
        assert one in out
    assert "6 rows = 5 kept + 1 empty" in out
    assert "\x1b" not in out


def test_figures_have_intervals_and_small_classes_have_none(emojob, data):
    _, out, _ = emojob("--data", data)
    assert "95% interval" in out
    assert re.search(r"accuracy +0\.\d{3} +0\.\d{3} to \d\.\d{3}", out)
    assert re.search(r"기쁨 +1 +– +– +–", out)
    assert "–: too few texts" in out


def test_the_most_confident_wrong_texts_are_shown_masked(emojob, tmp_path):
    file = tmp_path / "wrong.csv"
    rows = [f"010-1234-567{i}로 전화 주세요,{label}" for i, label in enumerate(DEFAULT_LABELS)]
    file.write_text("\n".join(["text,label", *rows]), encoding="utf-8")
    code, out, _ = emojob("--data", file)
    assert code == 0
    assert "most confident wrong labels" in out
    assert "전화 주세요" in out
    assert "010-1234" not in out
    lines = out.partition("most confident wrong labels")[2].splitlines()[2:]
    found = [float(line.split()[2]) for line in lines if "전화 주세요" in line]
    assert 3 <= len(found) <= 5
    assert found == sorted(found, reverse=True)
    assert "most confident wrong labels" not in emojob("--data", file, "--errors", "0")[1]
    assert "전화 주세요" not in emojob("--data", file, "--json", "-")[1]


def test_the_built_in_model_has_a_name(emojob, data):
    out = emojob("--data", data, "--against", "default")[1]
    assert "the default model" in " ".join(out.split())  # the line may be wrapped


def test_a_warning_is_printed_if_the_model_was_trained_on_the_data(emojob, data, tiny_model, tmp_path):
    old = shutil.copytree(tiny_model, tmp_path / "old")
    made_with = {"data": [{"name": "val.csv", "sha256": hashlib.sha256(data.read_bytes()).hexdigest()}]}
    (old / "recipe.json").write_text(json.dumps(made_with))
    code, out, _ = emojob("--data", data, "--model", old, "--html", tmp_path / "page.html")
    assert code == 0
    assert "was trained on val.csv, so the figures may be too good" in " ".join(out.split())
    assert "was trained on val.csv" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_comparison_fits_into_80_columns_and_ends_in_a_sentence(emojob, data, make_model):
    code, out, _ = emojob("--data", data, "--against", make_model(seed=7))
    assert code == 0
    assert "McNemar p" in out
    tables = out.split("class", 1)[1].split("\n\n")[0]
    assert max(map(width, tables.splitlines())) <= 80


def test_files_may_follow_data_as_from_a_shell_glob(emojob, data, tmp_path):
    other = tmp_path / "more.csv"
    other.write_text("text,label\n행복해요,기쁨\n", encoding="utf-8")
    assert "7 rows = 6 kept" in emojob("--data", data, other)[1]
    assert "7 rows = 6 kept" in emojob("--data", data, "--data", other)[1]


def test_columns_and_labels_may_have_other_names(emojob, tmp_path):
    file = tmp_path / "ours.csv"
    file.write_text("말,느낌\n행복해요,좋음\n화나요,나쁨\n", encoding="utf-8")
    label_map = tmp_path / "map.toml"
    label_map.write_text('[labels]\n"기쁨" = ["좋음"]\n"분노" = ["나쁨"]\n', encoding="utf-8")
    code, out, _ = emojob("--data", file, "--text-column", "말", "--label-column", "느낌", "--label-map", label_map)
    assert code == 0
    assert "2 rows = 2 kept" in out


def test_json_goes_to_a_file_or_is_the_only_output(emojob, data, tmp_path):
    emojob("--data", data, "--json", tmp_path / "figures.json")
    code, out, _ = emojob("--data", data, "--json", "-")
    assert code == 0
    assert json.loads(out) == json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert json.loads(out)["model"]["evaluation"]["texts"] == 5


def test_html_is_a_page_with_the_figures(emojob, data, tmp_path):
    code, out, _ = emojob("--data", data, "--html", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert code == 0
    assert "page.html" in out
    assert page.startswith("<!doctype html>")
    assert "val.csv" in page
    assert sorted(one.name for one in tmp_path.iterdir()) == ["page.html", "val.csv"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--data"),
        (["--data", "missing.csv"], "missing.csv"),
        (["--data", "val.csv", "--html", "no/folder/page.html"], "no/folder"),
        (["--data", "val.csv", "--json", "no/folder/figures.json"], "no/folder"),
        (["--data", "val.csv", "--html", "."], "--html"),
        (["--data", "val.csv", "--html", "-"], "--html"),
        (["--data", "val.csv", "--html", "one", "--json", "one"], "both write one"),
        (["--data", "val.csv", "--json", "./val.csv"], "--json val.csv would overwrite a data file"),
        (["--data", "val.csv", "--html", "val.csv"], "--html val.csv would overwrite a data file"),
        (["--data", "val.csv", "--json", os.devnull], f"--json {os.devnull} is not a file"),
        (["--data", "val.csv", "--label-column", "none"], "none"),
        (["--data", "val.csv", "--label-map", "none.toml"], "none.toml"),
        (["--data", "val.csv", "--against", "none/model"], "none/model"),
        (["--data", "val.csv", "--context", "previous"], "--context previous"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(emojob, data, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = emojob(*arguments)
    assert (code, out) == (2, "")
    assert message in one_line(err)
    assert [one.name for one in tmp_path.iterdir()] == ["val.csv"]


def test_missing_drawing_packages_are_reported_before_scoring(emojob, data, tmp_path, monkeypatch):
    def fail(*arguments, **more):
        raise AssertionError("scored")

    monkeypatch.setattr(page, "is_installed", lambda module: module != "altair")
    monkeypatch.setattr("emojob.training.evaluation.evaluate.measure", fail)
    code, _, err = emojob("--data", data, "--html", tmp_path / "page.html")
    assert code == 2
    assert "emojob[report]" in one_line(err)


def test_json_needs_no_drawing_packages(emojob, data, tmp_path, monkeypatch):
    monkeypatch.setattr(page, "is_installed", lambda module: False)
    code, out, _ = emojob("--data", data, "--json", tmp_path / "figures.json")
    assert code == 0
    assert "accuracy" in out


def test_a_hostile_label_does_not_control_the_terminal(tmp_path, make_model, emojob):
    labels = ("\x1b[31m빨강", "파랑")
    file = tmp_path / "d.csv"
    file.write_text("text,label\n좋아요,파랑\n", encoding="utf-8")
    code, out, _ = emojob("--data", file, "--model", make_model(labels))
    assert code == 0
    assert "\x1b" not in out


@pytest.mark.slow
def test_a_closed_pipe_is_no_error(tiny_model, data):
    command = [sys.executable, "-m", "emojob", "evaluate", "--data", str(data), "--model", str(tiny_model)]
    root = Path(__file__).parents[4]
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write) as replaced:
        ended = subprocess.run(command, stdout=replaced, stderr=subprocess.PIPE, text=True, cwd=root, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
