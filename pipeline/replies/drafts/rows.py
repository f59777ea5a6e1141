"""Makes rows of a file with drafts: masks the texts of conversations, and asks the bot."""

from __future__ import annotations

import dataclasses
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from emojob.pipeline.privacy.pii.masking import mask_texts
from emojob.pipeline.replies.drafts.conversations import OTHER_SPEAKER, SPEAKERS, Conversation, Turn, by_customer
from emojob.pipeline.replies.drafts.notes import NO_TEXT, REFER, reason
from emojob.pipeline.replies.requests import Drafter, Reply, Request
from emojob.pipeline.replies.words import (
    AI_GENERATED,
    CATEGORY,
    CONFIDENCE,
    CONVERSATION_ID,
    EMOTION,
    FLAGS,
    NOTE,
    SAID_AT,
    SCORE,
    STATUS,
    TEXT,
    TURN,
    TURNS_AFTER,
    TURNS_BEFORE,
    WAY,
    draft_columns,
)
from emojob.pipeline.rules.crisis import CRISIS
from emojob.schemas.blank import is_blank
from emojob.schemas.labels import is_negative
from emojob.schemas.roles import AGENT

_MOST_CHARACTERS = 500  # of a turn before
_SPACES = re.compile(r"\s+")
# Characters that can control a terminal or the direction of the text around them.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_TYPES = {
    TURN: pa.int64(),
    SAID_AT: pa.timestamp("us"),
    CONFIDENCE: pa.float32(),
    FLAGS: pa.list_(pa.string()),
    SCORE: pa.float32(),
    AI_GENERATED: pa.bool_(),
}


@dataclass(frozen=True)
class Drafting:
    """How drafts are made.

    Attributes:
        bot: The bot.
        drafts: Maximum number of drafts for an utterance.
        language: Language of the column `note`: en or ko.
        batch_rows: Number of utterances that the bot gets at once.
    """

    bot: Drafter
    drafts: int
    language: str
    batch_rows: int = 64


def schema_of(drafts: int) -> pa.Schema:
    """Return the schema of a file with at most `drafts` drafts for an utterance."""
    return pa.schema([(name, _TYPES.get(name, pa.string())) for name in draft_columns(drafts)])


def rows_of(conversations: Sequence[Conversation], how: Drafting) -> pa.Table:
    """Return a row with drafts for each conversation. Personal data is masked, and control characters are replaced.

    A conversation in which a customer speaks of suicide or self-harm gets no draft.
    """
    masked = list(_masked(conversations))
    replies = _replies(masked, how)
    rows = [_row(one, reply, how) for one, reply in zip(masked, replies, strict=True)]
    return pa.Table.from_pylist(rows, schema_of(how.drafts))


def _masked(conversations: Sequence[Conversation]) -> Iterator[Conversation]:
    """Yield the conversations with masked texts and IDs. All texts are masked at once, because that is faster."""
    texts: list[str | None] = []
    for one in conversations:
        texts += [one.conversation_id, one.text, *(turn.text for turn in (*one.before, *one.after))]
    masked = (text if text is None else _CONTROL.sub("\ufffd", text) for text in mask_texts(texts))
    for one in conversations:
        changed: dict[str, object] = {"conversation_id": next(masked), "text": next(masked)}
        for name, turns in (("before", one.before), ("after", one.after)):
            changed[name] = tuple(dataclasses.replace(turn, text=next(masked)) for turn in turns)
        yield dataclasses.replace(one, **changed)  # type: ignore[arg-type]


def _replies(conversations: Sequence[Conversation], how: Drafting) -> list[Reply]:
    """Return the reply to each conversation. Conversations that must not get a draft are not sent to the bot."""
    replies = [Reply(note=_why_not(one, how.language)) for one in conversations]
    asked = [number for number, reply in enumerate(replies) if not reply.note]
    for first in range(0, len(asked), how.batch_rows):
        batch = asked[first : first + how.batch_rows]
        answers = how.bot.reply([_request(conversations[number]) for number in batch], how.drafts)
        for number, reply in zip(batch, answers, strict=True):
            replies[number] = reply
    return replies


def _why_not(conversation: Conversation, language: str) -> str:
    """Return why a conversation must not get a draft; "" if it may get one."""
    if conversation.is_crisis:
        return reason(REFER, language)
    return reason(NO_TEXT, language) if conversation.text is None or is_blank(conversation.text) else ""


def _request(conversation: Conversation) -> Request:
    text = conversation.text or ""
    key = zlib.crc32(f"{conversation.conversation_id}\n{conversation.turn}\n{text}".encode(errors="replace"))
    is_careful = any(is_negative(turn.emotion or "") for turn in conversation.before if turn.who != AGENT)
    before = by_customer(conversation.before)
    return Request(text, conversation.emotion, before, key, is_careful, is_same_matter=True, is_for_agent=True)


def _row(conversation: Conversation, reply: Reply, how: Drafting) -> dict[str, object]:
    flags = [*conversation.flags]
    if conversation.is_crisis and CRISIS not in flags:
        flags.append(CRISIS)
    drafts = reply.drafts[: how.drafts]
    return {
        CONVERSATION_ID: conversation.conversation_id,
        TURN: conversation.turn,
        SAID_AT: conversation.said_at,
        TEXT: conversation.text,
        EMOTION: conversation.emotion,
        CONFIDENCE: conversation.confidence,
        FLAGS: flags,
        **{f"draft_{number}": draft for number, draft in enumerate(drafts, 1)},
        WAY: reply.way if drafts else None,
        CATEGORY: (reply.category or None) if drafts else None,
        SCORE: reply.score,
        AI_GENERATED: bool(drafts),
        STATUS: None,
        TURNS_BEFORE: "\n".join(map(_line, conversation.before)) or None,
        TURNS_AFTER: "\n".join(map(_line, conversation.after)) or None,
        NOTE: (reason(reply.note, how.language) or reason("", how.language)) if not drafts else None,
    }


def _line(turn: Turn) -> str:
    """Return a turn as one line: the speaker, a colon and the text."""
    text = _SPACES.sub(" ", turn.text or "").strip()
    if len(text) > _MOST_CHARACTERS:
        text = text[: _MOST_CHARACTERS - 1] + "…"
    return f"{SPEAKERS.get(turn.who, OTHER_SPEAKER)}: {text}"
