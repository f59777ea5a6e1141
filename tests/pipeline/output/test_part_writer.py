"""Writing one part: nothing is visible before it is complete."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.output import part_writer
from emojob.pipeline.output.layout import PartPaths, part_paths
from emojob.pipeline.output.part_writer import PartWriter
from emojob.pipeline.output.parts import read_marker
from emojob.pipeline.reading.files.input_file import InputFile
from emojob.pipeline.reading.row_batches import Reject
from emojob.pipeline.reading.source import Source
from emojob.schemas.columns import REJECTS
from emojob.schemas.manifest import OUT_FORMAT, Counts

SCHEMA = pa.schema([("id", pa.int64()), ("kind", pa.dictionary(pa.int8(), pa.string()))])
SOURCE = Source(InputFile(Path("/logs/a.csv"), "csv", None), 60, "ab" * 32, SCHEMA, "utf-8", 10)


@pytest.fixture
def paths(tmp_path) -> PartPaths:
    (tmp_path / "_emojob" / "parts").mkdir(parents=True)
    return part_paths(tmp_path, 0, 100)


@pytest.fixture
def writer(paths) -> PartWriter:
    return PartWriter(paths, SOURCE, SCHEMA, "f1", 100)


def add(writer: PartWriter, rows: int, kinds: list[str] | None = None, rejects: int = 0) -> None:
    """Add a row batch. kinds: values of its dictionary."""
    kinds = kinds or ["a"]
    kind = pa.DictionaryArray.from_arrays(pa.array([i % len(kinds) for i in range(rows)], pa.int8()), pa.array(kinds))
    batch = pa.record_batch([pa.array(range(rows), pa.int64()), kind], schema=SCHEMA)
    rejected = [Reject(1 + i, "too many fields", "raw") for i in range(rejects)]
    counts = Counts(scored=rows, rejected=rejects)
    writer.add(batch, counts, writer.stop_row + rows + rejects, rejected)


def files(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def test_a_part_is_its_rows_its_rejects_and_a_marker_that_describes_them(writer, paths):
    add(writer, 3)
    add(writer, 2, rejects=1)
    marker = writer.commit(last=True)
    assert read_marker(paths) == marker
    assert (marker.first_row, marker.stop_row, marker.last) == (100, 106, True)
    assert (marker.input, marker.input_bytes, marker.fingerprint) == ("/logs/a.csv", 60, "f1")
    assert pq.read_table(paths.part).column("id").to_pylist() == [0, 1, 2, 0, 1]
    assert pq.read_table(paths.rejects).equals(
        pa.Table.from_pylist(
            [{"input": "/logs/a.csv", "position": 1, "reason": "too many fields", "raw": "raw"}], REJECTS
        )
    )
    about = json.loads(pq.read_schema(paths.part).metadata[b"emojob"])
    assert about == {"format": OUT_FORMAT, "fingerprint": "f1"}


def test_no_file_of_the_part_exists_before_commit(writer, paths):
    add(writer, 3, rejects=1)
    assert not paths.part.exists()
    assert not paths.marker.exists()
    assert not paths.rejects.exists()


def test_an_abandoned_part_leaves_no_file(writer, paths):
    add(writer, 3)
    writer.abandon()
    assert files(paths.folder) == []


def test_a_part_without_rows_is_a_file_with_the_columns(writer, paths):
    marker = writer.commit(last=True)
    assert marker.counts.read == 0
    assert pq.read_table(paths.part).schema.names == SCHEMA.names
    assert read_marker(paths) == marker


def test_row_groups_have_the_same_length(paths, monkeypatch):
    monkeypatch.setattr(part_writer, "ROW_GROUP", 4)
    schema = pa.schema([("id", pa.int64())])
    writer = PartWriter(paths, SOURCE, schema, "f1", 0)
    for rows in (3, 3, 3, 2):
        writer.add(pa.record_batch({"id": pa.array(range(rows))}), Counts(scored=rows), writer.stop_row + rows, [])
    writer.commit(last=False)
    metadata = pq.read_metadata(paths.part)
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [4, 4, 3]


def test_dictionaries_of_many_batches_fit_a_narrow_index(writer, paths):
    for number in range(4):
        add(writer, 100, [f"{number}-{i}" for i in range(100)])
    writer.commit(last=True)
    assert len(set(pq.read_table(paths.part).column("kind").to_pylist())) == 400


def test_a_part_is_due_after_its_rows_or_its_seconds(writer, monkeypatch):
    monkeypatch.setattr(part_writer, "PART_ROWS", 5)
    add(writer, 3, rejects=1)
    assert not writer.due
    add(writer, 1)
    assert writer.due
    monkeypatch.setattr(part_writer, "PART_ROWS", 500)
    assert not writer.due
    monkeypatch.setattr(part_writer, "PART_SECONDS", 0.0)
    assert writer.due
