"""The text column is the one that the user names, or the only one of a usual name that fits."""

from __future__ import annotations

import shlex
import subprocess
import sys
import unicodedata
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.reading.dataset import Dataset, open_dataset
from emojob.pipeline.reading.inputs import find_inputs
from emojob.schemas.errors import ColumnError, DataError
from emojob.schemas.options import ReadOptions


def opened(*paths: Path, column: str | None = None) -> Dataset:
    return open_dataset(find_inputs([str(path) for path in paths]), ReadOptions(column))


def put(path: Path, **columns: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


def test_the_only_column_of_a_usual_name_is_the_text(tmp_path: Path) -> None:
    assert opened(put(tmp_path / "a.parquet", id=[1], Utterance=["가"], note=["나"])).text_column == "Utterance"
    decomposed = unicodedata.normalize("NFD", "발화")
    assert opened(put(tmp_path / "b.parquet", **{"id": [1], decomposed: ["가"]})).text_column == decomposed


def test_a_column_of_a_usual_name_and_another_type_is_not_the_text(tmp_path: Path) -> None:
    assert opened(put(tmp_path / "a.parquet", user=[7], message=["가"])).text_column == "message"
    with pytest.raises(
        ColumnError, match=r"no string column .*\('text' is int64\); the columns are text, id; .*--text-column"
    ):
        opened(put(tmp_path / "b.parquet", text=[1], id=["x"]))


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["가"]),
        pa.array(["가"], pa.large_string()),
        pa.array(["가"], pa.string_view()),
        pa.array(["가"]).dictionary_encode(),
        pa.nulls(1),
    ],
    ids=lambda column: str(column.type)[:10],
)
def test_every_type_of_text_is_text(tmp_path: Path, column: pa.Array) -> None:
    assert opened(put(tmp_path / "a.parquet", text=column)).text_column == "text"


def test_no_or_several_fitting_columns_are_an_error_that_lists_them(tmp_path: Path) -> None:
    with pytest.raises(
        ColumnError, match=r"the columns are id, '보낸 사람'; choose the text column with --text-column NAME"
    ):
        opened(put(tmp_path / "a.parquet", **{"id": [1], "보낸 사람": ["가"]}))
    with pytest.raises(
        ColumnError, match=r"may be the text column \(text, review\); choose the text column with --text-column NAME"
    ):
        opened(put(tmp_path / "b.parquet", text=["가"], n=[1], review=["나"]))


def test_the_column_that_the_user_names_is_the_text(tmp_path: Path) -> None:
    path = put(tmp_path / "a.parquet", text=["가"], answer=["나"])
    assert opened(path, column="answer").text_column == "answer"
    decomposed = unicodedata.normalize("NFD", "답변")
    assert opened(put(tmp_path / "b.parquet", **{decomposed: ["가"]}), column="답변").text_column == decomposed


def test_a_missing_named_column_is_reported_with_the_nearest(tmp_path: Path) -> None:
    path = put(tmp_path / "a.parquet", answer=["가"], id=[1])
    with pytest.raises(
        ColumnError, match=r"no column 'anwser'; its columns are answer, id; did you mean --text-column answer"
    ):
        opened(path, column="anwser")
    other = put(tmp_path / "b.parquet", reply=["가"])
    with pytest.raises(ColumnError, match=r"b\.parquet has no column 'answer'; its columns are reply"):
        opened(path, other, column="answer")


@pytest.mark.parametrize(
    "column", [pa.array([1]), pa.array([b"\xff"]), pa.array([["a"]])], ids=["int", "binary", "list"]
)
def test_a_named_column_of_another_type_is_reported_with_its_type(tmp_path: Path, column: pa.Array) -> None:
    path = put(tmp_path / "a.parquet", v=column, note=["가"])
    with pytest.raises(
        ColumnError, match=r"has the type (int64|binary|list<.*>), not string; choose .* \(string columns: note\)"
    ):
        opened(path, column="v")


def test_the_text_must_be_in_every_file(tmp_path: Path) -> None:
    first = put(tmp_path / "1.parquet", text=["가"], id=["1"])
    second = put(tmp_path / "2.parquet", message=["나"], id=["2"])
    with pytest.raises(ColumnError, match="the inputs have different text columns"):
        opened(first, second)
    third = put(tmp_path / "3.parquet", text=["다"], message=["라"])
    assert opened(first, third).text_column == "text"


def test_files_with_different_text_columns_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("내용,n\n네,1\n", encoding="utf-8")
    (tmp_path / "b.csv").write_text("텍스트,n\n고,2\n", encoding="utf-8")
    with pytest.raises(ColumnError, match=r"\(내용 in a\.csv, 텍스트 in b\.csv\): score them separately"):
        open_dataset(find_inputs([str(tmp_path)]))


def test_files_without_a_text_column_are_named_if_other_files_have_one(tmp_path: Path) -> None:
    files = [put(tmp_path / f"{name}.parquet", id=[1], text=["가"]) for name in "ab"]
    other = put(tmp_path / "codes.parquet", code=["x"], value=["y"])
    message = r"codes\.parquet has no column with a usual name for text \(its columns are code, value\), but 2 other"
    with pytest.raises(
        ColumnError, match=message + r" inputs have one, such as 'text'; leave it out of the inputs, or rename"
    ):
        opened(*files, other)
    with pytest.raises(ColumnError, match=r"codes\.parquet has no column 'text'; .* or leave this file out"):
        opened(*files, other, column="text")


def test_integers_of_128_bits_are_refused_by_name_and_the_command_helps(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    pl.DataFrame({"id": pl.Series([1, -(2**100)], dtype=pl.Int128), "text": ["가", "나"]}).write_parquet(file)
    with pytest.raises(DataError, match=r"column 'id' of .* has integers of 128 bits") as error:
        opened(file)
    command = shlex.split(str(error.value).partition("write them as text: ")[2])
    subprocess.run([sys.executable, *command[1:]], check=True)
    assert pq.read_table(command[-1])["id"].to_pylist() == ["1", str(-(2**100))]
    assert opened(Path(command[-1])).text_column == "text"
