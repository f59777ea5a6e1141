"""One chat with the bot. The history lives in memory only, and nothing is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from emojob.pipeline.replies.bot import Bot
from emojob.pipeline.replies.notes import crisis_reply, no_reply
from emojob.pipeline.replies.requests import Reply, Request
from emojob.pipeline.rules.crisis import CRISIS, speaks_of_crisis

#: Number of earlier texts of the user that the bot may look at.
_REMEMBERED = 5


@dataclass(frozen=True)
class ChatTurn:
    """What the user wrote, and how the bot replied.

    Attributes:
        text: What the user wrote.
        emotion: Emotion of the text; "" if the text is blank.
        confidence: Probability of the emotion; None if the text is blank.
        flags: Names of the rules that the text meets.
        reply: What the bot says. A text that speaks of suicide gets the number of the crisis line.
        draft: The draft behind the reply, with its way, category and score.
    """

    text: str
    emotion: str
    confidence: float | None
    flags: tuple[str, ...]
    reply: str
    draft: Reply

    def as_json(self) -> dict[str, Any]:
        """Return the turn as a JSON object."""
        return {
            "text": self.text,
            "emotion": self.emotion or None,
            "confidence": None if self.confidence is None else round(self.confidence, 4),
            "flags": list(self.flags),
            "reply": self.reply,
            "way": self.draft.way or None,
            "category": self.draft.category or None,
            "score": None if self.draft.score is None else round(self.draft.score, 4),
            "note": self.draft.note or None,
            "ai_generated": bool(self.draft.drafts),
        }


@dataclass
class ChatSession:
    """A chat.

    Attributes:
        bot: The bot that replies.
        turns: The turns so far.
    """

    bot: Bot
    turns: list[ChatTurn] = field(default_factory=list)

    def say(self, text: str) -> ChatTurn:
        """Reply to a text, and return the turn."""
        scored = self.bot.scorer.score([text])
        emotion, is_blank = scored.labels[0], not scored.labels[0]
        before = tuple(turn.text for turn in self.turns[-_REMEMBERED:] if turn.emotion)
        is_crisis = bool(speaks_of_crisis([text])[0])
        # what was said earlier decides nothing here: a reply to a crisis text has named the crisis line already
        (draft,) = self.bot.reply([Request(text, emotion or None, () if is_crisis else before, 0)], 1)
        if is_crisis:
            reply = crisis_reply(self.bot.language)
        else:
            reply = draft.drafts[0] if draft.drafts else no_reply(self.bot.language)
        turn = ChatTurn(
            text,
            emotion,
            None if is_blank else float(scored.confidences[0]),
            (CRISIS,) if is_crisis else (),
            reply,
            draft,
        )
        self.turns.append(turn)
        return turn
