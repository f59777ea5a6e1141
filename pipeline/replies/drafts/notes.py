"""Writes the notes of a file with drafts: that a machine wrote the drafts, from what, and why utterances got none.

The notes are a sheet of a workbook, or the file FILE.notes.txt. They contain no dialogue.
"""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from emojob.pipeline.output.derived.marks import CONTENT, KEY, NOTES
from emojob.pipeline.output.identity import Mark
from emojob.pipeline.rules.crisis import CRISIS_LINE

#: Codes of reasons why an utterance gets no draft. A bot has its own reasons.
REFER, NO_TEXT, NO_DRAFT = "refer", "no_text", "no_draft"

_MOST_REASONS = 10
_BEGIN = "emojob reply: "  # `marks` looks for this beginning
_FINGERPRINT = "emojob_drafts"
_LINE = "{}: {}"
_DEFAULT_MODEL = "the default model"  # its name in the record of an archive
_MOST_BYTES = 1 << 16

_WORDS = {
    "en": {
        REFER: f"hand over to a person; crisis line {CRISIS_LINE}",
        NO_TEXT: "the utterance has no text",
        NO_DRAFT: "the bot found no reply",
        "machine": "a machine wrote the drafts in this file. A person must read, correct and approve each draft before "
        "it is sent. emojob sends nothing.",
        "crisis": "Where a customer speaks of suicide or self-harm, there is no draft: hand the conversation over to a "
        f"person at once. Korean suicide prevention line: {CRISIS_LINE} (24 hours).",
        "status": "The column `status` is blank: a person fills it in. `emojob reply` does not replace a file that a "
        "person has changed.",
        "made_at": "Made at", "archive": "Archive", "chosen": "Chosen", "bot": "Bot", "model": "Model of the emotions",
        "default_model": "the default model",
        "conversations": "Conversations", "with_draft": "With a draft", "without": "Without a draft",
        "reason": "Without a draft, reason: {}", "others": "other reasons",
        "to_look_at": "conversations to look at: those in the list of `emojob report`, those in which the last "
        "utterance of the customer is negative, and those in which a customer speaks of suicide or self-harm",
        "where": "conversations with an utterance that matches --where",
        "unanswerable": "Left out, because no customer speaks in them",
    },
    "ko": {
        REFER: f"사람 상담사에게 넘겨 주세요. 자살예방상담전화 {CRISIS_LINE}",
        NO_TEXT: "발화에 텍스트가 없습니다.",
        NO_DRAFT: "봇이 답변을 찾지 못했습니다.",
        "machine": "이 파일의 답변 초안은 기계가 작성했습니다. 보내기 전에 사람이 모든 초안을 읽고 고치고 "
        "승인해야 합니다. emojob은 아무것도 보내지 않습니다.",
        "crisis": "고객이 자살이나 자해를 말한 대화에는 초안이 없습니다. 바로 사람 상담사에게 넘겨 주세요. "
        f"자살예방상담전화 {CRISIS_LINE}(24시간).",
        "status": "`status` 열은 비어 있으며 사람이 채웁니다. 사람이 수정한 파일은 `emojob reply`가 덮어쓰지 않습니다.",
        "made_at": "작성 시각", "archive": "아카이브", "chosen": "선택 기준", "bot": "봇", "model": "감정 모델",
        "default_model": "기본 모델",
        "conversations": "대화", "with_draft": "초안 있음", "without": "초안 없음",
        "reason": "초안 없음, 이유: {}", "others": "그 밖의 이유",
        "to_look_at": "살펴볼 대화: `emojob report`의 목록에 있는 대화, 고객의 마지막 발화가 부정적인 대화, "
        "고객이 자살이나 자해를 말한 대화",
        "where": "--where에 맞는 발화가 있는 대화",
        "unanswerable": "고객의 발화가 없어 제외한 대화",
    },
}  # fmt: skip


def reason(code: str, language: str) -> str:
    """Return why there is no draft in a language (en or ko): the sentence of a code above, else `code` itself."""
    return _WORDS[language].get(code or NO_DRAFT, code) if code in ("", REFER, NO_TEXT, NO_DRAFT) else code


@dataclass
class Tally:
    """Counts of the rows of a file with drafts.

    Attributes:
        conversations: Number of rows.
        with_draft: Number of rows with a draft.
        without: {reason: number of rows} of the rows without a draft.
    """

    conversations: int = 0
    with_draft: int = 0
    without: Counter[str] = field(default_factory=Counter)

    def reasons(self, language: str) -> list[tuple[str, int]]:
        """Return (reason, number of rows), the most frequent reason first. Rare reasons are added up."""
        found = sorted(self.without.items(), key=lambda one: (-one[1], one[0]))
        rest = sum(number for _, number in found[_MOST_REASONS:])
        return found[:_MOST_REASONS] + ([(_WORDS[language]["others"], rest)] if rest else [])


@dataclass(frozen=True)
class About:
    """What the notes say about the drafts, apart from the counts.

    Attributes:
        archive: The archive.
        bot: Name of the bot.
        model: Name of the model that labelled the archive; "" if unknown.
        by_condition: Whether the conversations were chosen with --where.
        unanswerable: Number of chosen conversations without an utterance of a customer.
        roles: Sentences about what emojob does not know about the speakers.
        language: en or ko.
        made_at: When the drafts were written.
    """

    archive: str
    bot: str
    model: str
    by_condition: bool
    unanswerable: int
    roles: tuple[str, ...]
    language: str
    made_at: datetime.datetime


def statements(about: About) -> list[str]:
    """Return the sentences that everyone who opens the file must know."""
    words = _WORDS[about.language]
    return [words["machine"], words["crisis"], words["status"], *about.roles]


def facts(about: About, tally: Tally) -> list[tuple[str, str | int]]:
    """Return (name, value) of each fact about the drafts."""
    words = _WORDS[about.language]
    found: list[tuple[str, str | int]] = [
        (words["made_at"], about.made_at.isoformat(" ", "seconds")),
        (words["archive"], about.archive),
        (words["chosen"], words["where" if about.by_condition else "to_look_at"]),
        (words["bot"], about.bot),
        (words["conversations"], tally.conversations),
        (words["with_draft"], tally.with_draft),
        (words["without"], tally.conversations - tally.with_draft),
    ]
    found += [(words["reason"].format(why.rstrip(".")), number) for why, number in tally.reasons(about.language)]
    if about.model:
        found.insert(4, (words["model"], words["default_model"] if about.model == _DEFAULT_MODEL else about.model))
    if about.unanswerable:
        found.append((words["unanswerable"], about.unanswerable))
    return found


def notes_file(file: Path) -> Path:
    """Return the path of the notes of a CSV or Parquet file with drafts: FILE.notes.txt."""
    return file.with_name(f"{file.name}{NOTES}")


def notes_text(about: About, tally: Tally, mark: Mark, fingerprint: str, content: str) -> bytes:
    """Return the content of FILE.notes.txt.

    Args:
        about: What the notes say.
        tally: Counts of the rows.
        mark: Mark of the archive.
        fingerprint: Fingerprint of the drafts (see job.py).
        content: Hash of the file with the drafts.
    """
    first, *others = statements(about)
    technical = {KEY: str(mark), _FINGERPRINT: fingerprint, CONTENT: content}
    lines = [
        f"{_BEGIN}{first}",
        *others,
        "",
        *(_LINE.format(*one) for one in technical.items()),
        "",
        *(_LINE.format(name, f"{value:,}" if isinstance(value, int) else value) for name, value in facts(about, tally)),
    ]
    return "".join(f"{' '.join(line.split())}\n" for line in lines).encode(errors="backslashreplace")


def read_technical(file: Path) -> Mapping[str, str]:
    """Return the fingerprint ("fingerprint") and the hash of the drafts ("content") in FILE.notes.txt; {} if none."""
    try:
        with file.open("rb") as stream:
            text = stream.read(_MOST_BYTES).decode("utf-8-sig", "replace")
    except OSError:
        return {}
    if not text.startswith(_BEGIN):
        return {}
    found = dict(re.findall(rf"^({_FINGERPRINT}|{CONTENT}): (\S+)\s*$", text, re.MULTILINE))
    return {"fingerprint": found[_FINGERPRINT], "content": found[CONTENT]} if len(found) == 2 else {}
