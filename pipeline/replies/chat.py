"""One chat with the bot. The history lives in memory only, and nothing is written."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from emojob.pipeline.replies import notes
from emojob.pipeline.replies.bot import Bot, is_follow_up, letters
from emojob.pipeline.replies.requests import Reply, Request
from emojob.pipeline.rules.crisis import CRISIS, speaks_of_crisis
from emojob.schemas.labels import is_negative

#: Number of earlier turns that the bot looks at.
_REMEMBERED = 5
#: After a crisis text, this many texts are still about it if they are negative or have at most so many letters.
_STILL_ABOUT_IT, _SHORT = 5, 12
#: Number of drafts for a follow-up, so that it can get another answer than the text before it.
_CHOICES = _REMEMBERED + 1


@dataclass(frozen=True)
class ChatTurn:
    """What the user wrote, and how the bot replied.

    Attributes:
        request: The text, its emotion (None if the text is blank) and the texts before it.
        confidence: Probability of the emotion; None if the text is blank.
        flags: Names of the rules that the text meets.
        reply: What the bot says. To a text that speaks of suicide or self-harm, it names the crisis line.
        draft: The draft behind the reply, with its way, category and score.
    """

    request: Request
    confidence: float | None
    flags: tuple[str, ...]
    reply: str
    draft: Reply

    @property
    def text(self) -> str:
        """What the user wrote."""
        return self.request.text

    @property
    def emotion(self) -> str | None:
        """Emotion of the text; None if the text is blank."""
        return self.request.emotion

    def as_json(self) -> dict[str, Any]:
        """Return the turn as a JSON object."""
        return {
            "text": self.text,
            "emotion": self.emotion,
            "confidence": None if self.confidence is None else round(self.confidence, 4),
            "flags": list(self.flags),
            "reply": self.reply,
            "way": self.draft.way or None,
            "category": self.draft.category or None,
            "score": None if self.draft.score is None else round(self.draft.score, 4),
            "note": self.draft.note or None,
            "ai_generated": bool(self.draft.drafts),
        }


class ChatSession:
    """A chat. A text that speaks of suicide or self-harm gets no draft.

    Neither does a negative or short text soon after such a text. No later answer has the bright tone.

    Attributes:
        bot: The bot that replies.
        turns: The last turns, the oldest first.
    """

    def __init__(self, bot: Bot) -> None:
        self.bot = bot
        self.turns: deque[ChatTurn] = deque(maxlen=_REMEMBERED)
        #: Number of texts since the last one that speaks of suicide or self-harm; None if there is none.
        self._since_crisis: int | None = None

    @property
    def is_in_crisis(self) -> bool:
        """Whether a text of the conversation speaks of suicide or self-harm."""
        return self._since_crisis is not None

    @property
    def reminder(self) -> str:
        """The crisis line, which a terminal shows below the replies after a crisis text; "" before one."""
        return notes.crisis_reminder() if self.is_in_crisis else ""

    def restart(self) -> None:
        """Start a new conversation, which does not remember the earlier texts."""
        self.turns.clear()
        self._since_crisis = None

    def say(self, text: str) -> ChatTurn:
        """Reply to a text, and return the turn."""
        return self.say_all([text])[0]

    def say_all(self, texts: Sequence[str]) -> list[ChatTurn]:
        """Reply to texts in order, and return the turns. The turns are the same as if each text was said alone."""
        scored, is_crisis = self.bot.scorer.score(texts), speaks_of_crisis(texts).tolist()
        requests, is_about_crisis = self._requests(texts, scored.labels, is_crisis)
        drafts = iter(self._drafts([one for one, hidden in zip(requests, is_about_crisis, strict=True) if not hidden]))
        turns = []
        for row, request in enumerate(requests):
            if is_about_crisis[row]:
                draft, reply = self._referred(is_crisis[row])
            else:
                draft = next(drafts)
                reply = self._without_repetition(request, draft)
            confidence = None if request.emotion is None else float(scored.confidences[row])
            turns.append(ChatTurn(request, confidence, (CRISIS,) if is_crisis[row] else (), reply, draft))
            self.turns.append(turns[-1])
        return turns

    def _referred(self, is_crisis: bool) -> tuple[Reply, str]:
        """Return (the draft, what the bot says) for a crisis text, or for a text soon after one."""
        language = self.bot.language
        if is_crisis:
            return Reply(note=notes.crisis_note(language)), notes.crisis_reply()
        return Reply(note=notes.crisis_before_note(language)), notes.crisis_again_reply()

    def _requests(
        self, texts: Sequence[str], labels: Sequence[str], is_crisis: Sequence[bool]
    ) -> tuple[list[Request], list[bool]]:
        """Return a request for each text, and whether it is a crisis text or about one.

        A request has the texts before it that are neither blank nor crisis texts.
        """
        told = (turn for turn in self.turns if turn.emotion and not turn.flags)
        earlier = deque(((turn.text, turn.emotion or "") for turn in told), maxlen=_REMEMBERED)
        requests, is_about_crisis = [], []
        for text, label, speaks_of_it in zip(texts, labels, is_crisis, strict=True):
            is_careful = self.is_in_crisis or any(is_negative(emotion) for _, emotion in earlier)
            requests.append(Request(text, label or None, tuple(one for one, _ in earlier), is_careful=is_careful))
            is_about_crisis.append(speaks_of_it or self._is_still_about_crisis(requests[-1]))
            if speaks_of_it:
                self._since_crisis = 0
            elif label:
                earlier.append((text, label))
                if self._since_crisis is not None:
                    self._since_crisis += 1
        return requests, is_about_crisis

    def _is_still_about_crisis(self, request: Request) -> bool:
        """Return whether a text comes soon after a crisis text, and is negative or short."""
        if self._since_crisis is None or self._since_crisis >= _STILL_ABOUT_IT or request.emotion is None:
            return False
        return is_negative(request.emotion) or letters(request.text) <= _SHORT

    def _drafts(self, requests: Sequence[Request]) -> list[Reply]:
        """Return the drafts for each request: several for a follow-up."""
        drafts: dict[int, Reply] = {}
        for count, follows in ((1, False), (_CHOICES, True)):
            rows = [row for row, one in enumerate(requests) if is_follow_up(one) == follows]
            drafts.update(zip(rows, self.bot.reply([requests[row] for row in rows], count), strict=True))
        return [drafts[row] for row in range(len(requests))]

    def _without_repetition(self, request: Request, draft: Reply) -> str:
        """Return the reply to a text. A follow-up gets no answer that was given just before."""
        if not draft.drafts:
            return notes.no_reply() if request.emotion else notes.blank_reply()
        said = {turn.reply for turn in self.turns if turn.text != request.text}
        return next((one for one in draft.drafts if one not in said), draft.drafts[0])
