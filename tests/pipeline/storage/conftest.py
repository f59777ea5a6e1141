"""Fixtures of the tests on an object store: a bucket, rows, and the same rows labelled on a disk."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.assets.sample import sample_texts
from emojob.pipeline.running.run import score_dataset
from emojob.pipeline.storage.object_store import ObjectPath
from emojob.pipeline.storage.paths import parse_path
from emojob.schemas.options import ModelOptions
from tests.pipeline.storage.tables import ROWS, read


@pytest.fixture
def bucket(store) -> ObjectPath:
    found = parse_path(store.bucket())
    assert isinstance(found, ObjectPath)
    return found


@pytest.fixture
def model(tiny_model) -> ModelOptions:
    return ModelOptions(model=str(tiny_model), engine="torch", precision="fp32")


@pytest.fixture(scope="module")
def rows() -> pa.Table:
    samples = sample_texts()
    texts = [None if i % 501 == 500 else f"{samples[i % len(samples)][:24]} {i}" for i in range(ROWS)]
    return pa.table({"id": range(ROWS), "text": texts, "other": [str(i) * 40 for i in range(ROWS)]})


@pytest.fixture
def local(rows, tmp_path, model) -> pa.Table:
    """Return the same rows, labelled on a disk."""
    pq.write_table(rows, tmp_path / "log.parquet", row_group_size=1_000)
    score_dataset([str(tmp_path / "log.parquet")], tmp_path / "out", model_options=model)
    return read(tmp_path / "out")


@pytest.fixture
def small_parts(monkeypatch):
    """Write part files of a thousand rows."""
    monkeypatch.setattr("emojob.pipeline.output.part_writer.PART_ROWS", 1_000)
    for name in ("_FIRST_ROWS", "_FEWEST_ROWS", "BATCH_ROWS"):
        monkeypatch.setattr(f"emojob.pipeline.reading.chunks.{name}", 500)
