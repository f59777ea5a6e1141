"""Two corpora of AI Hub: 감성대화말뭉치 (dialogues) and 한국어 단발성 대화 (single sentences)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from emojob.schemas.errors import DataError
from emojob.training.data.label_map import listed_with_counts

#: Columns of 감성대화말뭉치: the class of the dialogue, the sentences of the person, and the answers of the system.
CLASS = "감정_대분류"
PERSON = ("사람문장1", "사람문장2", "사람문장3")
SYSTEM = ("시스템문장1", "시스템문장2", "시스템문장3")

#: Columns of 한국어 단발성 대화.
SENTENCE, EMOTION = "Sentence", "Emotion"

#: Class by the first digit of the emotion code: E10 to E19 are 분노, E20 to E29 are 슬픔, ...
CLASSES = {"1": "분노", "2": "슬픔", "3": "불안", "4": "상처", "5": "당황", "6": "기쁨"}

Turn = tuple[str | None, str | None]  # (previous utterance, utterance)


def is_dialogue_list(objects: Sequence[dict[str, Any]]) -> bool:
    """Return whether any of the JSON objects is a dialogue of 감성대화말뭉치."""
    return any(isinstance(item.get("profile"), dict) and isinstance(item.get("talk"), dict) for item in objects)


def dialogue_columns(objects: Sequence[dict[str, Any]], file: str) -> dict[str, list[str | None]]:
    """Convert JSON dialogues of 감성대화말뭉치 to table columns: one column for the class, six for the sentences.

    Args:
        objects: The dialogues as JSON objects.
        file: Name of the file, for error messages.

    Raises:
        DataError: An emotion code is unknown.
    """
    codes = [_nested_text(item, "profile", "emotion", "type") for item in objects]
    unknown = Counter(code for code in codes if code is not None and _class_of(code) is None)
    if unknown:
        raise DataError(
            f"{file} has unknown emotion codes: {listed_with_counts(unknown)}; the known codes are E10 to E69; correct "
            "the codes, or remove these dialogues from the file"
        )
    columns: dict[str, list[str | None]] = {CLASS: [code and _class_of(code) for code in codes]}
    for names, speaker in ((PERSON, "HS"), (SYSTEM, "SS")):
        for number, name in enumerate(names, 1):
            columns[name] = [_nested_text(item, "talk", "content", f"{speaker}0{number}") for item in objects]
    return columns


def turns(person: Sequence[str | None], system: Sequence[str | None]) -> list[Turn]:
    """Return the person's utterances in a dialogue as pairs (previous utterance, utterance).

    The previous utterance is the last text before the utterance that is not blank: usually an answer of the system.
    Blank utterances are left out. The first utterance is kept even if it is blank, so that every dialogue is counted.

    Args:
        person: The person's sentences; None or blank if missing.
        system: The system's answers to the person's sentences; None or blank if missing.
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
    """Return the stripped text at the path `keys` in nested objects; None if the text is missing or blank."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    if value is None:
        return None
    text = value.strip() if isinstance(value, str) else str(value)
    return text or None


def _is_blank(text: str | None) -> bool:
    return text is None or not text.strip()
