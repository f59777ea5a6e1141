"""Markers and rows of parts: a part counts only if its marker matches its files."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.output.layout import PartPaths, part_paths
from emojob.pipeline.output.parts import has_rejects, open_parquet, read_marker, row_groups
from emojob.schemas.columns import REJECTS
from emojob.schemas.errors import DataError
from emojob.schemas.labels import DEFAULT_LABELS
from tests.archives import table_of, utterance, write_part


@pytest.fixture
def paths(tmp_path) -> PartPaths:
    """A complete part of 120 rows in row groups of 50."""
    write_part(tmp_path, table_of([utterance("기쁨")] * 120, labels=DEFAULT_LABELS))
    return part_paths(tmp_path, 0, 0)


def change(paths: PartPaths, **values: object) -> None:
    """Change values of a part's marker."""
    paths.marker.write_text(json.dumps({**json.loads(paths.marker.read_text()), **values}))


def test_the_marker_of_a_complete_part_is_read(paths):
    marker = read_marker(paths)
    assert (marker.part, marker.stop_row, marker.last) == (paths.part.name, 120, True)


@pytest.mark.parametrize(
    "values", [{"part": "part-00009-000000000000.parquet"}, {"part_bytes": 1}, {"part_bytes": "x"}, {"format": 99}]
)
def test_a_marker_that_does_not_match_its_part_does_not_count(paths, values):
    change(paths, **values)
    assert read_marker(paths) is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"])
def test_a_damaged_marker_does_not_count(paths, content):
    paths.marker.write_bytes(content)
    assert read_marker(paths) is None


def test_a_marker_without_its_part_or_a_part_without_its_marker_does_not_count(paths, tmp_path):
    assert read_marker(part_paths(tmp_path, 1, 0)) is None
    paths.part.unlink()
    assert read_marker(paths) is None


def test_the_rejected_rows_must_be_those_of_the_marker(paths):
    counts = json.loads(paths.marker.read_text())["counts"]
    change(paths, counts={**counts, "rejected": 2})
    marker = read_marker(paths)
    assert marker is not None  # the labelled rows can be read
    assert not has_rejects(paths, marker)
    for rows, counted in ((1, False), (2, True)):
        reject = {"input": "0.csv", "position": 1, "reason": "r", "raw": ""}
        pq.write_table(pa.Table.from_pylist([reject] * rows, schema=REJECTS), paths.rejects)
        assert has_rejects(paths, marker) == counted
    paths.rejects.write_text("damaged")
    assert not has_rejects(paths, marker)


def test_rows_are_read_one_row_group_at_a_time(paths):
    assert [len(table) for table in row_groups(paths.part)] == [50, 50, 20]
    assert next(row_groups(paths.part, ["text"])).column_names == ["text"]


def test_a_damaged_file_is_an_error_that_says_what_to_do(paths):
    paths.part.write_bytes(b"PAR1" + bytes(200) + b"PAR1")
    with pytest.raises(DataError, match=r"remove it and run the same `emojob score` command"), open_parquet(paths.part):
        pass


def test_a_missing_file_is_an_error(paths):
    paths.part.unlink()
    with pytest.raises(DataError, match="cannot be read"), open_parquet(paths.part):
        pass
