"""AI Hub's corpora: 감성대화말뭉치 (dialogues, as a table or as JSON) and 한국어 단발성 대화 (single sentences)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from emojob.schemas.errors import DataError
from emojob.training.data.label_map import counted

#: 감성대화말뭉치: the class of a dialogue, what the person says, and what the system answers.
CLASS = "감정_대분류"
PERSON = ("사람문장1", "사람문장2", "사람문장3")
SYSTEM = ("시스템문장1", "시스템문장2", "시스템문장3")

#: 한국어 단발성 대화.
SENTENCE, EMOTION = "Sentence", "Emotion"

#: The class of each ten of emotion codes: E10 to E19, E20 to E29, ...
CLASSES = {"1": "분노", "2": "슬픔", "3": "불안", "4": "상처", "5": "당황", "6": "기쁨"}

Turn = tuple[str | None, str | None]  # (the utterance before, the utterance)


def is_dialogue_list(objects: Sequence[dict[str, Any]]) -> bool:
    """Whether a JSON list is one of 감성대화말뭉치."""
    return any(isinstance(one.get("profile"), dict) and isinstance(one.get("talk"), dict) for one in objects)


def columns_of(objects: Sequence[dict[str, Any]], place: str) -> dict[str, list[str | None]]:
    """The columns of the same corpus as a table: the class and the six sentences. place: the file, for messages.

    Raises DataError where an emotion code is unknown.
    """
    codes = [_within(one, "profile", "emotion", "type") for one in objects]
    unknown = Counter(code for code in codes if code is not None and _class_of(code) is None)
    if unknown:
        raise DataError(
            f"{place} has unknown emotion codes: {counted(unknown)}; known are E10 to E69; correct them, or leave "
            "these dialogues out"
        )
    columns: dict[str, list[str | None]] = {CLASS: [code and _class_of(code) for code in codes]}
    for names, side in ((PERSON, "HS"), (SYSTEM, "SS")):
        for number, name in enumerate(names, 1):
            columns[name] = [_within(one, "talk", "content", f"{side}0{number}") for one in objects]
    return columns


def turns(person: Sequence[str | None], system: Sequence[str | None]) -> list[Turn]:
    """A dialogue's utterances of the person, each with the utterance before it; blank ones left out but for the first.

    The first is kept, blank or not, so that every dialogue is counted.
    """
    found: list[Turn] = []
    before: str | None = None
    for number, (said, answered) in enumerate(zip(person, system, strict=True)):
        if not number or not _is_blank(said):
            found.append((before, said))
        for utterance in (said, answered):
            if not _is_blank(utterance):
                before = utterance
    return found


def _class_of(code: str) -> str | None:
    if len(code) == 3 and code[0] in "Ee" and code[1:].isdecimal() and code.isascii():
        return CLASSES.get(code[1])
    return None


def _within(value: Any, *keys: str) -> str | None:
    """The text that lies at the end of some keys of nested objects, None where there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    if value is None:
        return None
    text = value.strip() if isinstance(value, str) else str(value)
    return text or None


def _is_blank(text: str | None) -> bool:
    return text is None or not text.strip()
