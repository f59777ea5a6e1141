"""A day is compared with the days before, and only a figure beyond its limit raises an alarm."""

import datetime
import math

import pytest

from emojob.pipeline.nightly.config import DriftConfig
from emojob.pipeline.nightly.drift import Check, drift, stability_index
from emojob.schemas.manifest import CONFIDENCE_BINS, Counts

DAY = datetime.date(2026, 11, 24)


def counts(rows: int = 1000, joy: float = 0.5, unsure: float = 0.1, **more: int) -> Counts:
    """Return a day's counts. joy: share of 기쁨, the rest is 일상; unsure: share of low confidence."""
    confidences = [0] * CONFIDENCE_BINS
    confidences[300] = round(rows * unsure)
    confidences[800] = rows - confidences[300]
    emotions = {"기쁨": round(rows * joy), "일상": rows - round(rows * joy)}
    values = {"tokens": 10 * rows, "unknown_tokens": rows // 100, "truncated": 0, "empty": rows // 20, **more}
    return Counts(scored=rows - values["truncated"], emotions=emotions, confidences=confidences, **values)


def days(today: Counts, before: int = 7) -> dict[datetime.date, Counts]:
    return {DAY: today, **{DAY - datetime.timedelta(days=i): counts() for i in range(1, before + 1)}}


def alarms(found: dict[datetime.date, Counts], **limits: float) -> set[str]:
    return {check.name for check in drift(found, DAY, DriftConfig(**limits)).alarms}


def test_a_usual_day_raises_no_alarm():
    found = drift(days(counts()), DAY, DriftConfig())
    assert found.alarms == ()
    assert {check.name for check in found.checks} == {"emotions", "rows", "unsure", "unknown", "truncated", "empty"}


@pytest.mark.parametrize(
    ("today", "expected"),
    [
        (counts(joy=0.9), {"emotions"}),
        (counts(unsure=0.35), {"unsure"}),
        (counts(unknown_tokens=500), {"unknown"}),
        (counts(truncated=200), {"truncated"}),
        (counts(empty=500), {"empty"}),
        (counts(rows=300), {"rows"}),
        (counts(rows=3000), {"rows"}),
        (Counts(), {"rows"}),
    ],
)
def test_each_figure_raises_its_alarm(today, expected):
    assert alarms(days(today)) == expected


def test_the_configuration_sets_the_limits():
    assert alarms(days(counts(joy=0.9)), emotions=5) == set()
    assert alarms(days(counts(joy=0.56)), emotions=0.01) == {"emotions"}


def test_with_too_few_days_before_there_are_no_checks():
    found = drift(days(counts(joy=0.99), before=2), DAY, DriftConfig())
    assert (found.checks, found.days_before) == ((), 2)
    assert "earlier days with rows is 2, but at least 3 are needed" in found.why


def test_a_day_of_few_rows_is_only_checked_for_its_number_of_rows():
    assert alarms(days(counts(rows=150, joy=1.0))) == {"rows"}


def test_later_days_and_days_long_before_do_not_count():
    far = {DAY + datetime.timedelta(days=1): counts(joy=0.0), DAY - datetime.timedelta(days=40): counts(joy=0.0)}
    assert alarms({**days(counts()), **far}) == set()


def test_a_day_without_rows_raises_the_alarm():
    found = days(counts())
    del found[DAY]
    assert alarms(found) == {"rows"}


def test_the_stability_index_equals_the_published_formula():
    now, before = {"a": 600, "b": 400}, {"a": 500, "b": 500}
    expected = (0.6 - 0.5) * math.log(0.6 / 0.5) + (0.4 - 0.5) * math.log(0.4 / 0.5)
    assert stability_index(now, before) == pytest.approx(expected, rel=0.01)
    assert stability_index(before, before) == 0
    assert stability_index({"a": 10}, {"b": 10}) < math.inf


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        (
            Check("rows", 0.3, 1000.0, 0.5, True),
            "300 rows, but at least 500 are expected (median of the days before: 1,000 rows)",
        ),
        (
            Check("rows", 3.0, 1000, 2.0, True),
            "3,000 rows, but at most 2,000 are expected (median of the days before: 1,000 rows)",
        ),
        (
            Check("rows", 100 / 201, 201, 0.5, True),
            "100 rows, but at least 101 are expected (median of the days before: 201 rows)",
        ),
        (
            Check("rows", 0.0, 1000.0, 0.5, True),
            "0 rows, but at least 500 are expected (median of the days before: 1,000 rows)",
        ),
        (
            Check("emotions", 0.3512, None, 0.2, True),
            "the population stability index is 0.351, but at most 0.2 is allowed",
        ),
        (
            Check("unsure", 0.35, 0.1, 0.2, True),
            "35.00% of the labels have a confidence below 0.5, but at most 20.00% is allowed "
            "(10.00% on the days before)",
        ),
        (
            Check("unknown", 0.05, 0.001, 0.021, True),
            "5.00% of the tokens are unknown, but at most 2.10% is allowed (0.10% on the days before)",
        ),
    ],
)
def test_an_alarm_in_words_shows_value_limit_and_the_days_before(check, expected):
    assert check.in_words == expected
