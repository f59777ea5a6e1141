"""Parquet: tables come back unchanged with row groups of any size; damage is reported."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emojob.pipeline.reading import row_batches as row_batches
from emojob.pipeline.reading.dataset import Dataset, open_dataset, read_batches
from emojob.pipeline.reading.formats import parquet
from emojob.pipeline.reading.inputs import find_inputs
from emojob.schemas.errors import ColumnError, DataError
from emojob.schemas.options import ReadOptions
from tests.examples import examples


def opened(path: Path, column: str | None = None) -> Dataset:
    return open_dataset(find_inputs([str(path)]), ReadOptions(column))


def read(dataset: Dataset, start_row: int = 0, rows: int = 1000) -> pa.Table:
    found = list(read_batches(dataset, dataset.sources[0], start_row, rows))
    return pa.Table.from_batches([row_batch.batch for row_batch in found], dataset.schema)


@pytest.fixture
def varied() -> pa.Table:
    """Return a table with every kind of column that a log may have besides its text."""
    n = 25
    day = datetime.datetime(2026, 10, 5, tzinfo=datetime.UTC)
    columns: dict[str, Any] = {
        "text": pa.array([None if i % 5 == 0 else f"말 {i}" for i in range(n)], pa.large_string()),
        "name": pa.array(["가", "나", None, "다", "라"] * 5).dictionary_encode(),
        "small": pa.DictionaryArray.from_arrays(pa.array([0, 1, 0, 1, None] * 5, pa.int8()), ["x", "y"]),
        "names": pa.array(
            [["가"], None, [], ["나", None], ["다"]] * 5, pa.list_(pa.dictionary(pa.int32(), pa.string()))
        ),
        "nested": pa.array([{"a": [1, None], "b": {"c": "가"}}, None, {"a": None, "b": None}, {}, {"a": []}] * 5),
        "map": pa.array([[("k", 1)], [], None, [("a", None)], []] * 5, pa.map_(pa.string(), pa.int32())),
        "at": pa.array([day] * n, pa.timestamp("us", "Asia/Seoul")),
        "ns": pa.array(range(n), pa.timestamp("ns")),
        "day": pa.array(range(n), pa.date32()),
        "money": pa.array(range(n), pa.decimal128(12, 2)),
        "bytes": pa.array([b"\x00\xff"] * n, pa.large_binary()),
        "u8": pa.array(range(n), pa.uint8()),
        "half": pa.array([float("nan"), -0.0, None, 1.5, float("inf")] * 5, pa.float32()),
        "nothing": pa.nulls(n),
    }
    fields = [
        pa.field(name, array.type, nullable=name != "u8", metadata={"unit": "won"} if name == "money" else None)
        for name, array in columns.items()
    ]
    return pa.Table.from_arrays(list(columns.values()), schema=pa.schema(fields, {"pandas": "{}", "owner": "상담"}))


@pytest.mark.parametrize("row_group", [1, 7, 10, 100])
@pytest.mark.parametrize("rows", [1, 10, 100])
def test_a_table_comes_back_bit_for_bit(tmp_path: Path, varied: pa.Table, row_group: int, rows: int) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(varied, path, row_group_size=row_group)
    dataset = opened(path, "text")
    assert dataset.schema.equals(pq.read_schema(path))
    assert [field.metadata for field in dataset.schema] == [field.metadata for field in pq.read_schema(path)]
    assert dataset.schema.metadata == {b"pandas": b"{}", b"owner": "상담".encode()}
    assert not dataset.schema.field("u8").nullable
    assert dataset.sources[0].rows == 25
    found = read(dataset, rows=rows)
    assert found.schema.equals(dataset.schema, check_metadata=True)
    assert found.cast(varied.schema).drop("half").equals(varied.drop("half"))
    assert str(found["half"].to_pylist()) == str(varied["half"].to_pylist())


def test_row_batches_are_full_with_row_groups_of_any_size(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": [str(i) for i in range(95)]}), path, row_group_size=10)
    dataset = opened(path)
    found = list(read_batches(dataset, dataset.sources[0], 0, 30))
    assert [(w.first_row, w.rows_read, w.batch.num_rows) for w in found] == [
        (0, 30, 30),
        (30, 30, 30),
        (60, 30, 30),
        (90, 5, 5),
    ]


@given(st.lists(st.integers(0, 6), min_size=1, max_size=6), st.integers(0, 30), st.integers(1, 8))
@examples(60)
def test_a_start_anywhere_gives_the_tail(
    tmp_path_factory: pytest.TempPathFactory, groups: list[int], start: int, rows: int
) -> None:
    path = tmp_path_factory.mktemp("tail") / "a.parquet"
    schema = pa.schema([pa.field("text", pa.string())])
    with pq.ParquetWriter(path, schema) as writer:
        for i, size in enumerate(groups):
            writer.write_table(pa.table({"text": [f"{i}.{j}" for j in range(size)]}, schema), row_group_size=100)
    dataset = opened(path)
    whole = [f"{i}.{j}" for i, size in enumerate(groups) for j in range(size)]
    found = list(read_batches(dataset, dataset.sources[0], start, rows))
    assert [text for row_batch in found for text in row_batch.batch["text"].to_pylist()] == whole[start:]
    assert [row_batch.first_row for row_batch in found] == list(range(start, len(whole), rows))


def test_row_groups_before_the_start_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(
        pa.table({"text": ["가" * 50] * 20}), path, row_group_size=10, compression="none", use_dictionary=False
    )
    data = bytearray(path.read_bytes())
    column = pq.read_metadata(path).row_group(0).column(0)
    data[column.data_page_offset : column.data_page_offset + 40] = bytes(40)
    path.write_bytes(data)
    dataset = opened(path)
    assert read(dataset, start_row=10).num_rows == 10
    with pytest.raises(DataError, match="is damaged"):
        read(dataset)


def test_very_long_texts_make_smaller_row_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_batches, "BATCH_BYTES", 10_000)
    monkeypatch.setattr(parquet, "BATCH_BYTES", 3_000)
    path = tmp_path / "a.parquet"
    table = pa.table({"text": [chr(97 + i % 26) * 1000 for i in range(40)]})
    pq.write_table(table, path, use_dictionary=False, compression="none")
    dataset = opened(path)
    found = list(read_batches(dataset, dataset.sources[0], 0, 1000))
    assert all(row_batch.batch.nbytes <= 10_000 for row_batch in found)
    assert pa.Table.from_batches([row_batch.batch for row_batch in found]).equals(table)
    assert [w.first_row for w in found] == [sum(x.rows_read for x in found[:i]) for i in range(len(found))]


def test_dictionaries_too_large_together_for_their_index_stay_apart(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    kind = pa.dictionary(pa.int8(), pa.string())
    schema = pa.schema([pa.field("text", kind)])
    with pq.ParquetWriter(path, schema) as writer:
        for group in range(3):
            values = pa.array([f"{group}.{i}" for i in range(100)])
            indices = pa.array(range(100), pa.int8())
            writer.write_table(pa.table({"text": pa.DictionaryArray.from_arrays(indices, values)}, schema))
    dataset = opened(path)
    assert dataset.schema.field("text").type == kind
    found = list(read_batches(dataset, dataset.sources[0]))
    assert [w.first_row for w in found] == [0, 100, 200]
    assert read(dataset)["text"].to_pylist() == [f"{g}.{i}" for g in range(3) for i in range(100)]


def test_a_file_without_rows_is_valid(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), path)
    dataset = opened(path)
    assert dataset.sources[0].rows == 0
    assert list(read_batches(dataset, dataset.sources[0])) == []


def test_truncated_files_are_reported_when_opened(tmp_path: Path) -> None:
    whole = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["가"] * 1000}), whole)
    for cut in (4, 100, len(whole.read_bytes()) - 1):
        (tmp_path / "cut.parquet").write_bytes(whole.read_bytes()[:cut])
        with pytest.raises(DataError, match=r"cut.parquet is not a readable Parquet file \(truncated\?\)") as caught:
            opened(tmp_path / "cut.parquet")
        assert "\n" not in str(caught.value)
    (tmp_path / "empty.parquet").write_bytes(b"")
    with pytest.raises(DataError, match=r"is empty \(0 bytes\)"):
        opened(tmp_path / "empty.parquet")


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array(["a"])] * 3, ["text", "id", "id"])
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(ColumnError, match="more than once: id"):
        opened(tmp_path / "a.parquet")
