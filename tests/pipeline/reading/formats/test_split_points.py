"""Split points: reading from any of them gives the same rows as reading from the start."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from emojob.pipeline.reading.dataset import inspect_file, open_dataset, read_batches
from emojob.pipeline.reading.formats import blocks, parquet
from emojob.pipeline.reading.formats import csv as csv_format
from emojob.pipeline.reading.formats.json import lines as jsonl
from emojob.pipeline.reading.inputs import find_inputs
from emojob.pipeline.reading.source import Source
from emojob.schemas.options import ReadOptions
from tests.examples import examples


@pytest.fixture(autouse=True)
def close_split_points(monkeypatch):
    """Make split points and blocks so close that a small file has many."""
    for module in (csv_format, jsonl, parquet):
        monkeypatch.setattr(module, "SPLIT_ROWS", 3)
    monkeypatch.setattr(blocks, "BLOCK", 64)
    monkeypatch.setattr(blocks, "LONGEST_ROW", 200)


def read(path: Path) -> tuple[Source, list[tuple[int, object]]]:
    """Return a file and its rows, (number, values or reason) of each, and compare reading from each split point."""

    def counting(files, wanted):
        return [inspect_file(file, wanted, count_rows=True) for file in files]

    dataset = open_dataset(find_inputs([str(path)]), ReadOptions("text"), counting)
    (source,) = dataset.sources

    def rows(start: int) -> list[tuple[int, object]]:
        found = []
        for row_batch in read_batches(dataset, source, start, 5):
            rejected = {one.position - 1: one.reason for one in row_batch.rejects}
            values = iter(row_batch.batch.to_pylist())
            numbers = range(row_batch.first_row, row_batch.first_row + row_batch.rows_read)
            found += [(row, rejected.get(row) or next(values)) for row in numbers]
        return found

    whole = rows(0)
    for split_point in source.split_points:
        assert rows(split_point.row) == whole[split_point.row :]
    assert [row for row, _ in whole] == list(range(source.rows))
    return source, whole


def csv(fields: list[str]) -> bytes:
    return ("id,text\n" + "\n".join(f"{i},{field}" for i, field in enumerate(fields)) + "\n").encode()


def test_a_line_end_inside_quotes_is_no_split_point(tmp_path):
    file = tmp_path / "a.csv"
    file.write_bytes(csv(['"여러 줄\n1,에 걸친\n2,말"', "한 줄"] * 40))
    source, rows = read(file)
    assert len(rows) == 80
    assert len(source.split_points) > 5


def test_an_open_quote_far_from_its_end_moves_no_split_point(tmp_path):
    file = tmp_path / "a.csv"
    file.write_bytes(csv((["짧은 말"] * 7 + ['"' + "아주 긴 말\n" * 30 + '"']) * 5))
    _, rows = read(file)
    assert sum(isinstance(what, str) for _, what in rows) > 5


_FIELD = st.text(st.sampled_from('가나 ",\n\r'), max_size=30)


def test_a_block_may_end_inside_quotes_that_follow_a_space(tmp_path):
    """The field with the open quote is the third one, and the dialect leaves spaces before a quote out."""
    file = tmp_path / "a.csv"
    file.write_bytes(csv(["", "", "", "", "", '가가가가가가가가가가,""", ""', '"']))
    source, rows = read(file)
    assert source.dialect.skips_spaces
    assert rows[-1] == (5, "3 fields where the header has 2")


@examples(300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_FIELD, min_size=1, max_size=60), st.sampled_from(["utf-8", "utf-8-sig", "cp949"]))
def test_any_csv_file_is_read_from_any_split_point(tmp_path, fields, written_in):
    file = tmp_path / "a.csv"
    file.write_bytes(csv(fields).decode().encode(written_in))
    read(file)


def test_tsv_without_quotes(tmp_path):
    file = tmp_path / "a.tsv"
    file.write_text("id\ttext\n" + "".join(f'{i}\t"열린 따옴표 {i}\n' for i in range(50)))
    source, rows = read(file)
    assert len(rows) == 50
    assert source.split_points


def test_json_lines_with_malformed_lines_between_them(tmp_path):
    file = tmp_path / "a.jsonl"
    lines = [json.dumps({"text": f"말 {i}"}, ensure_ascii=False) if i % 7 else "{rubbish" for i in range(60)]
    file.write_text("\n\n".join(lines))
    source, rows = read(file)
    assert len(rows) == 60
    assert len(source.split_points) > 3


def test_json_lines_have_no_split_point_after_a_line_that_is_too_long(tmp_path):
    file = tmp_path / "a.jsonl"
    lines = [json.dumps({"text": f"말 {i}" * (200 if i == 30 else 1)}, ensure_ascii=False) for i in range(60)]
    file.write_text("\n".join(lines))
    source, rows = read(file)
    assert len(rows) == 60
    assert 0 < max(split_point.row for split_point in source.split_points) <= 30


def test_a_compressed_file_is_read_from_its_start(tmp_path):
    file = tmp_path / "a.csv.gz"
    file.write_bytes(gzip.compress(csv(["말"] * 50)))
    source, rows = read(file)
    assert len(rows) == 50
    assert not source.split_points


def test_parquet_has_split_points_at_its_row_groups(tmp_path):
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": [f"말 {i}" for i in range(20)]}), file, row_group_size=2)
    source, _ = read(file)
    assert [split_point.row for split_point in source.split_points] == [4, 8, 12, 16]
    pq.write_table(pa.table({"text": [f"말 {i}" for i in range(20)]}), file, row_group_size=16)
    source, _ = read(file)
    assert [split_point.row for split_point in source.split_points] == [3, 6, 9, 12, 15, 19]
