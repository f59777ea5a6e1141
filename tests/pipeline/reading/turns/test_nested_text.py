"""A text inside a column becomes the column `text`."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.reading.dataset import open_dataset, read_batches
from emojob.pipeline.reading.inputs import find_inputs
from emojob.schemas.errors import ColumnError
from emojob.schemas.options import ReadOptions


def opened(path, table, text=None):
    pq.write_table(table, path)
    return open_dataset(find_inputs([str(path)]), ReadOptions(text))


def rows(dataset):
    return [row for one in read_batches(dataset, dataset.sources[0]) for row in one.batch.to_pylist()]


def test_a_single_nested_text_is_chosen_and_the_struct_stays(tmp_path):
    table = pa.table({"offset": [1, 2], "message": [{"text": "가", "user": "u"}, None]})
    dataset = opened(tmp_path / "a.parquet", table)
    assert dataset.text_column == "text"
    assert rows(dataset) == [
        {"offset": 1, "message": {"text": "가", "user": "u"}, "text": "가"},
        {"offset": 2, "message": None, "text": None},
    ]
    assert dataset.sources[0].notes == ("the text is message.text",)


def test_several_nested_texts_are_listed_and_a_path_settles_it(tmp_path):
    table = pa.table({"a": [{"text": "가", "b": {"content": "나"}}]})
    with pytest.raises(ColumnError, match=r"\(a\.text, a\.b\.content\); choose the text with --text-column NAME"):
        opened(tmp_path / "a.parquet", table)
    assert rows(opened(tmp_path / "a.parquet", table, "a.b.content"))[0]["text"] == "나"


def test_a_column_called_text_makes_room(tmp_path):
    table = pa.table({"text": [{"body": "가"}]})
    assert rows(opened(tmp_path / "a.parquet", table)) == [{"outer_text": {"body": "가"}, "text": "가"}]
