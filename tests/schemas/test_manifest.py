"""Counts and markers come back from JSON unchanged, and malformed ones are refused."""

import json

import pytest

from emojob.schemas.manifest import CONFIDENCE_BINS, Counts, PartMarker


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


def test_a_marker_of_the_first_format_is_read():
    plain = marker().as_json()
    plain |= {"format": 1, "counts": {**plain["counts"], "confidences": {"700": 5}}}
    assert PartMarker.from_json(json.loads(json.dumps(plain))).counts == counts(5, 700)


@pytest.mark.parametrize(
    "histogram", ["", "1 2 3", "x " * 1000, "-1 " * 1000, {"1000": 1}, {"-1": 1}, {"1": -1}, 7, None]
)
def test_a_malformed_histogram_is_refused(histogram):
    with pytest.raises((ValueError, TypeError, AttributeError)):
        Counts.from_json({**counts(5, 700).as_json(), "confidences": histogram})


@pytest.mark.parametrize("plain", [{}, {"part": 1}, {**marker().as_json(), "format": 99}])
def test_a_malformed_marker_is_refused(plain):
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
