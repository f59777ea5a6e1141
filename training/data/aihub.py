"""AI Hub's corpora: 감성대화말뭉치 (dialogues, as a table or as JSON) and 한국어 단발성 대화 (single sentences)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from emojob.schemas.errors import DataError
from emojob.training.data.label_map import listed_with_counts

#: Columns of 감성대화말뭉치: the class of a dialogue, the person's sentences, the system's answers.
CLASS = "감정_대분류"
PERSON = ("사람문장1", "사람문장2", "사람문장3")
SYSTEM = ("시스템문장1", "시스템문장2", "시스템문장3")

#: Columns of 한국어 단발성 대화.
SENTENCE, EMOTION = "Sentence", "Emotion"

#: The class of each ten emotion codes: E10 to E19, E20 to E29, ...
CLASSES = {"1": "분노", "2": "슬픔", "3": "불안", "4": "상처", "5": "당황", "6": "기쁨"}

Turn = tuple[str | None, str | None]  # (previous utterance, utterance)


def is_dialogue_list(objects: Sequence[dict[str, Any]]) -> bool:
    """Return whether a JSON list is 감성대화말뭉치."""
    return any(isinstance(item.get("profile"), dict) and isinstance(item.get("talk"), dict) for item in objects)


def dialogue_columns(objects: Sequence[dict[str, Any]], file: str) -> dict[str, list[str | None]]:
    """Return the columns that the table form of 감성대화말뭉치 has: the class and the six sentences.

    Args:
        objects: The dialogues of the JSON form.
        file: Name of the file, for messages.

    Raises:
        DataError: An emotion code is unknown.
    """
    codes = [_nested_text(item, "profile", "emotion", "type") for item in objects]
    unknown = Counter(code for code in codes if code is not None and _class_of(code) is None)
    if unknown:
        raise DataError(
            f"{file} has unknown emotion codes: {listed_with_counts(unknown)}; known are E10 to E69; correct them, or "
            "leave these dialogues out"
        )
    columns: dict[str, list[str | None]] = {CLASS: [code and _class_of(code) for code in codes]}
    for names, speaker in ((PERSON, "HS"), (SYSTEM, "SS")):
        for number, name in enumerate(names, 1):
            columns[name] = [_nested_text(item, "talk", "content", f"{speaker}0{number}") for item in objects]
    return columns


def turns(person: Sequence[str | None], system: Sequence[str | None]) -> list[Turn]:
    """Return the person's utterances of a dialogue, each with the previous utterance.

    Blank utterances are left out, except the first: it stays, so every dialogue is counted.

    Args:
        person: The person's sentences.
        system: The system's answers, one for each sentence.
    """
    found: list[Turn] = []
    previous: str | None = None
    for number, (sentence, answer) in enumerate(zip(person, system, strict=True)):
        if not number or not _is_blank(sentence):
            found.append((previous, sentence))
        for utterance in (sentence, answer):
            if not _is_blank(utterance):
                previous = utterance
    return found


def _class_of(code: str) -> str | None:
    if len(code) == 3 and code[0] in "Ee" and code[1:].isdecimal() and code.isascii():
        return CLASSES.get(code[1])
    return None


def _nested_text(value: Any, *keys: str) -> str | None:
    """Return the stripped text below keys of nested objects, None if it is missing or blank."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    if value is None:
        return None
    text = value.strip() if isinstance(value, str) else str(value)
    return text or None


def _is_blank(text: str | None) -> bool:
    return text is None or not text.strip()
