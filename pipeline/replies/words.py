"""Defines the words of reply drafts: the ways to answer, the tones, and the columns of a file with drafts."""

from __future__ import annotations

#: Ways to answer: an answer of an answer book, or an answer that a GPT-2 model writes.
ANSWERS, GPT2 = "answers", "gpt2"
WAYS = (ANSWERS, GPT2)

#: Categories of the built-in answer book with questions about the bot itself.
ABOUT_THE_BOT = ("챗봇/정체", "챗봇/제작")

#: Tones of answers. calm: polite and to the point. warm: comforts. bright: is glad with the customer.
CALM, WARM, BRIGHT = "calm", "warm", "bright"
TONES = (CALM, WARM, BRIGHT)

CONVERSATION_ID, TURN, SAID_AT, TEXT = "conversation_id", "turn", "said_at", "text"
EMOTION, CONFIDENCE, FLAGS = "emotion", "confidence", "flags"
WAY, CATEGORY, SCORE = "way", "category", "score"
AI_GENERATED, STATUS = "ai_generated", "status"
TURNS_BEFORE, TURNS_AFTER, NOTE = "turns_before", "turns_after", "note"


def draft_columns(drafts: int) -> tuple[str, ...]:
    """Return the names of the columns of a file with drafts, in order.

    Args:
        drafts: Maximum number of drafts for an utterance, at least 1.
    """
    return (
        CONVERSATION_ID, TURN, SAID_AT, TEXT, EMOTION, CONFIDENCE, FLAGS,
        *(f"draft_{number}" for number in range(1, drafts + 1)),
        WAY, CATEGORY, SCORE, AI_GENERATED, STATUS, TURNS_BEFORE, TURNS_AFTER, NOTE,
    )  # fmt: skip
