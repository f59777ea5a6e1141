"""Card of a bot that `emojob train-replies` made: README.md in the folder of the bot."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jinja2 import Environment

from emojob.pipeline.replies.words import ANSWERS, GPT2

CARD_FILE = "README.md"
_TEMPLATE = Path(__file__).parent / "bot_card.md"
_MARKDOWN = "|<>[]`*_#"
_ABOUT = {
    ANSWERS: "The bot finds the category or the question that fits a text, and chooses one of its answers.",
    GPT2: "A GPT-2 model writes the drafts. Its card is gpt2/README.md.",
}


def bot_card(ways: dict[str, Any]) -> str:
    """Return the card as Markdown.

    Args:
        ways: `ways` of bot.json: {way: its base, licence, data, counts and measures}.
    """
    template = Environment(autoescape=False, trim_blocks=True).from_string(  # noqa: S701 - Markdown, escaped by _escape
        _TEMPLATE.read_text(encoding="utf-8")
    )
    licences = [
        f"The base model of the way `{name}` has the licence {way['licence']}: name the source, no commercial use, and "
        "share changed models under the same licence."
        for name, way in sorted(ways.items())
        if way.get("licence")
    ]
    return template.render(ways=[_way(name, ways[name]) for name in sorted(ways)], licences=licences) + "\n"


def _way(name: str, way: dict[str, Any]) -> dict[str, Any]:
    """Return the texts of the card for a way."""
    measures = way["measures"]
    if name == GPT2:  # not those before the training
        measures = {**(measures.get("after") or {}), "tone_agreement": measures.get("tone_agreement") or {}}
    files = way["data"] if isinstance(way["data"], list) else [{"name": way["data"]}]
    return {
        "name": name,
        "about": _ABOUT[name],
        "made_at": way["made_at"],
        "base": _escape(way["base"] or "the default model of emojob"),
        "counts": ", ".join(f"{key.replace('_', ' ')} {count:,}" for key, count in way["counts"].items() if count),
        "data": [_file(file) for file in files],
        "measures": list(_numbers(measures)),
    }


def _file(file: dict[str, Any]) -> dict[str, str]:
    """Return name, rows and sha256 of a data file as texts."""
    rows = file.get("rows")
    return {
        "name": _escape(str(file["name"])),
        "rows": f"{rows:,}" if isinstance(rows, int) else "",
        "sha256": str(file.get("sha256", "")),
    }


def _numbers(measures: dict[str, Any], inside: str = "") -> Iterator[tuple[str, str]]:
    """Yield (name, value) of each number in nested measures. The name of a nested measure names its section, too."""
    for key, value in measures.items():
        name = inside + key.replace("_", " ")
        if isinstance(value, dict):
            yield from _numbers(value, f"{name}: ")
        elif isinstance(value, int):
            yield name, f"{value:,}"
        elif value is not None:
            yield name, f"{value:,.3f}"


def _escape(text: str) -> str:
    """Return a name in one line, with Markdown characters escaped."""
    one_line = json.dumps(text, ensure_ascii=False)[1:-1]
    return "".join(f"\\{c}" if c in _MARKDOWN else c for c in one_line)
