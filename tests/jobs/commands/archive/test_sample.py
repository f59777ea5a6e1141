"""`emojob sample` as a user types it."""

import csv
import subprocess
import sys

import pytest

from emojob.schemas.sheet import unescape_cell
from tests.training.data.test_workbooks import write_xlsx


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
        assert emojob("sample", tmp_path / out, "--uncertain", 3, "-o", tmp_path / f"{out}.csv", "--again")[0] == 0
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "out.parquet.csv").read_bytes()


def test_an_existing_sheet_is_kept_unless_forced(emojob, labelled, tmp_path):
    file = tmp_path / "todo.csv"
    file.write_text("annotated")
    code, _, err = emojob("sample", labelled, "--uncertain", 2, "-o", file)
    assert (code, err.count("\n"), file.read_text()) == (2, 1, "annotated")
    assert "--force" in err
    assert emojob("sample", labelled, "--uncertain", 2, "-o", file, "--force")[0] == 0
    assert len(read(file)) == 2


def texts_in(file):
    return [unescape_cell(row["text"]) for row in read(file)]


def test_a_second_sheet_has_other_texts(emojob, labelled, tmp_path):
    first, second, third = (tmp_path / name for name in ("1.csv", "2.csv", "3.csv"))
    assert emojob("sample", labelled, "--uncertain", 2, "-o", first)[0] == 0
    code, out, _ = emojob("sample", labelled, "--uncertain", 2, "-o", second)
    assert code == 0
    assert "Left out: the texts of 1.csv in the same folder" in out
    assert len(texts_in(second)) == 1
    assert not set(texts_in(first)) & set(texts_in(second))
    code, out, err = emojob("sample", labelled, "--uncertain", 2, "-o", third)
    assert (code, out, err.count("\n"), third.exists()) == (2, "", 1, False)
    assert "--again" in err
    assert emojob("sample", labelled, "--uncertain", 2, "-o", third, "--again")[0] == 0
    assert texts_in(third) == texts_in(first)


@pytest.mark.parametrize("saved", ["as it is", "cp949", "workbook", "renamed"])
def test_a_sheet_that_was_annotated_elsewhere_is_left_out(emojob, labelled, tmp_path, saved):
    folder = tmp_path / "sheets"
    folder.mkdir()
    assert emojob("sample", labelled, "--uncertain", 2, "-o", folder / "1.csv")[0] == 0
    rows = [[*row.values()] for row in read(folder / "1.csv")]
    names = list(read(folder / "1.csv")[0])
    known = set(texts_in(folder / "1.csv"))
    lines = "\n".join(",".join(f'"{cell}"' for cell in row) for row in [names, *rows]) + "\n"
    if saved == "cp949":
        (folder / "1.csv").write_bytes(lines.encode("cp949"))
    elif saved == "workbook":
        write_xlsx(folder / "1.xlsx", {"Sheet1": [names, *rows]})
        (folder / "1.csv").unlink()
    elif saved == "renamed":
        (folder / "1.csv").rename(tmp_path / "elsewhere.csv")
    options = ["--leave-out", tmp_path / "elsewhere.csv"] if saved == "renamed" else []
    assert emojob("sample", labelled, "--uncertain", 2, "-o", folder / "2.csv", *options)[0] == 0
    assert not known & set(texts_in(folder / "2.csv"))


def test_masked_texts_of_an_earlier_sheet_are_left_out(emojob, tmp_path):
    lines = ["제 번호는 010-1234-5678 이에요", "메일은 a.b@example.com 입니다", "그냥 궁금해요"]
    log = tmp_path / "log.csv"
    log.write_text("text\n" + "".join(f"{line}\n" for line in lines))
    assert emojob("score", log, "-o", tmp_path / "out", "--quiet")[0] == 0
    assert emojob("sample", tmp_path / "out", "--uncertain", 3, "-o", tmp_path / "1.csv")[0] == 0
    assert "010-1234-5678" not in (tmp_path / "1.csv").read_text(encoding="utf-8-sig")
    assert emojob("sample", tmp_path / "out", "--uncertain", 3, "-o", tmp_path / "2.csv")[0] == 2


def test_other_csv_files_in_the_folder_are_no_sheets(emojob, labelled, tmp_path):
    (tmp_path / "annotated.csv").write_text("text,label\n정말 기뻐요,기쁨\n왜 아직도 안 와요,분노\n")
    (tmp_path / "broken.xlsx").write_bytes(b"no workbook")
    code, out, _ = emojob("sample", labelled, "--uncertain", 9, "-o", tmp_path / "1.csv")
    assert code == 0
    assert "Left out" not in out
    assert len(read(tmp_path / "1.csv")) == 3
    options = ["--leave-out", tmp_path / "annotated.csv", "--again"]
    assert emojob("sample", labelled, "--uncertain", 9, "-o", tmp_path / "2.csv", *options)[0] == 0
    assert texts_in(tmp_path / "2.csv") == ["=SUM(1+1) 이게 뭐죠"]


def test_a_random_sample_is_for_measuring(emojob, labelled, tmp_path):
    code, out, err = emojob("sample", labelled, "--random", 4, "-o", tmp_path / "m.csv")
    assert (code, err) == (0, "")
    assert "4 rows in" in out
    assert "from 5 labelled rows; each stands for 1.2 rows" in out
    assert "Do not train on this file" in out
    assert f"emojob evaluate --model MODEL --data {tmp_path / 'm.csv'}" in out
    rows = read(tmp_path / "m.csv")
    assert len(rows) == 4
    assert all(row["emojob_guess"] == row["emojob_confidence"] == row["label"] == "" for row in rows)
    assert {(row["drawn"], row["weight"]) for row in rows} == {("random, seed 0", "1.25")}


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["out", "--uncertain", "0", "-o", "todo.csv"], "1 to 10,000"),
        (["out", "--uncertain", "many", "-o", "todo.csv"], "many"),
        (["out", "--uncertain", "5", "-o", "todo.xlsx"], ".csv"),
        (["out", "--uncertain", "5"], "-o"),
        (["out", "-o", "todo.csv"], "--uncertain N"),
        (["out", "--uncertain", "5", "--random", "5", "-o", "todo.csv"], "--random N"),
        (["out", "--random", "0", "-o", "todo.csv"], "1 to 10,000"),
        (["out", "--random", "5", "--seed", "-1", "-o", "todo.csv"], "--seed -1"),
        (["out", "--random", "5", "--leave-out", "nowhere.csv", "-o", "todo.csv"], "nowhere.csv"),
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
