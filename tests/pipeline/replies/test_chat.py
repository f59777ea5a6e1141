"""A chat: the emotion, the reply, and what the bot says to a crisis text."""

from emojob.pipeline.replies.chat import ChatSession
from tests.pipeline.replies.conftest import ANSWERS


def test_a_turn_has_the_emotion_the_category_and_the_reply(bot):
    turn = ChatSession(bot).say("시험에 합격해서 너무 기뻐요!!")
    assert turn.emotion == "기쁨"
    assert turn.draft.category == "기쁨/성취"
    assert turn.reply == ANSWERS["기쁨/성취"][2]


def test_a_crisis_text_gets_the_crisis_line_and_so_do_the_next_replies(bot):
    session = ChatSession(bot)
    first, second = session.say("더 살고 싶지 않아요. 죽고 싶어요"), session.say("시험에 합격해서 너무 기뻐요!!")
    assert first.flags == ("crisis",)
    assert "109" in first.reply
    assert first.as_json()["ai_generated"] is False
    assert second.flags == ()
    assert second.reply.startswith(ANSWERS["기쁨/성취"][2])
    assert "109" in second.reply


def test_a_text_without_a_fitting_answer_gets_a_sentence(bot):
    turn = ChatSession(bot).say("")
    assert (turn.emotion, turn.confidence) == ("", None)
    assert turn.reply
    assert turn.as_json()["note"] == "there is no text"
