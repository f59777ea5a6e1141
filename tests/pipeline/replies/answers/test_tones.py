"""The tones of answers."""

from __future__ import annotations

import numpy as np
import pytest

from emojob.pipeline.models import model
from emojob.pipeline.replies.answers.book import AnswerBook
from emojob.pipeline.replies.answers.builtin import read_builtin_book
from emojob.pipeline.replies.answers.tones import ToneClassifier, cross_validated_accuracy, with_tones
from emojob.pipeline.replies.answers.vectors import TextEncoder
from emojob.pipeline.replies.words import TONES

ANSWERS = (
    "접수하신 내용을 확인한 뒤 안내해 드리겠습니다.",
    "많이 속상하셨겠어요. 어떤 일이 있었는지 들려주세요.",
    "우와, 정말 축하드려요! 오늘은 맛있는 것 드세요!",
)


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return TextEncoder.fit(model.load(threads=1), read_builtin_book().answers[:90])[0]


@pytest.mark.slow
def test_a_book_gets_tones_and_keeps_everything_else(encoder: TextEncoder) -> None:
    groups = np.zeros(3, np.int32)
    book = AnswerBook(("안녕",), groups[:1], ANSWERS, groups, np.zeros(3, np.int8), ("인사",))
    toned = with_tones(book, encoder)
    assert [TONES[tone] for tone in toned.answer_tones] == ["calm", "warm", "bright"]
    assert toned.answer_tones.dtype == np.int8
    assert (toned.answers, toned.groups, toned.questions) == (book.answers, book.groups, book.questions)


def test_no_answers_have_no_tones(encoder: TextEncoder) -> None:
    assert ToneClassifier(encoder, ANSWERS, np.arange(3)).predict([]).tolist() == []


@pytest.mark.slow
def test_four_of_five_tones_of_unknown_situations_are_found(encoder: TextEncoder) -> None:
    assert cross_validated_accuracy(encoder, read_builtin_book()) > 0.8
