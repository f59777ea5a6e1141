"""A nightly run with `keep_days` removes old rows from all files that were made from them."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from emojob.pipeline.inference import memo_file
from tests.jobs.commands.archive.test_forget_derived import contents

OLD = "오래된 말입니다"


@pytest.fixture
def night(emojob, tmp_path, tiny_model, monkeypatch):
    """night(day): run a nightly run that keeps two days. Each day has one log with three rows and a rejected row."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "night.toml").write_text(
        '[input]\nfiles = "logs/{date}.csv"\ndays_back = 1\n'
        '[output]\narchive = "out"\nreport = "r.html"\nfigures = "r.json"\nkeep_days = 2\n'
        f'[score]\nmodel = "{tiny_model}"\nmemo = "night.memo"\n'
    )
    (tmp_path / "logs").mkdir()

    def run(day: int, logs: bool = True):
        if logs:
            words = OLD if day == 1 else f"새로운 말 {day}"
            date = f"2026-11-0{day}"
            lines = ["at,text", f"{date} 09:00,{words} 하나", f"{date} 09:01,{words} 둘", f"{date},a,b {words}", ""]
            (tmp_path / f"logs/{date}.csv").write_text("\n".join(lines))
        return emojob("nightly", "night.toml", "--date", f"2026-11-0{day}")

    return run


def with_old(folder: Path) -> list[str]:
    """The files, except the logs, that contain a text of the first day."""
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.parent.name != "logs")
    return [str(file.relative_to(folder)) for file in files if OLD in contents(file)]


def test_texts_of_removed_rows_are_in_no_file(night, emojob, tmp_path):
    assert night(1)[0] == 0
    assert emojob("report", "out", "--html", "mine.html", "--json", "out/mine.json")[0] == 0
    assert emojob("sql", "out", "FROM labelled", "-o", "mine.parquet")[0] == 0
    assert night(2)[0] == 0
    assert {"mine.html", "mine.parquet", "out/mine.json", "out/_emojob/rejects.parquet"} <= set(with_old(tmp_path))
    code, out, err = night(3)
    assert (code, "rows removed because they are too old: 2; files deleted that showed these rows: 3" in out) == (
        0,
        True,
    ), out + err
    assert with_old(tmp_path) == []
    assert pq.read_metadata("out/_emojob/rejects.parquet").num_rows == 2
    assert json.loads((tmp_path / "r.json").read_text())["archive"]["rows"] == 4


def test_old_texts_leave_the_memo_and_new_texts_stay(night, tmp_path):
    sizes = []
    for day in (1, 2, 3, 4):
        assert night(day)[0] == 0
        sizes.append(len(memo_file._read(tmp_path / "night.memo")[1]["keys"]))
    assert sizes == [2, 4, 4, 4]


def test_the_report_is_removed_with_the_last_row(night, tmp_path):
    assert night(1)[0] == 0
    assert (tmp_path / "r.html").exists()
    (tmp_path / "logs/2026-11-01.csv").unlink()
    code, _, err = night(5, logs=False)
    assert code == 0, err
    assert with_old(tmp_path) == []
    assert not (tmp_path / "r.html").exists()
    assert not (tmp_path / "r.json").exists()


def test_a_file_that_cannot_be_deleted_ends_each_night_with_3_until_it_is_gone(night, emojob, tmp_path):
    assert night(1)[0] == 0
    assert emojob("sql", "out", "FROM labelled", "-o", "mine.csv")[0] == 0
    assert night(2)[0] == 0
    for day in (3, 4):
        code, _, err = night(day)
        assert (code, err.count("mine.csv may show removed rows")) == (3, 1), err
    (tmp_path / "mine.csv").unlink()
    assert night(5)[0] == 0


def test_a_night_that_is_killed_after_the_removal_is_finished_by_the_next(night, emojob, tmp_path, monkeypatch):
    assert night(1)[0] == 0
    assert emojob("report", "out", "--html", "mine.html")[0] == 0
    assert night(2)[0] == 0

    def killed(*args, **more):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("emojob.pipeline.nightly.night.take_outdated", killed)
        assert night(3)[0] == 1
    assert "mine.html" in with_old(tmp_path)
    assert night(3)[0] == 0
    assert with_old(tmp_path) == []
