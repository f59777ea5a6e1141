"""The words of a report in its languages, and how labels and texts of an archive are shown."""

from __future__ import annotations

import functools
import tomllib
from importlib.resources import files
from typing import Any

from emojob.pipeline.html.page import visible
from emojob.schemas.labels import EMOJI, ENGLISH

LANGUAGES = ("en", "ko")


def part(name: str) -> str:
    """A file of the page's."""
    return (files("emojob.pipeline.report") / name).read_text(encoding="utf-8")


@functools.cache
def words_of(language: str) -> dict[str, Any]:
    """The words of a language."""
    return dict(tomllib.loads(part("words.toml"))[language])


def label_shown(label: str, words: dict[str, Any]) -> str:
    """A label as it is read: with its face, and in English beside it where that is the page's language."""
    name = visible(label)
    if words["language"] == "en" and label in ENGLISH:
        name = f"{name} {ENGLISH[label]}"
    return f"{EMOJI[label]} {name}" if label in EMOJI else name


def cut(text: str, longest: int) -> str:
    """The beginning of a text, with an ellipsis where more follows."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
