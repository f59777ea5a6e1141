"""Tells in which conversations emojob does not know who the customer is."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from emojob.pipeline.privacy.pii.masking import mask_texts
from emojob.pipeline.replies.drafts.choosing import sql
from emojob.schemas.messages import listed
from emojob.schemas.options import ConversationOptions, speaker_key

_MOST_SPEAKERS = 5  # more names may be those of customers
_WORDS = {
    "en": {
        "unknown": "In {count:,} of {all:,} conversations, the roles of the speakers are unknown. There, the draft "
        "answers the last utterance, even if an agent wrote it. Name the roles with --customer-speaker NAME and "
        "--agent-speaker NAME{speakers}.",
        "without": "In {count:,} of {all:,} conversations, the speakers are unknown. There, the draft answers the last "
        "utterance, even if an agent wrote it.",
        "speakers": " (speakers: {names})",
        "unmatched": "No utterance has these speakers, which the options name: {names}.",
    },
    "ko": {
        "unknown": "대화 {all:,}개 중 {count:,}개에서는 화자의 역할을 알 수 없습니다. 이런 대화의 초안은 "
        "상담사의 발화라도 마지막 발화에 답합니다. --customer-speaker 이름, --agent-speaker 이름으로 역할을 "
        "지정하세요{speakers}.",
        "without": "대화 {all:,}개 중 {count:,}개에서는 화자를 알 수 없습니다. 이런 대화의 초안은 상담사의 발화라도 "
        "마지막 발화에 답합니다.",
        "speakers": "(화자: {names})",
        "unmatched": "옵션에 지정한 다음 화자의 발화가 없습니다: {names}.",
    },
}


@dataclass(frozen=True)
class Roles:
    """What emojob does not know about the speakers of the chosen conversations.

    Attributes:
        conversations: Number of the chosen conversations.
        unknown: Number of those in which several speak, and no speaker has a known role.
        without: Number of those without speakers.
        speakers: Masked names without a role; empty if there are many.
        unmatched: Names in the options that no utterance has.
    """

    conversations: int = 0
    unknown: int = 0
    without: int = 0
    speakers: tuple[str, ...] = ()
    unmatched: tuple[str, ...] = ()

    def sentences(self, language: str) -> list[str]:
        """Return what the user must know, in a language (en or ko)."""
        words, found = _WORDS[language], []
        if self.unmatched:
            found.append(words["unmatched"].format(names=listed(self.unmatched)))
        if self.unknown:
            names = words["speakers"].format(names=listed(self.speakers)) if self.speakers else ""
            found.append(words["unknown"].format(count=self.unknown, all=self.conversations, speakers=names))
        if self.without:
            found.append(words["without"].format(count=self.without, all=self.conversations))
        return found


def roles_of(db: duckdb.DuckDBPyConnection, options: ConversationOptions) -> Roles:
    """Return what is unknown about the speakers of the conversations in the table `chosen`."""
    conversations, unknown, without = db.execute(sql("unknown_roles")).fetchall()[0]
    names = [str(name) for (name,) in db.execute("SELECT speaker FROM speakers ORDER BY rows DESC, speaker").fetchall()]
    known = {speaker_key(name) for name in names}
    given = (*options.customer_speakers, *options.agent_speakers)
    without_role = [] if len(names) > _MOST_SPEAKERS else names
    return Roles(
        conversations,
        unknown,
        without,
        tuple(name or "" for name in mask_texts(without_role)),
        tuple(name for name in given if speaker_key(name) not in known),
    )
