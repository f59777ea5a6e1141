"""Which group of an answer book fits a text, and which of its answers."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from emojob.pipeline.models import model
from emojob.pipeline.replies.answers.book import AnswerBook
from emojob.pipeline.replies.answers.choice import NO_GROUP, AnswersWay, fit_encoder
from emojob.pipeline.replies.answers.vectors import TextEncoder
from emojob.pipeline.replies.words import BRIGHT, CALM, TONES, WARM
from emojob.schemas.errors import ModelError

BOOK = AnswerBook(
    questions=("택배가 안 와요", "배송 언제 오나요", "환불해 주세요", "돈을 돌려받고 싶어요", "오늘 생일이에요"),
    question_groups=np.array([0, 0, 1, 1, 2], np.int32),
    answers=(
        "배송을 확인하겠습니다.",
        "기다리게 해 드려 죄송해요.",
        "배송을 확인하겠습니다.",
        "곧 도착해요!",
        "환불을 도와드리겠습니다.",
        "생일 축하해요!",
    ),
    answer_groups=np.array([0, 0, 0, 0, 1, 2], np.int32),
    answer_tones=np.array([TONES.index(tone) for tone in (CALM, WARM, CALM, BRIGHT, CALM, BRIGHT)], np.int8),
    groups=("배송", "환불", "축하"),
)


@pytest.fixture(scope="module")
def way() -> AnswersWay:
    encoder, vectors = TextEncoder.fit(model.load(threads=1), BOOK.questions, BOOK.question_groups)
    return AnswersWay(BOOK, encoder, vectors=vectors)


def test_the_group_of_the_nearest_question_is_found(way: AnswersWay) -> None:
    birthday, refund = way.find(["오늘이 제 생일이에요", "환불해 주세요"])
    assert (birthday.category, refund.category) == ("축하", "환불")
    assert refund.score == pytest.approx(1, abs=1e-4)
    assert refund.nearest[0].question == "환불해 주세요"
    assert [one.score for one in refund.nearest] == sorted((one.score for one in refund.nearest), reverse=True)
    assert {one.group for one in refund.alternatives} == {0, 2}


def test_what_is_found_for_a_text_does_not_depend_on_the_other_texts(way: AnswersWay) -> None:
    texts = [f"{question} {'정말 ' * i}" for i in range(13) for question in BOOK.questions][:64]
    together = way.find(texts)
    for i in (0, 1, 23, 63):
        assert way.find([texts[i]]) == [together[i]]


@pytest.mark.parametrize("text", ["", "   ", None])
def test_a_text_without_tokens_has_no_group_and_no_answer(way: AnswersWay, text: str | None) -> None:
    (found,) = way.find([text])
    assert (found.group, found.score, found.nearest) == (NO_GROUP, 0.0, ())
    assert way.choose(found.group, CALM, 3) == []


def test_an_answer_with_the_wanted_tone_comes_first_and_no_text_is_repeated(way: AnswersWay) -> None:
    assert way.choose(0, BRIGHT, 4)[0] == 3
    assert way.choose(0, WARM, 4)[0] == 1
    assert way.choose(0, CALM, 4)[0] == 0
    assert len(way.choose(0, CALM, 4)) == 3
    assert way.choose(1, BRIGHT, 2) == [4]


def test_a_classifier_and_the_nearest_questions_decide_together_but_the_same_question_decides_alone(
    way: AnswersWay,
) -> None:
    def score(texts: list[str]) -> SimpleNamespace:
        return SimpleNamespace(probabilities=np.tile(np.array([0.01, 0.98, 0.01], np.float32), (len(texts), 1)))

    scorer = SimpleNamespace(model=SimpleNamespace(labels=("환불", "축하", "배송"), name="a model"), score=score)
    texts = ["언제까지 기다려야 하는지 궁금해요", "택배가 안 와요"]
    alone, both = (AnswersWay(BOOK, way.encoder, one, way.vectors).find(texts) for one in (None, scorer))
    by_group = {one.group: one.score for one in (alone[0], *alone[0].alternatives)}
    assert (alone[0].category, both[0].category) == ("배송", "축하")
    assert {one.group: one.score for one in (both[0], *both[0].alternatives)} == pytest.approx(by_group)
    assert [one.group for one in both[0].alternatives] == sorted((0, 1), key=by_group.get, reverse=True)
    assert (both[1].category, both[1].score) == ("배송", pytest.approx(1, abs=1e-4))


def test_a_group_without_answers_is_found_and_has_no_answer(way: AnswersWay) -> None:
    left = np.flatnonzero(BOOK.answer_groups != 1)
    answers = tuple(BOOK.answers[row] for row in left)
    book = replace(BOOK, answers=answers, answer_groups=BOOK.answer_groups[left], answer_tones=BOOK.answer_tones[left])
    without = AnswersWay(book, way.encoder, vectors=way.vectors)
    (found,) = without.find(["환불 좀 해 주세요"])
    assert (found.category, without.choose(found.group, CALM)) == ("환불", [])


def test_a_likely_category_is_found_though_its_questions_are_far() -> None:
    names = tuple(f"상황/{number}" for number in range(80))
    numbers = np.arange(80, dtype=np.int32)
    book = AnswerBook(names, numbers, names, numbers, np.zeros(80, np.int8), names)
    vectors = np.eye(80, dtype=np.float32)
    query = np.linspace(1, 0, 80, dtype=np.float32)[None] / 6
    probabilities = np.zeros((1, 80), np.float32)
    probabilities[0, 79] = 0.9
    scorer = SimpleNamespace(
        model=SimpleNamespace(labels=names, name="a model"),
        score=lambda texts: SimpleNamespace(probabilities=probabilities),
    )
    encoder = SimpleNamespace(size=80, encode=lambda texts: query)
    (found,) = AnswersWay(book, encoder, scorer, vectors).find(["무엇인가"])
    assert (found.category, found.nearest[0].question) == ("상황/79", "상황/0")


def test_a_classifier_of_another_book_is_refused(way: AnswersWay) -> None:
    scorer = SimpleNamespace(model=SimpleNamespace(labels=("환불", "교환"), name="bot/answers/model"))
    with pytest.raises(ModelError, match="bot/answers/model has the label '교환'"):
        AnswersWay(BOOK, way.encoder, scorer, way.vectors)


def test_vectors_of_another_book_are_refused(way: AnswersWay) -> None:
    with pytest.raises(ModelError, match="5 questions"):
        AnswersWay(BOOK, way.encoder, vectors=way.vectors[:3])
    empty = replace(BOOK, questions=(), question_groups=BOOK.question_groups[:0])
    assert AnswersWay(empty, way.encoder).find(["안녕"])[0].group == NO_GROUP


@pytest.mark.slow
def test_a_book_with_a_few_questions_has_an_encoder_that_knows_what_is_similar() -> None:
    book = replace(BOOK, questions=BOOK.questions[:2], question_groups=BOOK.question_groups[:2])
    encoder, vectors = fit_encoder(model.load(threads=1), book)
    way = AnswersWay(book, encoder, vectors=vectors)
    near, far = way.find(["택배가 왜 안 와요?", "고양이가 참 귀엽다"])
    assert near.score > far.score + 0.2


def test_a_group_is_found_by_its_questions_together_but_the_same_question_decides() -> None:
    questions = ("가", "나", "다", "라")
    book = AnswerBook(
        questions,
        np.array([0, 1, 1, 1], np.int32),
        ("예", "네"),
        np.arange(2, dtype=np.int32),
        np.zeros(2, np.int8),
        ("하나", "여럿"),
    )
    vectors = np.array([[0.8, 0.6, 0], [0.79, 0.3, 0.5], [0.79, -0.6, 0.1], [0.79, 0.2, -0.6]], np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    asked = {"text": np.array([[1, 0, 0]], np.float32), "가": vectors[:1]}
    encoder = SimpleNamespace(size=3, encode=lambda texts: asked[texts[0]])
    way = AnswersWay(book, encoder, vectors=vectors)
    near, same = way.find(["text"])[0], way.find(["가"])[0]
    assert (near.category, near.nearest[0].question) == ("여럿", "나")
    assert (same.category, same.score) == ("하나", pytest.approx(1))
