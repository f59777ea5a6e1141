"""Annotated data is read as `emojob score` reads it: the same files and sheets, and each that is not read is named."""

import json
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.schemas.errors import ColumnError, DataError
from emojob.training.data.corpus import read_corpus
from emojob.training.data.earlier_sheets import texts_of
from tests.workbooks import write_xlsx

CSV = "text,label\n좋아요,기쁨\n"


def test_binary_columns_with_texts_are_read(tmp_path):
    texts = ["좋아요", "싫어요", None]
    columns = {"text": texts, "label": ["기쁨", "분노", "불안"]}
    table = pa.table({name: [one and one.encode() for one in values] for name, values in columns.items()})
    pq.write_table(table, tmp_path / "a.parquet")
    corpus = read_corpus([tmp_path / "a.parquet"])
    assert (corpus.texts, corpus.raw_labels) == (texts, [("기쁨",), ("분노",), ("불안",)])
    assert texts_of([tmp_path / "a.parquet"]) == texts[:2]


def test_a_text_that_is_not_utf_8_is_a_rejected_row(tmp_path):
    texts = ["좋아요".encode(), b"\xff\xfe", "싫어요".encode()]
    pq.write_table(pa.table({"text": texts, "label": ["기쁨", "분노", "불안"]}), tmp_path / "a.parquet")
    corpus = read_corpus([tmp_path / "a.parquet"])
    assert (corpus.texts, corpus.rejected) == (["좋아요", "싫어요"], 1)


def test_bytes_that_are_no_texts_are_refused(tmp_path):
    pq.write_table(pa.table({"text": [b"\xff", b"\xfe"], "label": ["기쁨", "분노"]}), tmp_path / "a.parquet")
    with pytest.raises(ColumnError, match="'text' is binary"):
        read_corpus([tmp_path / "a.parquet"])


def test_files_and_sheets_that_are_not_read_are_named(tmp_path, written):
    written("a.csv", CSV)
    written("b.md", "# notes")
    written("c.json", json.dumps({"made": "2026"}))
    written("d.txt", "그냥 메모입니다\n두 번째 줄\n")
    sheets = {
        "설명": [["만든 사람", "날짜"], ["우리 팀", "2026"]],
        "빈": [],
        "말": [["text", "label"], ["싫어요", "분노"]],
    }
    write_xlsx(tmp_path / "e.xlsx", sheets)
    corpus = read_corpus([tmp_path])
    assert corpus.texts == ["좋아요", "싫어요"]
    (note,) = corpus.notes
    assert note.startswith(
        "3 files and 2 sheets are passed over: b.md (an unknown format), c.json (a JSON object without a text), "
    )
    (note,) = read_corpus([tmp_path / "e.xlsx"]).notes
    assert "e.xlsx/설명 (a sheet whose text or label column is missing or unclear)" in note
    assert "e.xlsx/빈 (an empty sheet)" in note


def test_sheets_of_earlier_samples_are_read_in_the_same_way(tmp_path, written):
    written("a.csv", CSV)
    written("b.md", "# notes")
    write_xlsx(tmp_path / "e.xlsx", {"설명": [["만든 사람"], ["우리 팀"]], "말": [["text"], ["싫어요"]]})
    notes: list[str] = []
    assert texts_of([tmp_path], notes.append) == ["좋아요", "싫어요"]
    assert notes == [
        "1 file and 1 sheet are passed over: b.md (an unknown format), e.xlsx/설명 (a sheet without a text column)"
    ]


def test_a_folder_without_annotated_data_is_refused(tmp_path, written):
    written("c.json", json.dumps({"made": "2026"}))
    with pytest.raises(DataError, match=r"no file is annotated data; 1 file is passed over: c\.json"):
        read_corpus([tmp_path])


def test_files_with_the_same_name_are_told_apart(tmp_path):
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as packed:
        packed.writestr("a.csv", CSV)
        packed.writestr("b.csv", CSV)
    for day in (1, 2):
        (tmp_path / f"hive/d={day}").mkdir(parents=True)
        pq.write_table(pa.table({"text": ["좋아요"], "label": ["기쁨"]}), tmp_path / f"hive/d={day}/p.parquet")
    assert [file.name for file in read_corpus([tmp_path / "hive"]).files] == ["d=1/p.parquet", "d=2/p.parquet"]
    assert [file.name for file in read_corpus([tmp_path / "z.zip"]).files] == ["z.zip/a.csv", "z.zip/b.csv"]
