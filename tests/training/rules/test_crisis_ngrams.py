"""The training of the n-gram model of the crisis rule, on a few texts."""

import itertools

import pytest

from emojob.pipeline.rules.crisis import meets_wordings
from emojob.schemas.errors import DataError
from emojob.training.rules.crisis_ngrams import CrisisTexts, read_texts, train_crisis_ngrams

WHEN = ("오늘", "어제", "내일", "주말에", "아침에")
WHAT = ("영화를 봤어요", "밥을 먹었어요", "산책을 했어요", "책을 샀어요")
ORDINARY = [" ".join(one) for one in itertools.product(WHEN, WHAT)]


def test_it_learns_from_the_texts_and_flags_no_more_ordinary_texts_than_wanted():
    ends = ("끝내려고요", "떠나려고요", "사라지려고요")
    crisis = tuple(f"{when} 모든 걸 {end}" for when in WHEN for end in ends)
    harmless = tuple(f"{when} 모든 일을 {end}" for when in WHEN for end in ends)
    model = train_crisis_ngrams(CrisisTexts(crisis, harmless), ORDINARY, false_alarms=0.25)
    assert model.score("지금 모든 걸 끝내려고요") > model.score("지금 모든 일을 끝내려고요")
    assert sum(model.score(text) > 0 for text in ORDINARY[::4]) <= 1


def test_too_few_ordinary_texts_are_refused():
    with pytest.raises(DataError, match="give at least 2,000"):
        train_crisis_ngrams(CrisisTexts(("가",), ("나",)), ORDINARY)


def test_no_text_is_both_and_none_is_listed_twice():
    texts = read_texts()
    both = [*texts.crisis, *texts.harmless]
    assert len(both) == len(set(both)) > 6_000
    assert meets_wordings(texts.harmless).mean() < 0.05
