"""Archives: several files as one table, the text column among their columns, and row batches of any size."""

from __future__ import annotations

import hashlib
import threading
import unicodedata
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emojob.pipeline.reading.dataset import Dataset, open_dataset, read_batches
from emojob.pipeline.reading.inputs import find_inputs
from emojob.pipeline.reading.row_batches import Reject, RowBatch, rebatch
from emojob.pipeline.reading.schema import common_type
from emojob.schemas.errors import ColumnError, DataError


def opened(*paths: Path, column: str | None = None) -> Dataset:
    return open_dataset(find_inputs([str(path) for path in paths]), column)


def rows(dataset: Dataset) -> list[dict[str, object]]:
    found = [row_batch for source in dataset.sources for row_batch in read_batches(dataset, source)]
    assert all(row_batch.batch.schema.equals(dataset.schema, check_metadata=True) for row_batch in found)
    return [row for row_batch in found for row in row_batch.batch.to_pylist()]


def put(path: Path, **columns: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


# -- the text column -----------------------------------------------------------------------------------------------


def test_the_only_column_of_a_usual_name_is_the_text(tmp_path: Path) -> None:
    assert opened(put(tmp_path / "a.parquet", id=[1], Utterance=["가"], note=["나"])).text_column == "Utterance"
    decomposed = unicodedata.normalize("NFD", "발화")
    assert opened(put(tmp_path / "b.parquet", **{"id": [1], decomposed: ["가"]})).text_column == decomposed


def test_a_usual_name_of_another_type_is_no_text(tmp_path: Path) -> None:
    assert opened(put(tmp_path / "a.parquet", user=[7], message=["가"])).text_column == "message"
    with pytest.raises(
        ColumnError, match=r"no column .*\('text' is int64\); the columns are text, id; .*--text-column"
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


def test_none_or_several_that_fit_are_an_error_that_lists_the_columns(tmp_path: Path) -> None:
    with pytest.raises(ColumnError, match=r"the columns are id, '보낸 사람'; say which: --text-column NAME"):
        opened(put(tmp_path / "a.parquet", **{"id": [1], "보낸 사람": ["가"]}))
    with pytest.raises(ColumnError, match=r"columns text, review may each be the text; say which: --text-column NAME"):
        opened(put(tmp_path / "b.parquet", text=["가"], n=[1], review=["나"]))


def test_the_column_that_the_user_names_is_the_text(tmp_path: Path) -> None:
    path = put(tmp_path / "a.parquet", text=["가"], answer=["나"])
    assert opened(path, column="answer").text_column == "answer"
    decomposed = unicodedata.normalize("NFD", "답변")
    assert opened(put(tmp_path / "b.parquet", **{decomposed: ["가"]}), column="답변").text_column == decomposed


def test_a_named_column_that_is_missing_is_told_with_the_nearest(tmp_path: Path) -> None:
    path = put(tmp_path / "a.parquet", answer=["가"], id=[1])
    with pytest.raises(
        ColumnError, match=r"no column 'anwser'; its columns are answer, id; did you mean --text-column answer"
    ):
        opened(path, column="anwser")
    other = put(tmp_path / "b.parquet", reply=["가"])
    with pytest.raises(ColumnError, match=r"b\.parquet has no column 'answer'; its columns are reply"):
        opened(path, other, column="answer")


@pytest.mark.parametrize("column", [pa.array([1]), pa.array([b"x"]), pa.array([["a"]])], ids=["int", "binary", "list"])
def test_a_named_column_of_another_type_is_told_with_its_type(tmp_path: Path, column: pa.Array) -> None:
    path = put(tmp_path / "a.parquet", v=column, note=["가"])
    with pytest.raises(ColumnError, match=r"holds (int64|binary|list<.*>), not text; columns with text are note"):
        opened(path, column="v")


# -- several files -------------------------------------------------------------------------------------------------


def test_other_orders_and_missing_columns_make_one_archive(tmp_path: Path) -> None:
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


def test_the_text_must_stand_in_every_file(tmp_path: Path) -> None:
    first = put(tmp_path / "1.parquet", text=["가"], id=["1"])
    second = put(tmp_path / "2.parquet", message=["나"], id=["2"])
    with pytest.raises(ColumnError, match="the columns that all files have are id"):
        opened(first, second)
    third = put(tmp_path / "3.parquet", text=["다"], message=["라"])
    assert opened(first, third).text_column == "text"


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


def test_types_that_do_not_agree_are_told_with_both_files(tmp_path: Path) -> None:
    first = put(tmp_path / "1.parquet", text=["가"], n=[1])
    second = put(tmp_path / "2.parquet", text=["나"], n=["하나"])
    with pytest.raises(
        ColumnError, match=r"'n' is int64 in .*1\.parquet, but string in .*2\.parquet; score the two sep"
    ):
        opened(first, second)


I8, I64, U8, U64, F16, F32, F64 = (
    pa.int8(), pa.int64(), pa.uint8(), pa.uint64(), pa.float16(), pa.float32(), pa.float64()
)  # fmt: skip


@pytest.mark.parametrize(
    ("a", "b", "common"),
    [
        (pa.null(), pa.list_(I8), pa.list_(I8)),
        (I8, I64, I64),
        (U8, I8, pa.int16()),
        (pa.uint32(), I8, I64),
        (U64, I8, None),
        (U8, U64, U64),
        (F32, F64, F64),
        (pa.int16(), F32, F32),
        (pa.int32(), F32, F64),
        (I64, F64, None),
        (I8, F16, F16),
        (pa.bool_(), I8, None),
        (pa.string(), pa.large_string(), pa.large_string()),
        (pa.string(), pa.dictionary(pa.int8(), pa.string()), pa.string()),
        (pa.dictionary(pa.int8(), pa.string()), pa.dictionary(pa.int32(), pa.string()), pa.string()),
        (pa.string(), pa.binary(), None),
        (pa.binary(), pa.large_binary(), pa.large_binary()),
        (pa.timestamp("s"), pa.timestamp("us"), pa.timestamp("us")),
        (pa.timestamp("us"), pa.timestamp("ns"), None),
        (pa.timestamp("s", "UTC"), pa.timestamp("us"), None),
        (pa.decimal128(5, 2), pa.decimal128(9, 2), pa.decimal128(9, 2)),
        (pa.decimal128(5, 2), pa.decimal128(9, 3), None),
        (pa.list_(I8), pa.large_list(I64), pa.large_list(I64)),
        (pa.list_(I8), pa.list_(pa.string()), None),
        (pa.struct([("a", I8)]), pa.struct([("a", I64)]), None),
    ],
    ids=str,
)
def test_the_common_type_holds_both_unchanged(a: pa.DataType, b: pa.DataType, common: pa.DataType | None) -> None:
    assert common_type(a, b) == common
    assert common_type(b, a) == common


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


def test_hive_folders_become_string_columns_behind_the_files_own(tmp_path: Path) -> None:
    put(tmp_path / "day=2026-10-05/a.parquet", text=["가"], n=[1])
    put(tmp_path / "day=__HIVE_DEFAULT_PARTITION__/user=7/a.parquet", text=["나"], n=[2])
    dataset = opened(tmp_path)
    assert dataset.schema.names == ["text", "n", "day", "user"]
    assert dataset.text_column == "text"  # not the folder, for all that user is a usual name
    assert rows(dataset) == [
        {"text": "가", "n": 1, "day": "2026-10-05", "user": None},
        {"text": "나", "n": 2, "day": None, "user": "7"},
    ]


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl", "a.csv"])
def test_a_files_own_column_stays_where_a_folder_has_its_name(tmp_path: Path, name: str) -> None:
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


def test_a_source_tells_size_and_hash_of_its_file(tmp_path: Path) -> None:
    path = put(tmp_path / "a.parquet", text=["가"])
    (source,) = opened(path).sources
    assert source.size == path.stat().st_size
    assert source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (source.encoding, source.rows) == (None, 1)


def test_a_file_that_grew_since_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text\n가\n", encoding="utf-8")
    dataset = opened(path)
    path.write_text("text\n가\n나\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"has changed while it was read \(9 bytes, now 13\)"):
        list(read_batches(dataset, dataset.sources[0]))


def test_no_file_at_all_is_told() -> None:
    with pytest.raises(DataError, match="no input file"):
        open_dataset([])


def test_windows_may_be_read_in_another_thread(tmp_path: Path) -> None:
    dataset = opened(put(tmp_path / "a.parquet", text=[str(i) for i in range(100)]))
    found: list[RowBatch] = []
    reading = read_batches(dataset, dataset.sources[0], 0, 30)
    thread = threading.Thread(target=lambda: found.extend(reading))
    thread.start()
    thread.join()
    assert [row_batch.rows_read for row_batch in found] == [30, 30, 30, 10]


@pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a.jsonl"])
def test_memory_is_bound_by_the_window_not_by_the_file(tmp_path: Path, name: str) -> None:
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


@given(st.lists(st.lists(st.booleans(), max_size=5), max_size=6), st.integers(0, 12), st.integers(1, 7))
def test_cutting_keeps_every_row_in_its_place(blocks: list[list[bool]], start: int, size: int) -> None:
    """Each block is a list of rows, True where it could be read; a row's value is its number in the file."""
    parts, row = [], 0
    for block in blocks:
        good = [row + i for i, is_good in enumerate(block) if is_good]
        bad = [Reject(row + i + 1, "no record", "") for i, is_good in enumerate(block) if not is_good]
        parts.append(RowBatch(pa.record_batch({"row": pa.array(good, pa.int64())}), row, len(block), bad))
        row += len(block)
    flags = [is_good for block in blocks for is_good in block]
    found = list(rebatch(parts, start, size))
    assert [row_batch.first_row for row_batch in found] == list(range(start, row, size))
    for row_batch in found:
        numbers = range(row_batch.first_row, row_batch.first_row + row_batch.rows_read)
        assert row_batch.batch["row"].to_pylist() == [i for i in numbers if flags[i]]
        assert [one.position - 1 for one in row_batch.rejects] == [i for i in numbers if not flags[i]]
    assert sum(row_batch.rows_read for row_batch in found) == max(0, row - start)
