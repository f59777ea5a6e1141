"""The name of a person in the name of an input: `emojob forget` hides the name when no row of the input is left."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.personal_data import holders, table

NAME = "남궁독고"
WHERE = f"customer = '{NAME}'"
#: Names of input files. The first file has the rows of the person.
SHAPES = {
    "hive": (f"customer={NAME}/a.csv", "customer=b/a.csv"),
    "encoded hive": ("customer=%EB%82%A8%EA%B6%81%EB%8F%85%EA%B3%A0/a.csv", "customer=b/a.csv"),
    "file": (f"{NAME}.csv", "b.csv"),
    "folder": (f"{NAME}/a.csv", "b/a.csv"),
}


@pytest.fixture(params=SHAPES)
def logs(request, tmp_path, monkeypatch):
    """A folder with two inputs. Each has a line that is rejected, which is allowed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMOJOB_MAX_REJECTS", "100")
    for file, customer in zip(SHAPES[request.param], (NAME, "b"), strict=True):
        path = tmp_path / "logs" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        extra = ("", "") if "customer=" in file else (",customer", f",{customer}")
        lines = [f"text,at{extra[0]}", f"좋아요,2026-11-01{extra[1]}", f"싫어요,2026-11-02{extra[1]}", "a,b,c,d,e"]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path / "logs"


def ways_to_write(name: str) -> list[str]:
    return [name, json.dumps(name)[1:-1], "%EB%82%A8%EA%B6%81"]


def named_in(folder: Path) -> list[str]:
    """The files below a folder, except the inputs, that contain the name in any way to write it."""
    found = {file for way in ways_to_write(NAME) for file in holders(folder, way) if not file.startswith("logs/")}
    for file in folder.rglob("*.parquet"):
        if NAME in str(pq.read_schema(file).metadata) + str(pq.read_table(file).to_pylist()):
            found.add(str(file))
    return sorted(found)


@pytest.mark.parametrize("place", ["out", "out.parquet"])
def test_the_name_of_an_input_is_hidden_when_no_row_of_it_is_left(emojob, logs, place, tmp_path):
    score = ("score", "logs", "-o", place)
    assert emojob(*score, "--quiet")[0] == 0
    assert named_in(tmp_path)
    assert emojob("forget", place, "--yes", "--where", f"{WHERE} AND text = '좋아요'")[0] == 0
    assert named_in(tmp_path)  # a row of the input is left
    assert emojob("forget", place, "--yes", "--where", WHERE, "--dry-run")[0] == 0
    assert named_in(tmp_path)
    assert emojob("forget", place, "--yes", "--where", WHERE)[0] == 0
    assert named_in(tmp_path) == []
    before = table(place).to_pylist()
    code, out, _ = emojob(*score)  # the input is still there, and its rows stay forgotten
    assert (code, "Already complete" in out) == (0, True), out
    assert table(place).to_pylist() == before
    assert len(before) == 2
    assert emojob("report", place)[0] == emojob("sql", place, "SELECT count(*) FROM emotions")[0] == 0


def test_a_changed_input_is_labelled_again_though_its_name_is_hidden(emojob, logs, tmp_path):
    assert emojob("score", "logs", "-o", "out", "--quiet")[0] == 0
    assert emojob("forget", "out", "--yes", "--where", WHERE)[0] == 0
    file = min(logs.rglob("*.csv"), key=lambda one: NAME not in str(one) and "%EB" not in str(one))
    file.write_text(file.read_text() + "하나 더," + "2026-11-03" + ("" if "=" in str(file) else f",{NAME}") + "\n")
    assert emojob("score", "logs", "-o", "out", "--quiet")[0] == 0
    assert sorted(table("out")["text"].to_pylist()) == ["싫어요", "싫어요", "좋아요", "좋아요", "하나 더"]


@pytest.mark.parametrize("logs", ["file", "folder"], indirect=True)
def test_a_nightly_run_knows_a_hidden_input(emojob, logs, tmp_path):
    (tmp_path / "night.toml").write_text(
        '[input]\nfiles = "logs/**/*.csv"\n[output]\narchive = "out"\nkeep_days = 3\n[score]\nmax_rejects = "100"\n'
    )
    assert emojob("nightly", "night.toml", "--date", "2026-11-01")[0] == 0
    assert emojob("forget", "out", "--yes", "--where", WHERE)[0] == 0
    assert named_in(tmp_path / "out") == []
    code, out, err = emojob("nightly", "night.toml", "--date", "2026-11-02")
    assert (code, len(table("out"))) == (0, 2), (out, err)
    plan = emojob("nightly", "night.toml", "--date", "2026-11-02", "--check")[1]
    assert "complete: 2" in plan, plan
    min(logs.rglob("*.csv"), key=lambda one: NAME not in str(one)).unlink()
    assert emojob("forget", "out", "--yes", "--where", WHERE)[0] == 5
    assert named_in(tmp_path / "out") == []
    emojob("nightly", "night.toml", "--date", "2026-11-04")
    assert not list((tmp_path / "out").glob("part-*.parquet"))  # keep_days still knows the day of the hidden input
    assert named_in(tmp_path / "out") == []


def test_a_database_that_reads_the_archive_does_not_keep_the_name(emojob, logs, tmp_path):
    assert emojob("score", "logs", "-o", "out", "--quiet")[0] == 0
    for file in ("views.duckdb", "out/views.duckdb"):
        assert emojob("sql", "out", "--export", file)[0] == 0
    code, out, err = emojob("forget", "out", "--yes", "--where", WHERE)
    assert (code, "did not write" in out + err) == (0, False), out
    assert named_in(tmp_path) == []
