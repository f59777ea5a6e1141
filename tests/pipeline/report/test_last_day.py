"""The last day is compared with earlier days, and a change is significant only beyond what varies by chance."""

import datetime

import numpy as np
import pytest

from emojob.pipeline.report.last_day import latest, plausible_days
from tests.nights import CHANGES, FIRST, UNCHANGED, World, false_pages, is_bold, one_day, page, simulate

ONE = datetime.timedelta(days=1)


def table(totals: dict[datetime.date, int]) -> list[dict]:
    return [{"day": day, "emotion": "기쁨", "rows": rows} for day, rows in totals.items()]


def test_a_stray_row_is_not_the_last_or_first_day():
    usual = {FIRST + n * ONE: 58 for n in range(10)}
    strays = {datetime.date(2036, 1, 1): 1, datetime.date(2036, 1, 2): 2, datetime.date(1970, 1, 1): 1}
    made = latest(table({**usual, **strays}))
    assert (made["day"], made["rows"], made["days_before"]) == (FIRST + 9 * ONE, 58, 9)
    assert made["set_aside"] == [{"day": day, "rows": strays[day]} for day in sorted(strays)]


def test_a_day_that_has_begun_is_not_the_last_day():
    usual = {FIRST + n * ONE: 1000 for n in range(10)}
    assert latest(table({**usual, FIRST + 10 * ONE: 7}))["day"] == FIRST + 9 * ONE
    assert latest(table({**usual, FIRST + 10 * ONE: 300}))["day"] == FIRST + 10 * ONE


def test_small_weekends_are_days_like_others():
    totals = {FIRST + n * ONE: 20 if (FIRST + n * ONE).weekday() == 6 else 200_000 for n in range(28)}
    assert plausible_days(totals) == set(totals)


def test_an_archive_with_long_gaps_keeps_its_days():
    totals = {FIRST + 100 * n * ONE: 50 for n in range(5)}
    assert plausible_days(totals) == set(totals)
    assert plausible_days({FIRST: 3}) == {FIRST}


def test_the_interval_contains_the_change_and_bold_needs_an_interval_without_0():
    chance = np.random.default_rng(2)
    for world in (
        World(rows=(58.0,) * 7),
        World(talk=10, alike=0.8),
        CHANGES["a label of 5% of 1,000 rows vanishes"][1],
    ):
        days = {**simulate(World(), 29, chance), FIRST + 29 * ONE: one_day(world, FIRST + 29 * ONE, chance)}
        for row in page(days, FIRST + 29 * ONE)["emotions"]:
            assert row["change_low"] <= row["change"] <= row["change_high"]
            assert not row["significant"] or row["change_low"] > 0 or row["change_high"] < 0


def test_the_conversations_make_the_interval_wider():
    chance = np.random.default_rng(2)
    days = simulate(World(), 29, chance)
    counted = [(day, counts.emotions) for day, counts in days.items()]
    rows = [{"day": day, "emotion": label, "rows": n} for day, emotions in counted for label, n in emotions.items()]
    plain, wide = latest(rows), latest(rows, {f"label {i}": 20.0 for i in range(6)})
    for one, other in zip(plain["emotions"], wide["emotions"], strict=True):
        assert other["change_high"] - other["change_low"] > 2 * (one["change_high"] - one["change_low"])


@pytest.mark.parametrize("name", UNCHANGED)
@pytest.mark.slow
def test_simulated_pages_without_a_change_have_no_significant_change(name):
    assert false_pages(UNCHANGED[name], pages=100, seed=11, length=100) <= 0.02  # drift_nights.py measures 1,400 pages


@pytest.mark.parametrize("name", [name for name in CHANGES if "anger" in name or "a label" in name])
@pytest.mark.slow
def test_simulated_changes_are_significant(name):
    before, after = CHANGES[name]
    chance, last = np.random.default_rng(4), FIRST + 29 * ONE
    hits = sum(is_bold({**simulate(before, 29, chance), last: one_day(after, last, chance)}, last) for _ in range(20))
    assert hits >= 18
