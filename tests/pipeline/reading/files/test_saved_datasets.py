"""Folders that Hugging Face's `datasets` wrote: only the files of the dataset are read."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from emojob.pipeline.reading.files.input_file import PassedOver
from emojob.pipeline.reading.inputs import find_inputs
from emojob.schemas.errors import DataError

INFO = {"description": "", "features": {"text": {"dtype": "string", "_type": "Value"}}}


def arrow(file: Path, text: str) -> None:
    table = pa.table({"text": [text]})
    with pa.ipc.new_stream(str(file), table.schema) as writer:
        writer.write_table(table)


def saved(folder: Path, **state: object) -> Path:
    """Write a dataset of two files as `save_to_disk` does."""
    folder.mkdir(parents=True)
    names = [f"data-{number:05d}-of-00002.arrow" for number in range(2)]
    for name in names:
        arrow(folder / name, name)
    (folder / "dataset_info.json").write_text(json.dumps(INFO))
    listed = {"_data_files": [{"filename": name} for name in names], "_fingerprint": "ab", "_split": "train"}
    (folder / "state.json").write_text(json.dumps(listed | state))
    return folder


def names(given: object, passed_over: list[PassedOver] | None = None) -> list[str]:
    return [Path(file.name).name for file in find_inputs([str(given)], passed_over=passed_over)]


def test_the_files_of_state_json_are_read_and_the_others_are_named(emojob, tmp_path):
    folder = saved(tmp_path / "reviews")
    arrow(folder / "cache-1c80317fa3b1799d.arrow", "again")
    (folder / "notes.csv").write_text("text\n메모\n")
    over: list[PassedOver] = []
    assert names(folder, over) == names(folder / "*") == ["data-00000-of-00002.arrow", "data-00001-of-00002.arrow"]
    assert {one.name: one.reason for one in over} == {
        "cache-1c80317fa3b1799d.arrow": "a file of the cache of Hugging Face",
        "dataset_info.json": "a description of a Hugging Face dataset",
        "notes.csv": "not listed in state.json",
        "state.json": "a description of a Hugging Face dataset",
    }
    code, _, err = emojob("score", folder, "-o", tmp_path / "out")
    assert code == 0
    assert "cache-1c80317fa3b1799d.arrow" in err


def test_a_folder_with_several_splits_is_read(tmp_path):
    for split in ("train", "test"):
        saved(tmp_path / "all" / split)
    (tmp_path / "all/dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    over: list[PassedOver] = []
    assert len(names(tmp_path / "all", over)) == 4
    assert "dataset_dict.json" in {one.name for one in over}


def test_a_folder_of_the_cache_without_state_json_is_read(tmp_path):
    arrow(tmp_path / "reviews-train.arrow", "가")
    arrow(tmp_path / "cache-0123456789abcdef.arrow", "가")
    (tmp_path / "dataset_info.json").write_text(json.dumps(INFO))
    assert names(tmp_path) == ["reviews-train.arrow"]


@pytest.mark.parametrize("given", ["", "/*.arrow", "/data-00000-of-00002.arrow"])
def test_a_dataset_of_some_rows_is_refused_with_a_command(tmp_path, given):
    folder = saved(tmp_path / "some", _indices_data_files=[{"filename": "indices.arrow"}])
    arrow(folder / "indices.arrow", "0")
    with pytest.raises(DataError, match=r"indices\.arrow lists them.*flatten_indices"):
        names(f"{folder}{given}")


def test_a_missing_file_is_named(tmp_path):
    folder = saved(tmp_path / "part")
    (folder / "data-00001-of-00002.arrow").unlink()
    with pytest.raises(DataError, match=r"data-00001-of-00002\.arrow is missing, but state\.json lists it"):
        names(folder)


def test_other_files_of_these_names_are_inputs(tmp_path):
    for name in ("state.json", "dataset_info.json", "dataset_dict.json"):
        (tmp_path / name).write_text('[{"text": "가"}]')
    arrow(tmp_path / "a.arrow", "가")
    assert len(names(tmp_path)) == 4
