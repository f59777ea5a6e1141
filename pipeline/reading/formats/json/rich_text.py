"""Joins texts that a chat program stores as a list of parts, such as ["see ", {"type": "link", "text": "a.kr"}]."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pyarrow as pa

from emojob.pipeline.reading.formats.json.types import DEEPEST
from emojob.schemas.columns import USUAL_TEXT_COLUMNS, folded

#: Sentences of the person and of the system in 감성대화말뭉치 of AI Hub, such as HS01 and SS01.
_SENTENCE = re.compile(r"[HS]S\d\d")
_SPEAKERS = {"HS": "사람", "SS": "시스템"}
_TEXT_NAMES = {folded(name) for name in USUAL_TEXT_COLUMNS}


def joined_texts(value: Any, depth: int = 0) -> Any:
    """Return a JSON value in which each list of text parts is joined, if its field has a usual name for texts.

    The parts are texts and objects with the fields `type` and `text`, as in exports of Telegram. An object without a
    text, such as a picture, adds nothing. The sentences of a dialogue of AI Hub (HS01, SS01, HS02 ...) become a list of
    turns. Other values stay as they are, and so do values deeper than DEEPEST.
    """
    if depth > DEEPEST:
        return value
    if isinstance(value, dict) and value and all(map(_SENTENCE.fullmatch, value)):
        texts = ((_SPEAKERS[name[:2]], text) for name, text in sorted(value.items(), key=_turn) if text)
        return [{"speaker": speaker, "text": text} for speaker, text in texts]
    if isinstance(value, dict):
        return {name: _joined(name, one, depth) for name, one in value.items()}
    if isinstance(value, list):
        return [joined_texts(one, depth + 1) for one in value]
    return float(value) if isinstance(value, Decimal) else value


def may_be_parts(schema: pa.Schema | pa.DataType) -> bool:
    """Return whether a field with a usual name for texts is a list, here or inside other fields."""
    for number in range(len(schema) if isinstance(schema, pa.Schema) else schema.num_fields):
        field = schema.field(number)
        kind = field.type
        if _is_list(kind) and folded(field.name) in _TEXT_NAMES:
            return True
        if may_be_parts(kind):
            return True
    return False


def _joined(name: str, value: Any, depth: int) -> Any:
    if isinstance(value, list) and folded(name) in _TEXT_NAMES and _is_parts(value):
        return "".join(one if isinstance(one, str) else str(one.get("text") or "") for one in value)
    return joined_texts(value, depth + 1)


def _turn(sentence: tuple[str, Any]) -> tuple[str, str]:
    """Return the sort key of a sentence: HS01, SS01, HS02 ..."""
    name, _ = sentence
    return name[2:], name[:2]


def _is_parts(value: list[Any]) -> bool:
    """Return whether a list has texts and objects with a type, and at least one such object, or no item."""
    objects = [one for one in value if isinstance(one, dict) and isinstance(one.get("type"), str)]
    return len(objects) + sum(isinstance(one, str) for one in value) == len(value) and bool(objects)


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))
