"""A chat: the emotion, the reply, the conversation before a text, and what the bot says to a crisis text."""

import pytest

from emojob.pipeline.replies.chat import ChatSession
from tests.pipeline.replies.conftest import ANSWERS

CRISIS = "더 살고 싶지 않아요. 죽고 싶어요"
LATE, JOY = "택배가 너무 늦게 와요 정말", "시험에 합격해서 너무 기뻐요!!"


def test_a_turn_has_the_emotion_the_category_and_the_reply(bot):
    turn = ChatSession(bot).say(JOY)
    assert turn.emotion == "기쁨"
    assert turn.draft.category == "기쁨/성취"
    assert turn.reply == ANSWERS["기쁨/성취"][2]


def test_a_crisis_text_gets_no_draft_but_the_crisis_line(bot):
    turn = ChatSession(bot).say(CRISIS)
    assert (turn.flags, turn.draft.drafts) == (("crisis",), ())
    assert "109" in turn.reply
    assert turn.draft.note.startswith("the text may speak of suicide or self-harm")
    assert not turn.as_json()["ai_generated"]


def test_after_a_crisis_text_no_answer_is_bright(bot):
    session = ChatSession(bot)
    session.say(CRISIS)
    later = [session.say(text) for text in (*[LATE] * 5, JOY, *[LATE] * 8, JOY)]
    assert [turn.flags for turn in later] == [()] * 15
    assert later[5].reply == later[-1].reply == ANSWERS["기쁨/성취"][0]
    assert session.is_in_crisis


@pytest.mark.parametrize(
    "text", ["네", "왜?", "아무도 없어요", "너무 화가 나서 참을 수가 없어요", "배송 언제 와요", "..."]
)
def test_a_negative_or_short_text_soon_after_a_crisis_text_is_about_it(bot, text):
    session = ChatSession(bot)
    session.say(CRISIS)
    turn = session.say(text)
    assert (turn.flags, turn.draft.drafts, "109" in turn.reply) == ((), (), True)
    assert turn.draft.note.startswith("an earlier text may speak of suicide")


def test_later_texts_are_answered_again_until_the_next_crisis_text(bot):
    session = ChatSession(bot)
    session.say(CRISIS)
    assert [bool(session.say(text).draft.drafts) for text in [LATE] * 6] == [False] * 5 + [True]
    session.say(CRISIS)
    assert not session.say(LATE).draft.drafts


def test_after_a_negative_text_no_answer_is_bright(bot):
    session = ChatSession(bot)
    session.say("너무 화가 나서 참을 수가 없어요")
    assert session.say(JOY).reply == ANSWERS["기쁨/성취"][0]


def test_a_new_conversation_remembers_nothing(bot):
    session = ChatSession(bot)
    session.say(CRISIS)
    session.restart()
    assert session.say(JOY).reply == ANSWERS["기쁨/성취"][2]
    assert not session.is_in_crisis


def test_a_blank_text_gets_a_sentence(bot):
    turn = ChatSession(bot).say("")
    assert (turn.emotion, turn.confidence) == (None, None)
    assert turn.reply == "하고 싶은 이야기를 적어 주세요."
    assert turn.as_json()["note"] == "there is no text"


def test_a_follow_up_is_about_an_earlier_text_and_gets_another_answer(bot):
    session = ChatSession(bot)
    first, why, so = (session.say(text) for text in (LATE, "왜?", "아니 왜"))
    assert first.draft.category == why.draft.category == so.draft.category == "배송/지연"
    assert {first.reply, why.reply, so.reply} == set(ANSWERS["배송/지연"])


def test_the_same_text_gets_the_same_reply(bot):
    session = ChatSession(bot)
    assert len({session.say("택배가 늦어요").reply for _ in range(3)}) == 1


def test_texts_that_are_said_together_get_the_replies_of_texts_that_are_said_alone(bot):
    texts = [LATE, "왜?", "", "그러니까요", JOY, "왜요", "몰라", "asdf", CRISIS, JOY, "네", CRISIS, "왜?"]
    alone, together = ChatSession(bot), ChatSession(bot)
    one_by_one = [alone.say(text).as_json() for text in texts]
    assert [turn.as_json() for turn in [*together.say_all(texts[:4]), *together.say_all(texts[4:])]] == one_by_one
