"""Tables as objects, and labelled tables: how the tests of this folder write, read and compare them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.pipeline.storage.object_store import ObjectPath
from emojob.pipeline.storage.paths import AnyPath, seekable

#: The number of rows of the fixture `rows`.
ROWS = 4_000


def put(path: ObjectPath, table: pa.Table, **more: object) -> ObjectPath:
    """Write a table as a Parquet object."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, **{"row_group_size": 1_000, **more})
    path.write_bytes(sink.getvalue().to_pybytes())
    return path


def read(out: AnyPath) -> pa.Table:
    """Return the labelled rows in the order of the input."""
    tables = [pq.read_table(seekable(part_file.file)) for part_file in open_labelled(out).part_files]
    return pa.concat_tables(tables).replace_schema_metadata(None)


def assert_same(found: pa.Table, expected: pa.Table) -> None:
    """Compare rows in order; probabilities may differ by rounding, as the batches differ."""
    assert found.select(["id", "text", "emotion_status"]).equals(expected.select(["id", "text", "emotion_status"]))
    apart = abs(found["confidence"].fill_null(-1).to_numpy() - expected["confidence"].fill_null(-1).to_numpy())
    assert apart.max() < 1e-4
