"""Files whose types differ are one dataset if nothing is lost, and are refused by name before anything is read else."""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.reading.dataset import Dataset, open_dataset, read_batches
from emojob.pipeline.reading.inputs import find_inputs
from emojob.schemas.errors import ColumnError
from emojob.schemas.options import ReadOptions

NS, US = pa.timestamp("ns"), pa.timestamp("us")
FAR = datetime.datetime(9999, 12, 31)
WORD = pa.array(["a"])


def opened(folder: Path, *columns: pa.Array, **options: object) -> Dataset:
    for number, column in enumerate(columns):
        pq.write_table(pa.table({"text": ["가"] * len(column), "v": column}), folder / f"{number}.parquet")
    return open_dataset(find_inputs([str(folder)]), ReadOptions(**options))


def column(dataset: Dataset) -> pa.ChunkedArray:
    batches = (one.batch for source in dataset.sources for one in read_batches(dataset, source))
    return pa.chunked_array([one.column("v") for one in batches])


def values(dataset: Dataset) -> list[object]:
    return column(dataset).to_pylist()


@pytest.mark.parametrize(
    ("a", "b", "kind", "expected"),
    [
        (pa.array([2**53]), pa.array([1.5]), pa.float64(), [2.0**53, 1.5]),
        (pa.array([2**53 + 1]), pa.array([7.0, None]), pa.int64(), [2**53 + 1, 7, None]),
        (pa.array([2**63], pa.uint64()), pa.array([1]), pa.uint64(), [2**63, 1]),
        (pa.array([1], pa.uint64()), pa.array([-1]), pa.int64(), [1, -1]),
        (pa.array([1001], NS), pa.array([5], US), NS, None),
        (pa.array([1000], NS), pa.array([FAR], US), US, [datetime.datetime(1970, 1, 1, 0, 0, 0, 1), FAR]),
        (pa.array([10**9], NS), pa.array([FAR], pa.timestamp("s")), US, None),
        (pa.array([1], pa.duration("s")), pa.array([1], pa.duration("ns")), pa.duration("ns"), None),
        (pa.array([1], pa.date32()), pa.array([5], US), US, None),
        (pa.array([0], pa.timestamp("us", "UTC")), pa.array([0], pa.timestamp("ms", "Asia/Seoul")),
         pa.timestamp("us", "Asia/Seoul"), None),
        (pa.array([Decimal("1.5")]), pa.array([2]), pa.decimal128(20, 1), [Decimal("1.5"), Decimal("2.0")]),
        (pa.array([1], pa.decimal128(38, 0)), pa.array([Decimal("0.5")]), pa.decimal128(38, 1), [1, Decimal("0.5")]),
        (pa.array([10**37], pa.decimal128(38, 0)), pa.array([Decimal("0.25")]), pa.decimal256(40, 2),
         [10**37, Decimal("0.25")]),
        (pa.array([{"x": 1}]), pa.array([{"y": "b", "x": 1.5}, None]),
         pa.struct([("x", pa.float64()), ("y", pa.string())]),
         [{"x": 1, "y": None}, {"x": 1.5, "y": "b"}, None]),
        (pa.array([[{"x": 1}], None, []]), pa.array([[{"x": 2, "y": [1]}]]),
         pa.list_(pa.struct([("x", pa.int64()), ("y", pa.list_(pa.int64()))])),
         [[{"x": 1, "y": None}], None, [], [{"x": 2, "y": [1]}]]),
        (pa.array([{"t": 5}], pa.struct([("t", US)])), pa.array([{"t": 5}], pa.struct([("t", NS)])),
         pa.struct([("t", NS)]), None),
        (WORD.dictionary_encode(), pa.array(["b"]), pa.string(), ["a", "b"]),
        (pa.nulls(1), pa.array([{"x": 1}]), pa.struct([("x", pa.int64())]), [None, {"x": 1}]),
        (pa.array([b"a"]), pa.array(["b"]), pa.string(), ["a", "b"]),
        (pa.array([b"\xff"]), pa.array(["b"]), pa.binary(), [b"\xff", b"b"]),
        (pa.array(["{}"], pa.json_()), pa.array(["b"]), pa.string(), ["{}", "b"]),
    ],
    ids=lambda value: str(getattr(value, "type", ""))[:20],
)  # fmt: skip
def test_types_that_differ_without_loss_are_one_column(tmp_path: Path, a, b, kind, expected) -> None:
    dataset = opened(tmp_path, a, b)
    assert dataset.schema.field("v").type == kind
    if expected is None:  # nanoseconds, which Python cannot represent
        assert column(dataset).equals(pa.chunked_array([a.cast(kind), b.cast(kind)]))
    else:
        assert values(dataset) == expected


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (pa.array([2**53 + 1]), pa.array([1.5])),
        (pa.array([1001], NS), pa.array([FAR], US)),
        (pa.array([[2**60]]), pa.array([[0.5]])),
        (pa.array([{"x": 2**60}]), pa.array([{"x": 0.5}])),
        (pa.array([1]), pa.array(["a"])),
        (pa.array([0], US), pa.array([0], pa.timestamp("us", "UTC"))),
        (pa.array([True]), pa.array([1])),
        (pa.array([b"0" * 16], pa.uuid()), pa.array(["a"])),
        (pa.array([Decimal("1.5")]), pa.array([1.5])),
        (pa.array(["2026-11-20"]), pa.array([datetime.date(2026, 11, 20)])),
    ],
    ids=str,
)
def test_types_that_lose_values_are_refused_with_the_option_that_settles_it(tmp_path: Path, a, b) -> None:
    with pytest.raises(
        ColumnError, match=r"column 'v' is .* in .*0\.parquet, but .*1\.parquet.*--as-text 'v', or score"
    ):
        opened(tmp_path, a, b)
    dataset = opened(tmp_path, a, b, as_text=("v",))
    assert dataset.schema.field("v").type == pa.string()
    assert all(isinstance(value, str) for value in values(dataset))


def test_numbers_of_a_column_that_is_read_as_text_have_their_usual_digits(tmp_path: Path) -> None:
    columns = (pa.array([1002, None]), pa.array([1002.0, 0.1]), pa.array(["1002", "가"]), pa.array([b"x", b"\xff"]))
    found = values(opened(tmp_path, *columns, as_text=("v",)))
    assert found == ["1002", None, "1002", "0.1", "1002", "가", "x", "0xff"]


def test_a_column_that_is_text_in_all_files_stays_as_it_is(tmp_path: Path) -> None:
    dataset = opened(tmp_path, pa.array(["a"], pa.large_string()), as_text=("v",))
    assert dataset.schema.field("v").type == pa.large_string()


def test_a_folder_of_a_date_and_a_date_in_the_file_are_one_text_if_asked(tmp_path: Path) -> None:
    (tmp_path / "v=2026-11-20").mkdir()
    pq.write_table(pa.table({"text": ["가"]}), tmp_path / "v=2026-11-20/a.parquet")
    with pytest.raises(ColumnError, match="--as-text 'v'"):
        opened(tmp_path, pa.array([datetime.date(2026, 11, 21)]))
    as_text = ReadOptions(as_text=("v",))
    assert values(open_dataset(find_inputs([str(tmp_path)]), as_text)) == ["2026-11-21", "2026-11-20"]


def test_json_lines_and_parquet_are_one_dataset_if_no_number_is_lost(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "가", "v": 7}\n{"text": "나", "v": 8}\n')
    assert values(opened(tmp_path, pa.array([1.5]))) == [1.5, 7.0, 8.0]
    (tmp_path / "a.jsonl").write_text('{"text": "가", "v": 9007199254740993}\n')
    with pytest.raises(ColumnError, match="no type holds all values"):
        open_dataset(find_inputs([str(tmp_path)]))
