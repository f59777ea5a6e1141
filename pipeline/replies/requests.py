"""Defines what a bot is asked and what it answers: a request for drafts, and the reply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Request:
    """An utterance to draft replies to.

    Attributes:
        text: The utterance, with personal data masked.
        emotion: Label of the utterance; None if it has none.
        before: Earlier utterances of the same customer in the conversation, masked, oldest first.
        key: Number of the request, for seeded sampling. It does not depend on the batch.
        is_careful: Whether an earlier text is negative. Then no answer has the bright tone.
        is_same_matter: Whether the earlier texts are about the same matter, as in a conversation with customer care.
        is_for_agent: Whether an agent sends the reply. Then no answer says that it comes from a program.
    """

    text: str
    emotion: str | None = None
    before: tuple[str, ...] = ()
    key: int = 0
    is_careful: bool = False
    is_same_matter: bool = False
    is_for_agent: bool = False


@dataclass(frozen=True)
class Reply:
    """The drafts of a bot for one request.

    Attributes:
        drafts: Drafts, best first; empty if there is no draft.
        way: Way to answer: ANSWERS or GPT2 of words.py; empty if no way was tried.
        category: Category of the answer; empty if it has none.
        score: How sure the way is of the first draft, 0 to 1; None if it has no score.
        note: Why there is no draft, as a plain sentence; empty if there are drafts.
    """

    drafts: tuple[str, ...] = ()
    way: str = ""
    category: str = ""
    score: float | None = None
    note: str = ""


class Drafter(Protocol):
    """The part of a bot that `emojob reply` needs. The same request gets the same reply, whatever the batch.

    Attributes:
        name: Name of the bot, as messages show it.
        fingerprint: Hash of all that decides the drafts: files, configuration and models.
    """

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str: ...

    def unknown_emotions(self, labels: Sequence[str]) -> list[str]:
        """Return a line about emotions in the configuration that no text with these labels can have: one or none."""
        ...

    def reply(self, requests: Sequence[Request], drafts: int) -> list[Reply]:
        """Return a reply for each request, in order.

        Args:
            requests: The utterances to reply to.
            drafts: Maximum number of drafts for a request, at least 1.
        """
        ...
