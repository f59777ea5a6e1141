"""INT96 timestamps, as Spark, Impala and Hive write them, keep their values in all years."""

from __future__ import annotations

import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.reading.dataset import open_dataset, read_batches
from emojob.pipeline.reading.inputs import find_inputs
from emojob.schemas.errors import ColumnError

FAR = [datetime.datetime(1, 1, 1), None, datetime.datetime(9999, 12, 31, 23, 59, 59, 999999)]
NEAR = [datetime.datetime(1677, 9, 22), datetime.datetime(1969, 12, 31, 23, 59, 59, 999999), None]
US = pa.timestamp("us")


def read(path: Path, **columns: pa.Array) -> pa.Table:
    table = pa.table({"text": ["가"] * 3, **columns})
    pq.write_table(table, path / "a.parquet", use_deprecated_int96_timestamps=True, row_group_size=2)
    dataset = open_dataset(find_inputs([str(path)]))
    return pa.Table.from_batches(one.batch for one in read_batches(dataset, dataset.sources[0], rows=2))


def nested(values: list) -> pa.Array:
    inner = pa.struct([("at", US), ("n", pa.int8())])
    kind = pa.struct([("list", pa.list_(inner)), ("map", pa.map_(pa.string(), US)), ("at", US)])
    rows = [value and {"list": [{"at": value, "n": 1}, None], "map": [("k", value)], "at": value} for value in values]
    return pa.array(rows, kind)


@pytest.mark.parametrize("at", [lambda values: pa.array(values, US), nested], ids=["flat", "nested"])
def test_the_years_1_to_9999_are_read_in_microseconds(tmp_path: Path, at) -> None:
    found = read(tmp_path, at=at(FAR), near=at(NEAR))
    assert found["at"].combine_chunks() == at(FAR)
    assert found["near"].combine_chunks() == at(NEAR)


def test_near_times_keep_their_nanoseconds(tmp_path: Path) -> None:
    values = pa.array([-1, 1, None], pa.timestamp("ns"))
    found = read(tmp_path, at=values, near=pa.array(NEAR, US))
    assert found["at"].combine_chunks() == values
    assert found["near"].type == pa.timestamp("ns")


def test_far_times_and_nanoseconds_in_one_file_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ColumnError, match=r"a\.parquet has INT96 .*\(at, date\); write the file again with INT64"):
        read(tmp_path, at=pa.array([1, 2, None], pa.timestamp("ns")), date=pa.array(FAR, US), day=pa.array(NEAR, US))
