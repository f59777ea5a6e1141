"""Arrow files and streams: views of polars come back, and types that Parquet does not have are refused."""

import re
import subprocess
import sys

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.reading.dataset import inspect_file
from emojob.pipeline.reading.formats import arrow
from emojob.pipeline.reading.inputs import find_inputs
from emojob.schemas.errors import ColumnError

TEXTS = ["좋아요", "", None, "싫어요"]


def frame() -> pl.DataFrame:
    kinds = pl.Series(["x", "y", None, "x"])
    return pl.DataFrame({
        "text": TEXTS,
        "category": kinds.cast(pl.Categorical),
        "enum": kinds.cast(pl.Enum(["y", "x"])),
        "bytes": [b"a", None, b"", b"b"],
        "list": pl.Series([["a"], [], None, ["b"]], dtype=pl.List(pl.Categorical)),
        "struct": [{"a": "x", "n": 1}] * 4,
    })  # fmt: skip


@pytest.mark.parametrize("write", [pl.DataFrame.write_ipc, pl.DataFrame.write_ipc_stream])
def test_categories_of_polars_come_back(emojob, tmp_path, write):
    write(frame(), tmp_path / "log.arrow")
    code, _, err = emojob("score", tmp_path / "log.arrow", "--text-column", "text", "-o", tmp_path / "out", "--quiet")
    assert (code, err) == (0, "")
    (part,) = (tmp_path / "out").glob("part-*.parquet")
    found = pq.read_table(part).select(frame().columns)
    assert found.to_pydict() == frame().to_dict(as_series=False)


def test_no_column_has_views(tmp_path):
    frame().write_ipc(tmp_path / "log.arrow")
    (file,) = find_inputs([str(tmp_path / "log.arrow")])
    source = inspect_file(file).source
    (block,) = arrow.read(source, 1, 100)
    assert "view" not in str(block.batch.schema)
    assert source.schema.equals(block.batch.schema, check_metadata=True)


@pytest.mark.parametrize("new", [pa.ipc.new_file, pa.ipc.new_stream])
@pytest.mark.parametrize("column", [
    pa.RunEndEncodedArray.from_arrays(pa.array([1, 2], pa.int32()), pa.array(["a", "b"])),
    pa.array([pa.MonthDayNano([1, 2, 3])] * 2),
    pa.UnionArray.from_sparse(pa.array([0, 0], pa.int8()), [pa.array([1, 2])]),
    pa.DictionaryArray.from_arrays(pa.array([0, 0], pa.int8()), pa.array([["x"]])),
    pa.array([{"a": pa.MonthDayNano([1, 2, 3])}] * 2),
])  # fmt: skip
def test_a_type_that_parquet_does_not_have_is_refused_with_a_command(tmp_path, monkeypatch, new, column):
    monkeypatch.chdir(tmp_path)
    table = pa.table({"text": ["좋아요", "싫어요"], "my column": column})
    with new("log.arrow", table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(ColumnError, match="has the Arrow type") as error:
        inspect_file(*find_inputs(["log.arrow"]))
    command = re.search(r'python (-c ".*)$', str(error.value))
    assert command
    subprocess.run(f"{sys.executable} {command[1]}", shell=True, check=True)
    assert pq.read_table("copy.parquet").equals(table.select(["text"]))
