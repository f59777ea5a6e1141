"""Card of a bot that `emojob train-replies` made: README.md in the folder of the bot."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jinja2 import Environment

from emojob.pipeline.replies.words import ANSWERS, GPT2
from emojob.training.replies.gpt2.card import MEASURES

CARD_FILE = "README.md"
_TEMPLATE = Path(__file__).parent / "bot_card.md"
_MARKDOWN = "|<>[]`*_#"
_ABOUT = {
    ANSWERS: "The bot finds the category or the question that fits a text, and chooses one of its answers.",
    GPT2: "A GPT-2 model writes the drafts. Its card is gpt2/README.md.",
}
_NEAREST, _CLASSIFIER = "by the nearest questions", "with the classifier"
_DRAFTED, _FIRST, _THIRD = (
    "score high enough for a draft", "right category found", "right category among the best three",
)  # fmt: skip
_OF_KNOWN = "of these, right answer (or category)"
#: {keys of a measure in bot.json: (name, format)}
_WORDS: dict[tuple[str, ...], tuple[str, str]] = {
    ("nearest_questions", "held_out"): ("held-out questions", "{:,}"),
    ("nearest_questions", "drafted"): (f"{_DRAFTED}, {_NEAREST}", "{:.1%}"),
    ("nearest_questions", "top_1"): (f"{_FIRST}, {_NEAREST}", "{:.1%}"),
    ("nearest_questions", "top_3"): (f"{_THIRD}, {_NEAREST}", "{:.1%}"),
    ("nearest_questions", "retrieval", "questions"): (
        "held-out questions whose answer or category is also in the training part", "{:,}",
    ),
    ("nearest_questions", "retrieval", "hit_1"): (f"{_OF_KNOWN} at the nearest question", "{:.1%}"),
    ("nearest_questions", "retrieval", "hit_5"): (f"{_OF_KNOWN} among the five best", "{:.1%}"),
    ("nearest_questions", "retrieval", "mrr"): (
        f"{_OF_KNOWN}: mean of 1 / rank (MRR; 1 is best, 0 is worst)", "{:.3f}",
    ),
    ("classifier", "drafted"): (f"{_DRAFTED}, {_CLASSIFIER}", "{:.1%}"),
    ("classifier", "top_1"): (f"{_FIRST}, {_CLASSIFIER}", "{:.1%}"),
    ("classifier", "top_3"): (f"{_THIRD}, {_CLASSIFIER}", "{:.1%}"),
    ("pairs",): ("held-out pairs", "{:,}"),
    ("drafts", "drafts"): ("drafts for their questions", "{:,}"),
    ("tone_agreement", "prompts"): ("prompts that were written for emojob", "{:,}"),
    ("tone_agreement", "share"): ("of these, reply in the tone that suits the emotion", "{:.1%}"),
    **{(key,) if section is None else (section, key): (name, form) for name, section, key, form in MEASURES},
    ("perplexity",): ("perplexity of the answers (lower is better)", "{:,.2f}"),
    ("drafts", "distinct_2"): (
        "distinct pairs of neighbouring words in the drafts, divided by all pairs (distinct-2)", "{:.3f}",
    ),
}  # fmt: skip


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


def _numbers(measures: dict[str, Any], inside: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Yield (name, value) of each number in nested measures. A measure without words has its keys as a name."""
    for key, value in measures.items():
        keys = (*inside, key)
        if isinstance(value, dict):
            yield from _numbers(value, keys)
        elif value is not None:
            usual = ": ".join(keys).replace("_", " "), "{:,}" if isinstance(value, int) else "{:,.3f}"
            name, form = _WORDS.get(keys, usual)
            yield name, form.format(value)


def _escape(text: str) -> str:
    """Return a name in one line, with Markdown characters escaped."""
    one_line = json.dumps(text, ensure_ascii=False)[1:-1]
    return "".join(f"\\{c}" if c in _MARKDOWN else c for c in one_line)
