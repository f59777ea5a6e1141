"""Records of CSV: the same with blocks of any size, and found in time in proportion to the bytes."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from emojob.pipeline.reading.formats.delimited.records import Syntax, split_records
from tests.examples import examples


@given(st.lists(st.sampled_from(['"', '"', ",", "\r", "\n", "a"]), max_size=25).map("".join), st.integers(1, 7))
@examples(300)
def test_records_do_not_depend_on_where_blocks_end(text: str, size: int) -> None:
    data, dialect = text.encode(), Syntax(b",")

    def cut(blocks: list[bytes]) -> list[tuple[bytes, str | None]]:
        return [
            record
            for run, trouble in split_records(blocks, dialect)
            for record in ([(run, trouble)] if trouble else [(m[0], None) for m in dialect.record.finditer(run)])
        ]

    whole = cut([data])
    assert cut([data[i : i + size] for i in range(0, len(data), size)]) == whole
    assert b"".join(record for record, _ in whole) in (data, data + b"\n")


def test_many_open_quotes_take_time_in_proportion() -> None:
    """Count the bytes that are searched: a quadratic search would search thousands of times as many."""
    searched = 0
    whole = Syntax(b",").fields

    class Counting(Syntax):
        @property
        def fields(self):  # type: ignore[no-untyped-def, override]
            return self

        def match(self, buffer: bytes, at: int, limit: int):  # type: ignore[no-untyped-def]
            nonlocal searched
            found = whole.match(buffer, at, limit)
            searched += limit - at
            return found

    line = b'1,""\n'
    data = (b'0,"open\n' + line * 2000) * 5 + b'9,"open'
    blocks = [data[i : i + 100] for i in range(0, len(data), 100)]
    pieces = list(split_records(blocks, Counting(b",")))
    assert sum(trouble is not None for _, trouble in pieces) == 6
    assert searched < 40 * len(data)
    assert b"".join(itertools.chain(piece for piece, _ in pieces)) == data + b"\n"
