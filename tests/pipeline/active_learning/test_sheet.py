"""The annotators' sheet opens in a spreadsheet and is written completely or not at all."""

import csv
import os
from pathlib import Path

import pytest

from emojob.pipeline.active_learning.selection import Utterance
from emojob.pipeline.active_learning.sheet import check_path, write_sheet
from emojob.schemas.errors import OptionError, StorageError
from emojob.schemas.sheet import SHEET_COLUMNS, unescape_cell


def utterance(text: str, **values: object) -> Utterance:
    plain = {"previous": None, "guess": "분노", "confidence": 0.41237, "second": "일상", "margin": 0.02, "times": 3}
    return Utterance(text=text, **{**plain, "conversation": None, "time": None, **values})


def read(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_sheet_opens_in_a_spreadsheet(tmp_path):
    write_sheet(tmp_path / "todo.csv", [utterance("뭐라고요, 또요?")])
    plain = tmp_path.joinpath("todo.csv").read_bytes()
    assert plain.startswith(b"\xef\xbb\xbftext,label,previous,")
    assert plain.count(b"\r\n") == plain.count(b"\n") == 2
    (row,) = read(tmp_path / "todo.csv")
    assert list(row) == list(SHEET_COLUMNS)
    assert (row["text"], row["label"], row["previous"]) == ("뭐라고요, 또요?", "", "")
    assert (row["emojob_guess"], row["emojob_second"], row["emojob_confidence"]) == ("분노", "일상", "0.4124")
    assert (row["emojob_margin"], row["times"]) == ("0.0200", "3")


def test_no_cell_is_a_formula_and_every_text_is_restored(tmp_path):
    bad = '=HYPERLINK("http://example.invalid";"여기")'
    write_sheet(
        tmp_path / "todo.csv",
        [utterance(bad, previous="@나", guess="-분노", second="+기쁨", conversation="007", time="=1+1")],
    )
    (row,) = read(tmp_path / "todo.csv")
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row.values())
    names = ("text", "previous", "emojob_guess", "emojob_second", "conversation", "time")
    assert [unescape_cell(row[name]) for name in names] == [bad, "@나", "-분노", "+기쁨", "007", "=1+1"]


def test_conversation_and_time_are_the_last_columns_if_known(tmp_path):
    write_sheet(tmp_path / "todo.csv", [utterance("하나"), utterance("둘", time="2026-11-21 10:00:00")])
    rows = read(tmp_path / "todo.csv")
    assert list(rows[0]) == [*SHEET_COLUMNS, "time"]
    assert [row["time"] for row in rows] == ["", "2026-11-21 10:00:00"]


def test_an_existing_sheet_is_only_replaced_with_force(tmp_path):
    file = tmp_path / "todo.csv"
    file.write_text("annotated")
    with pytest.raises(OptionError, match="--force"):
        write_sheet(file, [utterance("하나")])
    assert file.read_text() == "annotated"
    write_sheet(file, [utterance("하나")], replace=True)
    assert read(file)[0]["text"] == "하나"


@pytest.mark.parametrize("name", ["todo.xlsx", "todo", "todo.tsv", "no/such/folder.csv", "folder.csv"])
def test_an_impossible_path_is_refused(tmp_path, name):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(OptionError, match=r"\.csv|no folder"):
        check_path(tmp_path / name, replace=True)


def test_a_disk_error_leaves_no_file(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        write_sheet(tmp_path / "todo.csv", [utterance("하나")])
    assert list(tmp_path.iterdir()) == []
