"""`emojob sample` as a user types it."""

import csv
import subprocess
import sys

import pytest


@pytest.fixture
def labelled(emojob, tmp_path):
    lines = ["정말 기뻐요", "왜 아직도 안 와요", "네", "=SUM(1+1) 이게 뭐죠", "", "정말 기뻐요"]
    log = tmp_path / "log.csv"
    log.write_text("방,text\n" + "".join(f"1,{line}\n" for line in lines))
    assert emojob("score", log, "-o", tmp_path / "out", "--conversation-column", "방", "--quiet")[0] == 0
    return tmp_path / "out"


def read(file):
    with file.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_labelled_archive_becomes_a_sheet(emojob, labelled, tmp_path):
    code, out, err = emojob("sample", labelled, "--uncertain", 2, "-o", tmp_path / "todo.csv")
    assert (code, err) == (0, "")
    assert f"2 utterances in {tmp_path / 'todo.csv'}, out of 3 distinct texts in 5 labelled rows" in out
    assert f"emojob train --data ANNOTATED.csv --data {tmp_path / 'todo.csv'} -o DIR" in out
    rows = read(tmp_path / "todo.csv")
    assert len(rows) == 2
    assert all(row["label"] == "" and row["conversation"] == "'1" for row in rows)


def test_fewer_texts_than_wanted_are_written_and_reported(emojob, labelled, tmp_path):
    code, out, _ = emojob("sample", labelled, "--uncertain", 500, "-o", tmp_path / "todo.csv")
    assert code == 0
    assert "3 utterances (500 were requested, but there are no more)" in out
    rows = {row["text"]: row for row in read(tmp_path / "todo.csv")}
    assert set(rows) == {"정말 기뻐요", "왜 아직도 안 와요", "'=SUM(1+1) 이게 뭐죠"}
    assert rows["정말 기뻐요"]["times"] == "2"
    assert rows["'=SUM(1+1) 이게 뭐죠"]["previous"] == "네"


def test_a_labelled_file_gives_the_same_sheet_as_a_folder(emojob, labelled, tmp_path):
    log = tmp_path / "log.csv"
    emojob("score", log, "-o", tmp_path / "out.parquet", "--conversation-column", "방", "--quiet")
    for out in ("out", "out.parquet"):
        assert emojob("sample", tmp_path / out, "--uncertain", 3, "-o", tmp_path / f"{out}.csv")[0] == 0
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "out.parquet.csv").read_bytes()


def test_an_existing_sheet_is_kept_unless_forced(emojob, labelled, tmp_path):
    file = tmp_path / "todo.csv"
    file.write_text("annotated")
    code, _, err = emojob("sample", labelled, "--uncertain", 2, "-o", file)
    assert (code, err.count("\n"), file.read_text()) == (2, 1, "annotated")
    assert "--force" in err
    assert emojob("sample", labelled, "--uncertain", 2, "-o", file, "--force")[0] == 0
    assert len(read(file)) == 2


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["out", "--uncertain", "0", "-o", "todo.csv"], "1 to 10,000"),
        (["out", "--uncertain", "many", "-o", "todo.csv"], "many"),
        (["out", "--uncertain", "5", "-o", "todo.xlsx"], ".csv"),
        (["out", "--uncertain", "5"], "-o"),
        (["nowhere", "--uncertain", "5", "-o", "todo.csv"], "emojob score"),
        (["log.csv", "--uncertain", "5", "-o", "todo.csv"], "emojob score"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(emojob, labelled, tmp_path, monkeypatch, arguments, word):
    monkeypatch.chdir(tmp_path)
    code, out, err = emojob("sample", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert word in err
    assert not list(tmp_path.glob("*todo*"))


def test_sampling_loads_no_model(labelled, tmp_path):
    code = (
        "import sys\nfrom emojob.jobs.main import main\n"
        f"try:\n    main(['sample', {str(labelled)!r}, '--uncertain', '2', '-o', {str(tmp_path / 'todo.csv')!r}])\n"
        "except SystemExit as ended:\n    assert not ended.code\n"
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
