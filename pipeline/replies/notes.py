"""Makes the sentences of the bot about itself: why there is no draft, and what it says instead. See notes.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from emojob.pipeline.rules.crisis import CRISIS_LINE


@cache
def _words(section: str) -> dict[str, Any]:
    with (Path(__file__).parent / "notes.toml").open("rb") as stream:
        words: dict[str, Any] = tomllib.load(stream)[section]
    return words


def crisis_note(language: str) -> str:
    """Return the note about a text that speaks of suicide or self-harm. `language` is en or ko, here and below."""
    return str(_words(language)["crisis"]).format(line=CRISIS_LINE)


def crisis_before_note(language: str) -> str:
    """Return the note about a text in a conversation that spoke of suicide or self-harm before."""
    return str(_words(language)["crisis_before"]).format(line=CRISIS_LINE)


def blank_note(language: str) -> str:
    """Return the note about a blank text."""
    return str(_words(language)["blank"])


def no_way_note(language: str) -> str:
    """Return the note about an emotion for which the bot has no way to answer."""
    return str(_words(language)["no_way"])


def low_score_note(language: str, score: float, least: float) -> str:
    """Return the note about a best match with a low score."""
    return str(_words(language)["low_score"]).format(score=f"{score:.4f}", least=f"{least:g}")


def no_answer_note(language: str, category: str) -> str:
    """Return the note about a text whose category has no answers."""
    return str(_words(language)["no_answer"]).format(category=category)


def dropped_note(language: str, reasons: Iterable[str]) -> str:
    """Return the note about drafts that the checks dropped. `reasons`: one for each draft (see `checks`)."""
    words, all_reasons = _words(language), list(reasons)
    shown = dict.fromkeys(words.get("reasons", {}).get(reason, reason) for reason in all_reasons)
    return str(words["dropped"]).format(count=len(all_reasons), reasons=", ".join(shown))


def blank_reply() -> str:
    """Return what the bot says in a chat to a blank text."""
    return str(_words("chat")["blank_reply"])


def no_reply() -> str:
    """Return what the bot says in a chat if it has no draft."""
    return str(_words("chat")["no_reply"])


def crisis_reply() -> str:
    """Return what the bot says in a chat to a text that speaks of suicide or self-harm."""
    return str(_words("chat")["crisis_reply"]).format(line=CRISIS_LINE)


def crisis_again_reply() -> str:
    """Return what the bot says in a chat to a sad or short text soon after such a text."""
    return str(_words("chat")["crisis_again"]).format(line=CRISIS_LINE)


def crisis_reminder() -> str:
    """Return what a terminal shows below each reply after such a text."""
    return str(_words("chat")["crisis_reminder"]).format(line=CRISIS_LINE)
