"""What drafts are like is measured as defined."""

import math

import pytest

from emojob.training.replies.gpt2.measures import TrainingAnswers, distinct_2, measure_drafts, repeats, spread

LONG = " ".join(f"낱말{number}" for number in range(25))
KNOWN = TrainingAnswers.of(["저도 기뻐요.", LONG])


def test_copied_drafts_are_whole_answers_or_more_than_20_words():
    drafts = ["저도  기뻐요.", f"그렇군요. {LONG}", "저도 무척 기뻐요.", " ".join(LONG.split()[:20])]
    found = measure_drafts(drafts, [True] * 4, [[1]] * 4, KNOWN)
    assert (found.copied, found.copied_long) == (0.5, 0.25)


def test_shares_are_of_all_drafts():
    found = measure_drafts(["네", ""], [True, False], [[1, 2, 3, 4, 9, 1, 2, 3, 4], [1, 1, 1]], KNOWN)
    assert (found.drafts, found.ended, found.empty, found.repetition) == (2, 0.5, 0.5, 0.5)
    assert measure_drafts(["네"] * 3, [True] * 3, [[1]] * 3, KNOWN, [0.2, 0.9, 0.3]).score == 0.3
    none = measure_drafts([], [], [], KNOWN)
    assert none.drafts == 0
    assert math.isnan(none.ended)


def test_distinct_2_counts_pairs_of_words():
    assert distinct_2(["오늘 날씨 좋아요", "오늘 날씨 나빠요"]) == pytest.approx(3 / 4)
    assert math.isnan(distinct_2(["네", "아니요"]))


def test_a_run_of_4_that_overlaps_itself_is_a_repetition():
    assert repeats([7, 7, 7, 7, 7])
    assert not repeats([7, 7, 7, 7])
    assert not repeats([1, 2, 3, 9, 1, 2, 3])


def test_drafts_are_spread_over_the_held_out_pairs():
    pairs = [(str(number), "", "") for number in range(100)]
    assert spread(pairs[:3], 5) == pairs[:3]
    assert [question for question, _, _ in spread(pairs, 4)] == ["0", "33", "66", "99"]
