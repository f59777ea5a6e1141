"""A day is compared with the days before, and only a figure beyond its limit raises an alarm."""

import datetime
import math
from collections.abc import Callable

import numpy as np
import pytest

from emojob.pipeline.nightly.alarm_texts import alarm_line, alarm_text
from emojob.pipeline.nightly.config import DriftConfig
from emojob.pipeline.nightly.drift import Check, LabelChange, drift, stability_index
from emojob.schemas.errors import OptionError
from emojob.schemas.manifest import CONFIDENCE_BINS, Counts
from tests.nights import CHANGES, UNCHANGED, false_alarms, found_changes

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


def test_a_change_that_may_be_chance_is_marked_and_its_limit_is_not_made_of_the_day_itself():
    def few(joy: float) -> Counts:
        return counts(60, joy=joy, unsure=0.0, empty=0)

    before = {DAY - datetime.timedelta(days=i): few((0.4, 0.6)[i % 2]) for i in range(1, 12)}
    limits = []
    for joy in (0.8, 0.85, 0.9):
        found = drift({DAY: few(joy), **before}, DAY, DriftConfig(fewest_rows=1))
        check = found.checks[0]
        assert (check.name, check.alarm, check.by_chance) == ("emotions", False, True)
        assert 0.2 < check.value < check.limit
        limits.append(check.limit)
    assert max(limits) < 1.5 * min(limits)  # the values differ by more than 2


def test_the_configuration_sets_the_limits():
    assert alarms(days(counts(joy=0.9)), emotions=5, label=1) == set()
    small_change = days(counts(rows=10_000, joy=0.58))
    assert alarms(small_change, emotions=0.1, label=0.1, most_share=20) == set()
    assert alarms(small_change, emotions=0.01, label=1, most_share=20) == {"emotions"}
    assert alarms(small_change, emotions=0.1, label=0.05, most_share=20) == {"emotions"}


def test_with_too_few_days_before_there_are_no_checks():
    found = drift(days(counts(joy=0.99), before=2), DAY, DriftConfig())
    assert (found.checks, found.days_before) == ((), 2)
    assert "earlier days with rows is 2, but at least 3 are needed" in found.why


def test_a_day_of_few_rows_is_only_checked_for_its_number_of_rows():
    assert alarms(days(counts(rows=150, joy=1.0))) == {"rows"}


def test_later_days_and_days_long_before_do_not_count():
    far = {DAY + datetime.timedelta(days=1): counts(joy=0.0), DAY - datetime.timedelta(days=40): counts(joy=0.0)}
    assert alarms({**days(counts()), **far}) == set()


def weeks(count: int, of_day: Callable[[datetime.date], Counts | None]) -> dict[datetime.date, Counts]:
    """Return {day: counts} of the weeks before and including DAY's week."""
    last = DAY + datetime.timedelta(days=6 - DAY.weekday())
    found = {day: of_day(day) for n in range(7 * count) if (day := last - datetime.timedelta(days=n))}
    return {day: counts for day, counts in found.items() if counts}


def all_alarms(found: dict[datetime.date, Counts]) -> dict[datetime.date, set[str]]:
    """Return {day: alarms of the day}, from `first` days after the first day on."""
    begin = min(found)
    nights = [begin + datetime.timedelta(days=n) for n in range((max(found) - begin).days + 1)]
    judged = {day: {check.name for check in drift(found, day, DriftConfig()).alarms} for day in nights}
    return {day: names for day, names in judged.items() if names}


def test_days_without_rows_on_weekends_are_usual():
    found = weeks(8, lambda day: counts() if day.weekday() < 5 else None)
    assert all_alarms(found) == {}
    saturday = DAY + datetime.timedelta(days=4)
    assert "no rows" in drift(found, saturday, DriftConfig()).why
    assert drift(found, saturday, DriftConfig()).as_json()["reason_none"] == "no_rows"


@pytest.mark.parametrize("closed", range(7))
def test_a_missing_day_raises_an_alarm_although_another_weekday_is_closed(closed):
    found = weeks(5, lambda day: counts() if day.weekday() != closed else None)
    for number in range(7):
        missing = DAY - datetime.timedelta(days=DAY.weekday() - number)
        expected = set() if number == closed else {"rows"}
        found_alarms = drift({day: one for day, one in found.items() if day != missing}, missing, DriftConfig()).alarms
        assert {check.name for check in found_alarms} == expected, number


def test_weekends_with_another_mix_and_fewer_rows_are_usual():
    found = weeks(8, lambda day: counts() if day.weekday() < 5 else counts(rows=300, joy=0.9, unsure=0.3))
    assert all_alarms(found) == {}
    saturday = DAY + datetime.timedelta(days=4)
    assert {check.name for check in drift({**found, saturday: counts()}, saturday, DriftConfig()).alarms} == {
        "emotions", "rows"
    }  # fmt: skip


def test_a_holiday_is_not_checked_and_not_compared_with():
    holiday = DAY - datetime.timedelta(days=7)
    found = days(counts(), before=28)
    del found[holiday]
    assert {check.name for check in drift(found, holiday, DriftConfig()).alarms} == {"rows"}
    result = drift(found, holiday, DriftConfig(holidays=(holiday, "2026-10-03")))
    assert (result.checks, result.reason) == ((), "holiday")
    with pytest.raises(OptionError, match=r"drift.holidays .* give a list of dates"):
        DriftConfig(holidays=("tomorrow",))


def test_a_single_label_raises_the_alarm_and_is_named():
    before = Counts(scored=100_000, emotions={"분노": 3_000, "일상": 97_000})
    today = Counts(scored=100_000, emotions={"분노": 9_000, "일상": 91_000})
    found = drift({DAY: today, **{DAY - datetime.timedelta(days=n): before for n in range(1, 5)}}, DAY, DriftConfig())
    (alarm,) = found.alarms
    first = alarm.labels[0]
    assert (first.label, first.before, first.share) == ("분노", 0.03, 0.09)
    assert alarm_text(alarm, "en").startswith("분노 (anger) 3% -> 9%")
    assert "분노 3% -> 9%" in alarm_text(alarm, "ko")
    assert found.as_json()["checks"][0]["labels"][0] == {"label": "분노", "share": 0.09, "before": 0.03}


def test_many_labels_on_small_days_raise_no_alarm():
    chance = np.random.default_rng(3)
    shares = np.arange(1, 45) ** -1.0
    drawn = [chance.multinomial(200, shares / shares.sum()) for _ in range(200)]
    found = {
        DAY - datetime.timedelta(days=n): Counts(scored=200, emotions={f"label {i}": int(x) for i, x in enumerate(one)})
        for n, one in enumerate(drawn)
    }
    assert all_alarms(found) == {}


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
            "300 rows, but at least 500 are expected (median of the days before: 1,000)",
        ),
        (
            Check("rows", 3.0, 1000, 2.0, True),
            "3,000 rows, but at most 2,000 are expected (median of the days before: 1,000)",
        ),
        (
            Check("rows", 100 / 201, 201, 0.5, True),
            "100 rows, but at least 101 are expected (median of the days before: 201)",
        ),
        (
            Check("rows", 0.0, 1000.0, 0.5, True),
            "0 rows, but at least 500 are expected (median of the days before: 1,000)",
        ),
        (
            Check("emotions", 0.3512, None, 0.2, True),
            "population stability index 0.351, limit 0.2",
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
    assert alarm_text(check, "en") == expected


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        (
            Check("rows", 0.3, 1000.0, 0.5, True),
            "행이 300개입니다(보통 1,000개, 하한 500개)",
        ),
        (Check("unsure", 0.35, 0.1, 0.2, True), "신뢰도가 0.5보다 낮은 라벨 10.00% -> 35.00%(한계 20.00%)"),
        (
            Check(
                "emotions", 0.778, None, 0.2, True, (LabelChange("분노", 0.19, 0.03), LabelChange("x", 0.002, 0.004))
            ),
            "분노 3% -> 19%, x 0.4% -> 0.2% (PSI 0.778, 한계 0.2)",
        ),
    ],
)
def test_a_korean_configuration_has_korean_alarms(check, expected):
    assert alarm_text(check, "ko") == expected
    line = alarm_line(DAY, check, "ko")
    assert line.startswith("2026-11-24 드리프트(")
    assert "((" not in line
    assert "))" not in line.partition(": ")[0]


def test_an_alarm_for_all_emotions_together_names_the_largest_changes():
    names = [f"label {i}" for i in range(60)]
    flat = Counts(scored=60_000, emotions=dict.fromkeys(names, 1_000))
    tilted = Counts(scored=60_000, emotions={name: 700 + 600 * (i % 2) for i, name in enumerate(names)})
    found = drift(
        {DAY: tilted, **{DAY - datetime.timedelta(days=n): flat for n in range(1, 5)}},
        DAY,
        DriftConfig(emotions=0.05, label=1),
    )
    (alarm,) = found.alarms
    assert [f"{one.before:.2%} {one.share:.2%}" for one in alarm.labels] == ["1.67% 2.17%"] * 3


@pytest.mark.parametrize("name", UNCHANGED)
@pytest.mark.slow
def test_simulated_nights_without_a_change_raise_no_alarm(name):
    share, alarms_of_checks = false_alarms(UNCHANGED[name], nights=100, seed=5, length=100)
    assert share <= 0.02, alarms_of_checks  # tests/benchmarks/drift_nights.py measures 1,400 nights


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.slow
def test_simulated_changes_are_found(name):
    assert found_changes(*CHANGES[name], nights=20, seed=5) >= 0.9
