"""Datasets: several files read as one table, inspected once and refused if they change."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.reading.dataset import Dataset, open_dataset, read_batches
from emojob.pipeline.reading.inputs import find_inputs
from emojob.pipeline.reading.row_batches import RowBatch
from emojob.schemas.errors import ColumnError, DataError
from emojob.schemas.options import ReadOptions


def opened(*paths: Path, column: str | None = None) -> Dataset:
    return open_dataset(find_inputs([str(path) for path in paths]), ReadOptions(column))


def rows(dataset: Dataset) -> list[dict[str, object]]:
    found = [row_batch for source in dataset.sources for row_batch in read_batches(dataset, source)]
    assert all(row_batch.batch.schema.equals(dataset.schema, check_metadata=True) for row_batch in found)
    return [row for row_batch in found for row in row_batch.batch.to_pylist()]


def put(path: Path, **columns: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


# -- the text column -----------------------------------------------------------------------------------------------


# -- several files -------------------------------------------------------------------------------------------------


def test_files_with_other_orders_and_missing_columns_make_one_dataset(tmp_path: Path) -> None:
    first = put(tmp_path / "1.parquet", text=["가"], n=[1])
    second = put(tmp_path / "2.parquet", at=["내일"], n=[2], text=["나"])
    third = tmp_path / "3.csv"
    third.write_text("at,text\n모레,다\n", encoding="utf-8")
    dataset = opened(first, second, third)
    assert dataset.schema.names == ["text", "n", "at"]
    assert rows(dataset) == [
        {"text": "가", "n": 1, "at": None},
        {"text": "나", "n": 2, "at": "내일"},
        {"text": "다", "n": None, "at": "모레"},
    ]


def test_types_widen_where_nothing_is_lost(tmp_path: Path) -> None:
    first = put(
        tmp_path / "1.parquet", text=pa.array(["가"]).dictionary_encode(), n=pa.array([1], pa.int8()), z=pa.nulls(1)
    )
    second = put(
        tmp_path / "2.parquet", text=pa.array(["나"], pa.large_string()), n=pa.array([300], pa.int32()), z=["x"]
    )
    dataset = opened(first, second)
    assert [str(field.type) for field in dataset.schema] == ["large_string", "int32", "string"]
    assert rows(dataset) == [{"text": "가", "n": 1, "z": None}, {"text": "나", "n": 300, "z": "x"}]


def test_types_without_a_common_type_are_reported_with_both_files(tmp_path: Path) -> None:
    first = put(tmp_path / "1.parquet", text=["가"], n=[1])
    second = put(tmp_path / "2.parquet", text=["나"], n=["하나"])
    with pytest.raises(
        ColumnError, match=r"'n' is int64 in .*1\.parquet, but string in .*2\.parquet; read .* --as-text 'n', or score"
    ):
        opened(first, second)


def test_metadata_that_all_files_share_is_kept(tmp_path: Path) -> None:
    for i, owner in enumerate("ab"):
        schema = pa.schema([pa.field("text", pa.string(), metadata={"k": "v"})], {"source": "chat", "owner": owner})
        pq.write_table(pa.table({"text": [owner]}, schema), tmp_path / f"{i}.parquet")
    dataset = opened(tmp_path)
    assert dataset.schema.metadata == {b"source": b"chat"}
    assert dataset.schema.field("text").metadata == {b"k": b"v"}


def test_a_column_that_a_file_lacks_may_be_null(tmp_path: Path) -> None:
    schema = pa.schema([pa.field("text", pa.string(), nullable=False), pa.field("n", pa.int8(), nullable=False)])
    pq.write_table(pa.table({"text": ["가"], "n": [1]}, schema), tmp_path / "1.parquet")
    pq.write_table(pa.table({"text": ["나"]}, schema.remove(1)), tmp_path / "2.parquet")
    dataset = opened(tmp_path)
    assert [field.nullable for field in dataset.schema] == [False, True]
    assert rows(dataset) == [{"text": "가", "n": 1}, {"text": "나", "n": None}]


def test_hive_folders_become_string_columns_after_the_files_own(tmp_path: Path) -> None:
    put(tmp_path / "day=2026-10-05/a.parquet", text=["가"], n=[1])
    put(tmp_path / "day=__HIVE_DEFAULT_PARTITION__/user=7/a.parquet", text=["나"], n=[2])
    dataset = opened(tmp_path)
    assert dataset.schema.names == ["text", "n", "day", "user"]
    assert dataset.text_column == "text"  # not the folder, although user is a usual name
    assert rows(dataset) == [
        {"text": "가", "n": 1, "day": "2026-10-05", "user": None},
        {"text": "나", "n": 2, "day": None, "user": "7"},
    ]


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl", "a.csv"])
def test_a_files_own_column_has_priority_over_a_folder_of_its_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / "day=2026-10-05" / name
    put(path, text=["가"], day=["월"])
    if name == "a.jsonl":
        path.write_text('{"text":"가","day":"월"}\n', encoding="utf-8")
    if name == "a.csv":
        path.write_text("text,day\n가,월\n", encoding="utf-8")
    assert rows(opened(tmp_path)) == [{"text": "가", "day": "월"}]


def test_folders_beside_json_lines_become_columns(tmp_path: Path) -> None:
    (tmp_path / "shop=1").mkdir()
    (tmp_path / "shop=1/a.jsonl").write_text('{"text":"가"}\nnull\n{"text":"나"}\n', encoding="utf-8")
    assert rows(opened(tmp_path)) == [{"text": "가", "shop": "1"}, {"text": "나", "shop": "1"}]


# -- sources and row batches -------------------------------------------------------------------------------------------


def test_a_source_has_size_and_hash_of_its_file(tmp_path: Path) -> None:
    path = put(tmp_path / "a.parquet", text=["가"])
    (source,) = opened(path).sources
    assert source.size == path.stat().st_size
    assert source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (source.encoding, source.rows) == (None, 1)


def test_a_file_that_grew_since_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text\n가\n", encoding="utf-8")
    dataset = opened(path)
    path.write_text("text\n가\n나\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"changed while emojob was reading it \(9 bytes, now 13\)"):
        list(read_batches(dataset, dataset.sources[0]))


def test_no_file_at_all_is_refused() -> None:
    with pytest.raises(DataError, match="no input file"):
        open_dataset([])


def test_row_batches_may_be_read_in_another_thread(tmp_path: Path) -> None:
    dataset = opened(put(tmp_path / "a.parquet", text=[str(i) for i in range(100)]))
    found: list[RowBatch] = []
    reading = read_batches(dataset, dataset.sources[0], 0, 30)
    thread = threading.Thread(target=lambda: found.extend(reading))
    thread.start()
    thread.join()
    assert [row_batch.rows_read for row_batch in found] == [30, 30, 30, 10]


@pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a.jsonl"])
def test_memory_is_bound_by_the_row_batch_not_by_the_file(tmp_path: Path, name: str) -> None:
    path, texts = tmp_path / name, [f"{i:08d}" * 12 for i in range(200_000)]  # some 20 MB, one row group
    if name == "a.parquet":
        pq.write_table(pa.table({"text": texts}), path, row_group_size=len(texts), compression="none")
    else:
        rows = ["text,n", *(f"{text},1" for text in texts)] if name == "a.csv" else [f'{{"text":"{t}"}}' for t in texts]
        path.write_text("\n".join(rows))
    dataset = opened(path)
    before, most, read = pa.total_allocated_bytes(), 0, 0
    for row_batch in read_batches(dataset, dataset.sources[0], 0, 2000):
        most = max(most, pa.total_allocated_bytes() - before)
        read += row_batch.rows_read
    assert read == len(texts)
    assert most < 6_000_000
