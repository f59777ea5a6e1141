"""A bot for tests of reply drafts, and an archive of conversations that it answers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from emojob.pipeline.output.labelled_archive import LabelledArchive
from emojob.pipeline.replies.drafts.choosing import Selection
from emojob.pipeline.replies.drafts.conversations import Conversation, open_conversations
from emojob.pipeline.replies.drafts.roles import Roles
from emojob.pipeline.replies.requests import Reply, Request
from tests.archives import utterance, write_archive


class EchoBot:
    """A bot that quotes the text. Texts with "몰라" get no draft. After `most` requests, it is interrupted."""

    name = "echo"

    def __init__(self, fingerprint: str = "echo-1", most: int = 10**9) -> None:
        self.fingerprint, self.most = fingerprint, most
        self.requests: list[Request] = []

    def unknown_emotions(self, labels: Sequence[str]) -> list[str]:
        return []

    def reply(self, requests: Sequence[Request], drafts: int) -> list[Reply]:
        if len(self.requests) + len(requests) > self.most:
            raise KeyboardInterrupt
        self.requests += requests
        return [_reply(one, drafts) for one in requests]


def _reply(request: Request, drafts: int) -> Reply:
    if "몰라" in request.text:
        return Reply(way="answers", score=0.1, note="no answer is similar enough")
    texts = tuple(f"{number}: {request.text} 때문에 불편하셨군요." for number in range(1, drafts + 1))
    return Reply(texts, "answers", "배송/지연", 0.87654321)


@dataclass
class ReadConversations:
    """Conversations that were read before; see `OpenConversations`."""

    conversations: list[Conversation]
    unanswerable: int
    note: str | None
    others: str
    roles: Roles

    @property
    def count(self) -> int:
        return len(self.conversations)

    def after(self, number: int) -> Iterator[Conversation]:
        return (one for one in self.conversations if one.number > number)


class ReadOnce:
    """Reads the conversations of equal archives only once, because DuckDB takes most of the time of a test."""

    def __init__(self) -> None:
        self._read: dict[tuple[object, ...], ReadConversations] = {}

    @contextlib.contextmanager
    def open(self, archive: LabelledArchive, selection: Selection) -> Iterator[ReadConversations]:
        key = (selection, *(part.file.read_bytes() for part in archive.part_files))
        if key not in self._read:
            with open_conversations(archive, selection) as found:
                self._read[key] = ReadConversations(
                    list(found.after(0)), found.unanswerable, found.note, found.others, found.roles
                )
        yield self._read[key]


def turned_bad(conversation: str, last: str, minute: int = 0, **more: object) -> list[dict]:
    """Return the rows of a conversation that turns bad, with the customer's last utterance."""
    common = {"conversation_id": conversation, **more}
    return [
        utterance("기쁨", 0.9, "안녕하세요", speaker="고객", sent_at=_at(minute, 0), **common),
        utterance("일상", 0.9, "무엇을 도와드릴까요", speaker="상담사", sent_at=_at(minute, 1), **common),
        utterance("분노", 0.8, last, speaker="고객", sent_at=_at(minute, 2), **common),
    ]


def stays_good(conversation: str, **more: object) -> list[dict]:
    """Return the rows of a conversation that does not turn bad."""
    common = {"conversation_id": conversation, **more}
    return [
        utterance("일상", 0.9, "문의드려요", speaker="고객", sent_at=_at(0, 0), **common),
        utterance("기쁨", 0.9, "정말 감사합니다", speaker="고객", sent_at=_at(0, 1), **common),
    ]


def write_bad_archive(out: Path, count: int) -> Path:
    """Write an archive in which `count` conversations turn bad, and one does not."""
    rows = [
        row for number in range(count) for row in turned_bad(f"c{number:04}", f"{number}번째인데 왜 안 와요", number)
    ]
    return write_archive(out, [*rows, *stays_good("good")])


def _at(minute: int, second: int) -> str:
    return f"2026-11-{24 + minute // 1440:02} {minute // 60 % 24:02}:{minute % 60:02}:{second:02}"
