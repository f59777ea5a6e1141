"""Row batches of any size hold every row once, in order, with its number in the file."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from emojob.pipeline.reading.row_batches import Reject, RowBatch, rebatch


@given(st.lists(st.lists(st.booleans(), max_size=5), max_size=6), st.integers(0, 12), st.integers(1, 7))
def test_rebatching_keeps_every_row_in_order(blocks: list[list[bool]], start: int, size: int) -> None:
    """A block is a list of rows, True if the row can be read. The value of a row is its number in the file."""
    parts, row = [], 0
    for block in blocks:
        good = [row + i for i, is_good in enumerate(block) if is_good]
        bad = [Reject(row + i + 1, "no record", "") for i, is_good in enumerate(block) if not is_good]
        parts.append(RowBatch(pa.record_batch({"row": pa.array(good, pa.int64())}), row, len(block), bad))
        row += len(block)
    flags = [is_good for block in blocks for is_good in block]
    found = list(rebatch(parts, start, size))
    assert [row_batch.first_row for row_batch in found] == list(range(start, row, size))
    for row_batch in found:
        numbers = range(row_batch.first_row, row_batch.first_row + row_batch.rows_read)
        assert row_batch.batch["row"].to_pylist() == [i for i in numbers if flags[i]]
        assert [one.position - 1 for one in row_batch.rejects] == [i for i in numbers if not flags[i]]
    assert sum(row_batch.rows_read for row_batch in found) == max(0, row - start)
