"""Shards: missing rows, divided at split points, each row in one shard."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emojob.pipeline.reading.dataset import Dataset
from emojob.pipeline.reading.files.input_file import InputFile
from emojob.pipeline.reading.resume import InputProgress, Span
from emojob.pipeline.reading.row_batches import SplitPoint
from emojob.pipeline.reading.source import Source
from emojob.pipeline.running.ray import shards as module
from emojob.pipeline.running.ray.shards import make_shards, undivided_inputs
from emojob.schemas.manifest import Counts


def source(name: str, rows: int, split_points: list[int]) -> Source:
    file = InputFile(Path(f"/logs/{name}"), "csv", None)
    return Source(
        file,
        10 * rows,
        name,
        pa.schema([]),
        "utf-8",
        rows,
        split_points=tuple(SplitPoint(row, 10 * row) for row in split_points),
    )


def progress(number: int, missing: list[Span], next_row: int) -> InputProgress:
    return InputProgress(number, missing, next_row, Counts(), [])


def shards_of_at_least(rows, sources, inputs_progress, limit=None, conversation=None):
    dataset = Dataset(sources, pa.schema([]), "text", conversation)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "SPLIT_ROWS", rows)
        return list(make_shards(dataset, inputs_progress, limit, 0, 1))


def divided(sources, inputs_progress, limit=None, rows=100, conversation=None):
    found = shards_of_at_least(rows, sources, inputs_progress, limit, conversation)
    return [(one.number, one.span.first_row, one.span.stop_row) for one in found]


def test_a_large_input_is_divided_at_split_points_far_enough_apart():
    one = source("a", 1000, [90, 210, 290, 310, 950])
    assert divided([one], [progress(7, [Span()], 0)]) == [(7, 0, 210), (7, 210, 310), (7, 310, 950), (7, 950, None)]


def test_each_shard_has_the_split_point_where_it_starts():
    one = source("a", 1000, [210, 310])
    found = [shard.source.split_points for shard in shards_of_at_least(100, [one], [progress(0, [Span()], 0)])]
    assert found == [(), (SplitPoint(210, 2100),), (SplitPoint(310, 3100),)]


def test_each_gap_is_divided_separately():
    one = source("a", 1000, [100, 200, 300, 400, 500])
    gaps = [Span(100, 300), Span(450, 470), Span(600)]
    assert divided([one], [progress(0, gaps, 600)]) == [(0, 100, 200), (0, 200, 300), (0, 450, 470), (0, 600, None)]


def test_a_limit_ends_within_an_input():
    both = [source("a", 100, []), source("b", 1000, [100, 200, 300])]
    assert divided(both, [progress(0, [Span()], 0), progress(1, [Span()], 0)], limit=350) == [
        (0, 0, None), (1, 0, 100), (1, 100, 200), (1, 200, 250)
    ]  # fmt: skip
    assert divided(both, [progress(0, [], 100), progress(1, [Span()], 0)], limit=100) == []


def test_with_a_limit_equal_to_the_rows_the_last_shard_has_no_stop_row():
    assert divided([source("a", 100, [])], [progress(0, [Span()], 0)], limit=100) == [(0, 0, None)]


def test_an_input_with_conversations_is_not_divided():
    one = source("a", 1000, [100, 200])
    assert divided([one], [progress(0, [Span()], 0)], conversation="room") == [(0, 0, None)]


def test_large_inputs_that_are_not_divided_are_reported():
    large = [source(name, 10 * module.SPLIT_ROWS, []) for name in ("a", "b")]
    (line,) = undivided_inputs(Dataset([*large, source("c", 9, [])], pa.schema([]), "text"))
    assert (
        line
        == "a and 1 more: one worker labels each whole file, because compressed text can only be read from the start"
    )
    (line,) = undivided_inputs(Dataset(large, pa.schema([]), "text", "room"))
    assert line.endswith("because the model also reads previous utterances")
    assert undivided_inputs(Dataset([source("a", 10 * module.SPLIT_ROWS, [40_000])], pa.schema([]), "text")) == []


@given(
    st.lists(st.integers(1, 999), max_size=30, unique=True).map(sorted),
    st.lists(st.integers(0, 1000), max_size=10, unique=True).map(sorted),
    st.integers(1, 400),
    st.one_of(st.none(), st.integers(1, 1200)),
)
def test_each_missing_row_before_the_limit_is_in_one_shard(split_points, edges, rows, limit):
    gaps = [Span(a, b) for a, b in zip(edges[::2], edges[1::2], strict=False)]
    if len(edges) % 2:
        gaps.append(Span(edges[-1]))
    missing = [row for gap in gaps for row in range(gap.first_row, 1000 if gap.stop_row is None else gap.stop_row)]
    found = divided([source("a", 1000, split_points)], [progress(0, gaps, 1000)], limit, rows)
    given_out = [row for _, first, stop in found for row in range(first, 1000 if stop is None else stop)]
    assert given_out == [row for row in missing if limit is None or row < limit]


def test_shards_become_smaller_towards_the_end():
    rows = 3_000_000
    one = source("a", rows, list(range(0, rows, module.SPLIT_ROWS)))
    dataset = Dataset([one], pa.schema([]), "text")
    spans = [shard.span for shard in make_shards(dataset, [progress(0, [Span()], 0)], None, rows, 2)]
    sizes = [(span.stop_row or rows) - span.first_row for span in spans]
    assert sum(sizes) == rows
    assert module.PART_ROWS <= sizes[0] <= module.PART_ROWS + module.SPLIT_ROWS
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] <= 2 * module.SPLIT_ROWS
    assert len(sizes) < 40
