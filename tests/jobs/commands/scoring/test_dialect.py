"""Options for delimiters, quotes and headers, as a user gives them to `emojob score`."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.command_line import one_line


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_what_is_unusual_in_a_file_is_said_in_one_line(emojob):
    Path("a.csv").write_bytes('상담 이력\n\n번호;상담내용\n1;고마워요\n2;"명작\n3;"네\n4;"음\n'.encode("cp949"))
    code, out, err = emojob("score", "a.csv")
    assert (code, "4 read = 4 labelled" in out) == (0, True)
    assert "a.csv: fields are separated by semicolons; quotes are ordinary characters; header in line 3" in err


def test_another_dialect_labels_an_archive_again(emojob):
    Path("a.csv").write_text('id,text\n1,"가"\n2,나\n')
    assert "2 rows in" in emojob("score", "a.csv", "-o", "out")[1]
    assert "Already complete" in emojob("score", "a.csv", "-o", "out", "--quote", '"')[1]
    assert "2 rows in" in emojob("score", "a.csv", "-o", "out", "--quote", "none")[1]
    assert pq.read_table("out")["text"].to_pylist() == ['"가"', "나"]
    assert "Already complete" in emojob("score", "a.csv", "-o", "out", "--quote", "none")[1]
    assert "2 rows in" in emojob("score", "a.csv", "-o", "out")[1]
    assert pq.read_table("out")["text"].to_pylist() == ["가", "나"]
    emojob("score", "a.csv", "-o", "one.parquet")
    assert "Already complete" in emojob("score", "a.csv", "-o", "one.parquet")[1]
    assert "2 rows in" in emojob("score", "a.csv", "-o", "one.parquet", "--quote", "none")[1]


def test_wrong_values_and_contradictions_are_refused_in_one_line(emojob):
    Path("a.csv").write_text("id,text\n1,네\n")
    Path("a.txt").write_text("안녕하세요, 네\n네\n")
    for given in (["a.csv", "--delimiter", "||"], ["a.csv", "--delimiter", ";"], ["a.csv", "--skip-rows", "7"],
                  ["a.csv", "--encoding", "utf-16"], ["a.txt"]):  # fmt: skip
        code, _, err = emojob("score", *given)
        assert code == 2
        assert one_line(err)
    assert "2 read = 2 labelled" in emojob("score", "a.txt", "--format", "lines")[1]


def test_a_file_without_rows_is_not_called_complete(emojob):
    Path("a.csv").write_text("id,text\n")
    _, out, _ = emojob("score", "a.csv")
    assert "Nothing to label: the input has no rows" in out
