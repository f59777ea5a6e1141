"""The bot: which way and tone a text gets, and which texts get no draft."""

from dataclasses import replace

import numpy as np
import pytest

from emojob.pipeline.models.model import load
from emojob.pipeline.replies.answers.builtin import read_builtin_book
from emojob.pipeline.replies.answers.choice import AnswersWay
from emojob.pipeline.replies.answers.vectors import TextEncoder
from emojob.pipeline.replies.bot_folder import open_bot
from emojob.pipeline.replies.configuration import AnswersSettings
from emojob.pipeline.replies.requests import Request
from emojob.pipeline.replies.words import ABOUT_THE_BOT
from emojob.pipeline.replies.written import Written
from tests.pipeline.replies.conftest import ANSWERS, QUESTIONS


class Writer:
    """A model that writes the same text for every request."""

    def __init__(self, text: str, score: float = 0.9) -> None:
        self.text, self.score = text, score

    def write(self, requests, drafts, settings, stopping):
        return [[Written(self.text, self.score)] * drafts for _ in requests]

    def longest_copied(self, text: str) -> int:
        return 30 if text.startswith("베낀") else 0


@pytest.mark.parametrize(("emotion", "tone"), [("분노", 0), ("슬픔", 1), ("기쁨", 2)])
def test_the_emotion_decides_the_tone_of_the_answer(bot, emotion, tone):
    for category, questions in QUESTIONS.items():
        (reply,) = bot.reply([Request(questions[0], emotion)])
        assert (reply.category, reply.way) == (category, "answers")
        assert reply.drafts == (ANSWERS[category][tone],)


def test_several_drafts_begin_with_the_best_one(bot):
    (reply,) = bot.reply([Request("택배가 너무 늦게 와요", "분노")], 3)
    assert reply.drafts[0] == ANSWERS["배송/지연"][0]
    assert sorted(reply.drafts) == sorted(ANSWERS["배송/지연"])


def test_a_reply_does_not_depend_on_the_other_requests(bot):
    requests = [Request(question, "불안") for questions in QUESTIONS.values() for question in questions] * 3
    assert bot.reply(requests) == [bot.reply([one])[0] for one in requests]


def test_a_text_that_fits_nothing_gets_no_draft_and_the_score(bot):
    bot.configuration = replace(bot.configuration, answers=AnswersSettings(0.99))
    (reply,) = bot.reply([Request("어제 산 화분에 물을 줬다", "일상")])
    assert reply.drafts == ()
    assert reply.score is not None
    assert "at least 0.99" in reply.note


def test_a_text_of_a_category_without_answers_gets_no_draft_and_says_so(bot):
    book, way = bot.answers.book, bot.answers
    left = np.flatnonzero(book.answer_groups != 2)
    answers = tuple(book.answers[row] for row in left)
    book = replace(book, answers=answers, answer_groups=book.answer_groups[left], answer_tones=book.answer_tones[left])
    bot.answers = AnswersWay(book, way.encoder, vectors=way.vectors)
    (reply,) = bot.reply([Request("혼자라서 너무 외로워요", "슬픔")])
    assert (reply.drafts, reply.note) == ((), "the best category, 마음/외로움, has no answers")


def test_a_text_that_fits_nothing_is_read_with_the_text_before_it(bot):
    bot.configuration = replace(bot.configuration, answers=AnswersSettings(0.6))
    (alone,) = bot.reply([Request("네", "분노")])
    (after,) = bot.reply([Request("네", "분노", before=("택배가 너무 늦게 와요",))])
    assert alone.drafts == ()
    assert after.category == "배송/지연"


def test_after_a_negative_text_the_answer_is_not_bright(bot):
    asked = Request("시험에 합격했어요", "기쁨")
    plain, careful = bot.reply([asked, replace(asked, is_careful=True)])
    assert (plain.drafts, careful.drafts) == ((ANSWERS["기쁨/성취"][2],), (ANSWERS["기쁨/성취"][0],))


def test_a_negative_text_gets_a_glad_answer_only_if_it_is_surely_glad(bot):
    glad, worried = bot.reply([Request("자격증을 또 못 땄어요", emotion) for emotion in ("기쁨", "슬픔")])
    assert glad.category == "기쁨/성취"
    assert worried.category != "기쁨/성취"
    assert bot.reply([Request("시험에 합격했어요", "불안")])[0].category == "기쁨/성취"


def test_an_agent_gets_no_answer_of_a_program():
    bot = open_bot(None)
    text = "너는 사람이야 로봇이야?"
    (program,) = bot.reply([Request(text, "일상")])
    (agent,) = bot.reply([Request(text, "일상", is_for_agent=True)])
    assert program.category == "챗봇/정체"
    assert not agent.category.startswith("챗봇/")


def test_the_matter_of_a_conversation_may_be_in_an_earlier_text(bot):
    bot.configuration = replace(bot.configuration, answers=AnswersSettings(0.6))
    asked = Request("이게 도대체 말이 됩니까 진짜", "분노", ("택배가 너무 늦게 와요", "음"))
    alone, same = bot.reply([asked, replace(asked, is_same_matter=True)])
    assert alone.drafts == ()
    assert same.category == "배송/지연"


@pytest.mark.parametrize("text", ["=1+1", "-- ;", "[전화번호]", "12"])
def test_symbols_and_placeholders_are_no_question(bot, text):
    bot.configuration = replace(bot.configuration, answers=AnswersSettings(0.0001))
    assert bot.reply([Request(text, "일상")])[0].drafts == ()


def test_placeholders_do_not_change_the_answer(bot):
    texts = ("택배가 너무 늦게 와요", "택배가 너무 늦게 와요 [전화번호]")
    first, second = bot.reply([Request(text, "분노") for text in texts])
    assert first == second


@pytest.mark.parametrize("before", [(), ("죽고 싶어요",)])
def test_a_crisis_text_gets_no_draft_now_and_later_in_the_conversation(bot, before):
    bot.written = Writer("괜찮아요, 다 잘될 거예요.")
    text = "택배가 너무 늦게 와요" if before else "그만 살고 싶어요. 죽고 싶어요"
    (reply,) = bot.reply([Request(text, "일상", before)])
    assert (reply.drafts, reply.way) == ((), "")
    assert "109" in reply.note


@pytest.mark.parametrize("text", ["", "  ", "\u200b"])
def test_a_blank_text_gets_no_draft(bot, text):
    assert bot.reply([Request(text, None)])[0].note == "there is no text"


def test_the_model_writes_for_easy_feelings_only(bot):
    bot.written = Writer("좋은 하루 보내세요.")
    happy, sad = bot.reply([Request("시험에 합격했어요", "기쁨"), Request("시험에 합격했어요", "슬픔")])
    assert (happy.way, happy.drafts) == ("gpt2", ("좋은 하루 보내세요.",))
    assert sad.way == "answers"


@pytest.mark.parametrize(
    "text", ["베낀 문장입니다", "you are welcome", "정말 화가 나서 미치겠네 짜증나", "죽고 싶어요"]
)
def test_a_written_draft_that_fails_a_check_is_replaced_by_an_answer(bot, text):
    bot.written = Writer(text)
    (reply,) = bot.reply([Request("시험에 합격했어요", "기쁨")])
    assert (reply.way, reply.drafts) == ("answers", (ANSWERS["기쁨/성취"][2],))


def test_a_dropped_draft_is_said_if_there_is_no_other_way(bot):
    bot.written, bot.answers = Writer("you are welcome"), None
    (reply,) = bot.reply([Request("시험에 합격했어요", "기쁨")])
    assert reply.note == "1 dropped by the checks (not Korean)"
    assert bot.reply([Request("너무 슬퍼요", "슬픔")])[0].note == "the bot has no way to answer this emotion"


def test_a_written_draft_with_a_low_score_is_replaced_by_an_answer(bot):
    least = bot.configuration.gpt2.least_score
    bot.written = Writer("좋은 하루 보내세요.", least)
    assert bot.reply([Request("시험에 합격했어요", "기쁨")])[0].score == least
    bot.written = Writer("좋은 하루 보내세요.", least - 0.01)
    assert bot.reply([Request("시험에 합격했어요", "기쁨")])[0].way == "answers"
    bot.answers = None
    (reply,) = bot.reply([Request("시험에 합격했어요", "기쁨")])
    assert (reply.drafts, reply.score) == ((), least - 0.01)
    assert reply.note == "1 dropped by the checks (the model is not sure)"


def test_the_fallback_fills_up_and_the_columns_are_those_of_the_first_draft(bot):
    bot.written = Writer("좋은 하루 보내세요.", 0.7)
    (reply,) = bot.reply([Request("시험에 합격했어요", "기쁨")], 3)
    assert reply.drafts[0] == "좋은 하루 보내세요."
    assert len(set(reply.drafts)) == 3
    assert set(reply.drafts[1:]) < set(ANSWERS["기쁨/성취"])
    assert (reply.way, reply.category, reply.score) == ("gpt2", "", 0.7)


def test_questions_about_the_bot_are_answered_from_the_builtin_book(bot):
    book = read_builtin_book()
    encoder, vectors = TextEncoder.fit(load(), book.questions, book.question_groups)
    bot.builtin = AnswersWay(book, encoder, vectors=vectors)
    bot.written = Writer("좋은 하루 보내세요.")
    asked = ["너 사람이야?", "너는 누구니?", "누가 널 만들었니?"]
    for reply in bot.reply([Request(text, "일상") for text in asked]):
        assert (reply.way, reply.category in ABOUT_THE_BOT) == ("answers", True)
        assert reply.drafts[0] in book.answers
    others = ["우정이 뭐야?", "로봇 청소기를 샀어요", "시험에 합격했어요"]
    assert {reply.way for reply in bot.reply([Request(text, "일상") for text in others])} == {"gpt2"}
