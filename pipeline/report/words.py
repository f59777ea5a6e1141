"""Reads the English and Korean texts of a report, adds emoji to labels, and shortens long texts."""

from __future__ import annotations

import functools
import tomllib
from importlib.resources import files
from typing import Any

from emojob.pipeline.html.page import visible
from emojob.schemas.labels import EMOJI, ENGLISH

LANGUAGES = ("en", "ko")

#: Number of emotion colours in the style sheet; label 12 has the colour of label 0 again.
COLOURS = 12

LONGEST_VALUE = 60  # characters; a longer value of a column is shortened


def part(name: str) -> str:
    """Return the text of a file in this folder, for example report.css."""
    return (files("emojob.pipeline.report") / name).read_text(encoding="utf-8")


@functools.cache
def words_of(language: str) -> dict[str, Any]:
    """Return the texts of the page in a language (en or ko), as {name: text}."""
    return dict(tomllib.loads(part("words.toml"))[language])


def label_shown(label: str, words: dict[str, Any]) -> str:
    """Return a label with its emoji. For an English page, the label's English name is added.

    Args:
        label: A label of the model.
        words: Texts of the page, from `words_of`.
    """
    name = visible(label)
    if words["language"] == "en" and label in ENGLISH:
        name = f"{name} {ENGLISH[label]}"
    return f"{EMOJI[label]} {name}" if label in EMOJI else name


def cut(text: str, longest: int) -> str:
    """Return a text of at most `longest` characters. A longer text is shortened and ends in an ellipsis."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
