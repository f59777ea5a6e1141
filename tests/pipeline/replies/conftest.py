"""A bot with a small answer book of its own."""

import numpy as np
import pytest

from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.models.model import load
from emojob.pipeline.replies.answers.book import AnswerBook
from emojob.pipeline.replies.answers.choice import AnswersWay
from emojob.pipeline.replies.answers.vectors import TextEncoder
from emojob.pipeline.replies.bot import Bot
from emojob.pipeline.replies.configuration import read_configuration

QUESTIONS = {
    "배송/지연": ("택배가 너무 늦게 와요", "배송이 왜 이렇게 느린가요", "주문한 물건이 아직도 안 왔어요"),
    "기쁨/성취": ("시험에 합격했어요", "면접에 붙었어요 너무 기뻐요", "드디어 자격증을 땄어요"),
    "마음/외로움": ("혼자라서 외로워요", "곁에 아무도 없어서 쓸쓸해요", "요즘 너무 외롭고 허전해요"),
}
ANSWERS = {
    "배송/지연": (
        "늦어져서 죄송합니다. 주문번호를 알려 주세요.",
        "기다리느라 지치셨지요. 바로 살펴볼게요.",
        "금방 찾아볼게요!",
    ),
    "기쁨/성취": ("축하드립니다. 좋은 결과네요.", "애쓰신 보람이 있어 저도 뭉클해요.", "와, 정말 축하드려요!"),
    "마음/외로움": (
        "혼자 계신 시간이 길었군요.",
        "많이 쓸쓸하셨겠어요. 제가 들을게요.",
        "오늘은 산책이라도 같이 떠올려 봐요!",
    ),
}


@pytest.fixture(scope="session")
def book() -> AnswerBook:
    return AnswerBook(
        tuple(question for questions in QUESTIONS.values() for question in questions),
        np.repeat(np.arange(3, dtype=np.int32), 3),
        tuple(answer for answers in ANSWERS.values() for answer in answers),
        np.repeat(np.arange(3, dtype=np.int32), 3),
        np.tile(np.arange(3, dtype=np.int8), 3),
        tuple(QUESTIONS),
    )


@pytest.fixture(scope="session")
def scorer() -> Scorer:
    return Scorer.load(engine="torch", precision="fp32")


@pytest.fixture
def bot(book, scorer) -> Bot:
    encoder, vectors = TextEncoder.fit(load(), book.questions, book.question_groups)
    return Bot("the bot of the tests", "0", read_configuration(), scorer, AnswersWay(book, encoder, vectors=vectors))
