"""Which parts count: no row twice, and as many rows as possible."""

import itertools
from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis import given

from emojob.pipeline.output.coverage import complete_inputs, counted
from emojob.schemas.manifest import Counts, PartMarker
from tests.examples import examples

COUNTS = Counts()  # made once, because it holds a histogram


def part(first: int, stop: int, attempt: int = 1, suffix: int = 0, **values: object) -> PartMarker:
    """A completion marker for the rows from `first` to `stop`."""
    ending = f"-{suffix}" if suffix else ""
    found = PartMarker(
        part=f"part-00000-{first:012d}{ending}.parquet", part_bytes=1, input="a.csv", input_bytes=1, input_sha256="",
        encoding=None, first_row=first, stop_row=stop, last=False, fingerprint="f", counts=COUNTS, attempt=attempt,
    )  # fmt: skip
    return replace(found, **values)


def ranges(markers: list[PartMarker]) -> list[tuple[int, int, int]]:
    return [(marker.first_row, marker.stop_row, marker.attempt) for marker in markers]


@st.composite
def parts(draw) -> list[PartMarker]:
    """Parts of two inputs, in any overlap."""
    found = {}
    for number in range(draw(st.integers(0, 12))):
        first = draw(st.integers(0, 30))
        marker = part(first, first + draw(st.integers(0, 10)), draw(st.integers(1, 3)), number + 1)
        marker = replace(marker, input=draw(st.sampled_from(["a.csv", "b.csv"])))
        found[marker.part] = marker
    return list(found.values())


def most_rows(markers: list[PartMarker]) -> int:
    """The most rows without an overlap, by trying all choices."""
    if not markers:
        return 0
    first, *rest = markers
    apart = [one for one in rest if one.stop_row <= first.first_row or one.first_row >= first.stop_row]
    return max(most_rows(rest), first.stop_row - first.first_row + most_rows(apart))


@examples(400)
@given(parts(), st.randoms())
def test_no_row_counts_twice_and_no_choice_has_more_rows(markers, chance):
    found, other = counted(markers)
    assert sorted(one.part for one in [*found, *other]) == sorted(one.part for one in markers)
    for name in ("a.csv", "b.csv"):
        mine = sorted((one for one in found if one.input == name), key=lambda one: (one.first_row, one.stop_row))
        assert all(one.stop_row <= two.first_row for one, two in itertools.pairwise(mine))
        assert sum(one.stop_row - one.first_row for one in mine) == most_rows([m for m in markers if m.input == name])
    chance.shuffle(markers)
    assert counted(markers) == (found, other)


@examples(200)
@given(parts(), st.lists(st.integers(1, 9), min_size=1, max_size=8))
def test_the_parts_of_a_complete_later_attempt_count_whatever_a_stale_worker_writes(stale, lengths):
    begins = [sum(lengths[:i]) for i in range(len(lengths) + 1)]
    later = [part(first, stop, attempt=4) for first, stop in itertools.pairwise(begins)]
    stale = [replace(one, input="a.csv", stop_row=min(one.stop_row, begins[-1])) for one in stale]
    found, _ = counted([*stale, *later])
    assert [one for one in found if one.first_row < one.stop_row] == later


def test_parts_with_the_same_rows_count_once():
    assert ranges(counted([part(0, 10), part(0, 10, 2, 5), part(10, 20)])[0]) == [(0, 10, 2), (10, 20, 1)]
    rewritten = part(0, 10, suffix=1)
    assert counted([part(0, 10), rewritten])[0] == [rewritten]


def test_an_empty_part_counts_at_the_end_but_not_within_another_part():
    end = part(10, 10, last=True)
    assert counted([part(0, 10), end])[0] == [part(0, 10), end]
    inside = part(5, 5)
    assert counted([part(0, 10), inside]) == ([part(0, 10)], [inside])


@pytest.mark.parametrize(
    "changed",
    [{"input_sha256": "b"}, {"input_bytes": 2}, {"encoding": "cp949"}, {"dialect": "[]"}, {"fingerprint": "g"}],
)
def test_parts_of_an_earlier_version_of_the_input_do_not_count_beside_a_later_attempt(changed):
    old, new = part(20, 30, **changed), part(0, 10, attempt=2)
    assert counted([old, new]) == ([new], [old])
    assert counted([old, part(0, 10)])[1] == []


@pytest.mark.parametrize(("first", "stop"), [(-5, 10), (10, 5)])
def test_a_part_with_an_impossible_range_does_not_count(first, stop):
    wrong = replace(part(0, 0), first_row=first, stop_row=stop)
    assert counted([wrong]) == ([], [wrong])


def test_an_input_is_complete_if_its_parts_contain_each_row_to_the_end():
    begin, middle, end = part(0, 10), part(10, 20), part(20, 30, last=True)
    assert complete_inputs([end, begin, middle]) == {"a.csv"}
    assert complete_inputs([begin, end]) == complete_inputs([begin, middle]) == set()
    nothing = part(0, 0, last=True, input="b.csv")
    assert complete_inputs([nothing, begin, middle, part(20, 20, last=True)]) == {"a.csv", "b.csv"}
