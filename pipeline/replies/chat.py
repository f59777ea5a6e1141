"""One chat with the bot. The history lives in memory only, and nothing is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from emojob.pipeline.replies.bot import Bot
from emojob.pipeline.replies.notes import crisis_reply, no_reply, reminder
from emojob.pipeline.replies.requests import Reply, Request
from emojob.pipeline.rules.crisis import CRISIS, speaks_of_crisis

#: Number of earlier turns that the bot looks at. After a crisis text, it names the crisis line in as many replies.
_REMEMBERED = 5


@dataclass(frozen=True)
class ChatTurn:
    """What the user wrote, and how the bot replied.

    Attributes:
        text: What the user wrote.
        emotion: Emotion of the text; "" if the text is blank.
        confidence: Probability of the emotion; None if the text is blank.
        flags: Names of the rules that the text meets.
        reply: What the bot says. To a text that speaks of suicide, it names the crisis line.
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
        recent = self.turns[-_REMEMBERED:]
        before = tuple(turn.text for turn in recent if turn.emotion and not turn.flags)
        is_crisis = bool(speaks_of_crisis([text])[0])
        (draft,) = self.bot.reply([Request(text, emotion or None, before)])
        if is_crisis:
            reply = crisis_reply()
        else:
            reply = draft.drafts[0] if draft.drafts else no_reply()
            if any(turn.flags for turn in recent):
                reply = f"{reply} {reminder()}"
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
