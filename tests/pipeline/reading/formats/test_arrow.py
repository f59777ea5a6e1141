"""Arrow files and streams of polars, whose strings are views."""

import polars as pl
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.reading.dataset import inspect_file
from emojob.pipeline.reading.formats import arrow
from emojob.pipeline.reading.inputs import find_inputs

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
