"""Measures of the way `answers`."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from emojob.pipeline.replies.answers.book import AnswerBook
from emojob.pipeline.replies.answers.choice import AnswersWay
from emojob.training.replies.answer_measures import Retrieval, measure_answers, measure_ranking, tone_agreement
from emojob.training.replies.pair_columns import PairColumns
from emojob.training.replies.pairs import gather, to_book

PLACES = {"가": (1, 0), "나": (0, 1), "다": (0.9, 0.5), "라": (0.4, 0.9), "마": (0.8, 0.61)}


def encoder() -> SimpleNamespace:
    """An encoder that knows a few texts; all others are at the place of `가`."""

    def encode(texts: list[str]) -> np.ndarray:
        vectors = np.array([PLACES.get(text, (1, 0)) for text in texts], np.float32).reshape(len(texts), 2)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    return SimpleNamespace(size=2, encode=encode)


def test_a_repeated_answer_counts_once_and_a_missing_one_has_no_rank() -> None:
    ranked = np.array([[7, 7, 3, 5], [1, 2, 2, 4], [1, 1, 1, 1]])
    assert measure_ranking(ranked, np.array([3, 1, 9])) == Retrieval(3, 1 / 3, 2 / 3, 0.5)
    assert measure_ranking(np.zeros((0, 4), int), np.zeros(0, int)) == Retrieval(0, None, None, None)


def test_categories_are_measured_with_their_accuracy() -> None:
    book = to_book(gather([PairColumns("columns", [*"가나바사아자"], [*"네예음흠글쎄"], [*"하둘셋넷닷엿"])]))
    held_out = gather([PairColumns("columns", ["다", "라", "마"], ["네", "예", "음"], ["하", "하", "둘"])])
    measures = measure_answers(AnswersWay(book, encoder()), held_out, 0.9)
    assert (measures.held_out, measures.top_1, measures.top_3) == (3, pytest.approx(1 / 3), pytest.approx(2 / 3))
    assert measures.retrieval == Retrieval(3, pytest.approx(1 / 3), pytest.approx(2 / 3), pytest.approx(5 / 9))


@pytest.mark.parametrize(("categories", "measured"), [(1, (False, False)), (2, (True, False)), (4, (True, True))])
def test_what_must_be_right_with_so_few_categories_is_not_measured(categories, measured) -> None:
    names = [f"범주 {number % categories}" for number in range(4)]
    book = to_book(gather([PairColumns("columns", [*"가나다라"], [*"네예음흠"], names)]))
    measures = measure_answers(
        AnswersWay(book, encoder()), gather([PairColumns("columns", ["마"], ["네"], ["범주 0"])]), 0.0
    )
    assert (measures.top_1 is not None, measures.top_3 is not None) == measured
    assert (measures.retrieval.hit_1 is not None, measures.retrieval.hit_5) == (measured[0], None)
    assert measures.held_out == measures.retrieval.questions == 1


def test_without_categories_the_questions_with_a_known_answer_are_measured_and_all_are_counted() -> None:
    book = to_book(gather([PairColumns("columns", [*"가나바사아자"], ["네", "예", *"기니디리"])]))
    held_out = gather([PairColumns("columns", ["다", "라"], ["네", "모르는 답"])])
    measures = measure_answers(AnswersWay(book, encoder()), held_out, 0.9)
    assert (measures.held_out, measures.drafted) == (2, 0.5)
    assert measures.retrieval == Retrieval(1, 1.0, 1.0, 1.0)
    assert measures.top_1 is None


def test_the_tone_agrees_if_the_predicted_emotion_chooses_a_suitable_answer() -> None:
    zero = np.zeros(1, np.int32)
    book = AnswerBook(("가",), zero, ("네.", "야호!"), np.zeros(2, np.int32), np.array([0, 2], np.int8), ("하나",))
    tones = {"일상": "calm", "기쁨": "bright"}
    way = AnswersWay(book, encoder())
    assert tone_agreement(way, ["가", "나"], ["일상", "기쁨"], ["일상", "일상"], tones) == 0.5
