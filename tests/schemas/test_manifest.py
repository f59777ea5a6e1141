"""Counts and markers survive being written down, and rubbish is told from them."""

import json

import pytest

from schemas.manifest import CONFIDENCE_BINS, Counts, PartMarker


def counts(scored: int, bin_: int) -> Counts:
    bins = [0] * CONFIDENCE_BINS
    bins[bin_] = scored
    return Counts(scored=scored, empty=1, rejected=2, emotions={"기쁨": scored}, confidences=bins)


def marker(**changes) -> PartMarker:
    values = {
        "part": "part-00000-000000000000.parquet",
        "part_bytes": 10,
        "input": "/logs/a.parquet",
        "input_bytes": 20,
        "input_sha256": "ab",
        "encoding": None,
        "first_row": 0,
        "stop_row": 8,
        "last": True,
        "fingerprint": "f",
        "counts": counts(5, 700),
    }
    return PartMarker(**{**values, **changes})


def test_a_marker_comes_back_as_it_was():
    assert PartMarker.from_json(json.loads(json.dumps(marker().as_json()))) == marker()


@pytest.mark.parametrize("plain", [{}, {"part": 1}, {**marker().as_json(), "format": 99}])
def test_what_is_no_marker_of_this_format_is_refused(plain):
    with pytest.raises((KeyError, ValueError, TypeError)):
        PartMarker.from_json(plain)


def test_read_is_labelled_and_empty_and_rejected():
    one = counts(5, 700)
    assert (one.read, one.labelled, one.written) == (8, 5, 6)


def test_counts_add_up():
    total = counts(5, 700)
    total.add(counts(3, 100))
    assert (total.read, total.emotions, total.confidences[100]) == (14, {"기쁨": 8}, 3)


def test_the_median_is_that_of_all_confidences():
    total = counts(5, 700)
    total.add(counts(3, 100))
    assert total.median_confidence == pytest.approx(0.7005)
    assert Counts().median_confidence is None
