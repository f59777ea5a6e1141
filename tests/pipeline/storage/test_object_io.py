"""Reading objects: only the needed bytes are fetched, concurrently, and all from the same version of an object."""

from __future__ import annotations

import os

import pyarrow as pa
import pytest

from emojob.pipeline.reading.dataset import open_dataset, read_batches
from emojob.pipeline.reading.inputs import find_inputs
from emojob.pipeline.storage import object_io
from emojob.pipeline.storage.paths import seekable
from emojob.schemas.errors import DataError
from tests.pipeline.storage.tables import ROWS, put


@pytest.mark.slow
def test_only_the_needed_bytes_of_a_parquet_object_are_fetched(bucket, rows, store):
    table = rows.append_column("ballast", pa.array([os.urandom(500) for _ in range(ROWS)]))
    log = put(bucket / "log.parquet", table)
    whole = log.stat().st_size
    dataset = open_dataset(find_inputs([str(log)]))
    begun = len(store.seen)
    found = next(read_batches(dataset, dataset.sources[0], 2_000, 500, ["text"]))
    assert found.batch.column("text").to_pylist() == rows["text"].to_pylist()[2_000:2_500]
    asked = [seen for seen in store.seen[begun:] if seen.method == "GET"]
    assert sum(seen.received for seen in asked) < whole / 20
    assert all(seen.range for seen in asked)


def test_the_columns_of_a_row_group_are_fetched_concurrently(bucket, store, monkeypatch):
    monkeypatch.setattr(object_io, "_GAP", 0)
    table = pa.table({"text": ["그래요"] * 1000, **{f"c{i}": os.urandom(9).hex() * 50 for i in range(0)}})
    for i in range(8):
        table = table.append_column(f"c{i}", pa.array([os.urandom(2_000) for _ in range(1000)]))
    log = put(bucket / "log.parquet", table, compression="none")
    reader = seekable(log)
    assert isinstance(reader, object_io.Reader)
    monkeypatch.setattr(object_io, "_PIECE", 1 << 20)
    store.most_under_way = 0
    with store.failing(lambda seen: "slow"):  # 0.3 s each
        reader.fetch([(i << 20, (i + 1) << 20) for i in range(12)])
    assert store.most_under_way >= 3


def test_bytes_are_read_from_any_position(bucket):
    content = os.urandom(100_000)
    (bucket / "x").write_bytes(content)
    for prefetch in (False, True):
        with (bucket / "x").open(prefetch) as reader:
            reader.fetch([(50_000, 60_000), (10, 20), (15, 40)])
            for start, size in [(50_000, 10_000), (0, 10), (59_990, 100), (99_990, 100), (12, 8), (10, 0)]:
                reader.seek(start)
                assert reader.read(size) == content[start : start + size]
            assert reader.seek(0, 2) == 100_000
            assert reader.read(5) == b""


@pytest.mark.slow
def test_an_object_that_is_replaced_while_it_is_read_is_an_error(bucket, rows, model):
    log = put(bucket / "log.parquet", rows)
    dataset = open_dataset(find_inputs([str(log)]))
    reading = read_batches(dataset, dataset.sources[0], rows=500)
    next(reading)
    put(log, rows.slice(0, 3_000))
    with pytest.raises(DataError, match=r"log\.parquet.* replaced while it was being read"):
        list(reading)
    with pytest.raises(DataError, match="changed while emojob was reading it"):
        next(read_batches(dataset, dataset.sources[0]))
