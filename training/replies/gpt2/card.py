"""Model card of a GPT-2 model that `emojob train-replies` made: README.md in the model folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard, ModelCardData

_TEMPLATE = Path(__file__).parent / "card.md"
_MARKDOWN = "|<>[]`*_#"

#: Measures of the card: name, section of `after` in metrics.json (None: the top), key, format.
MEASURES = (
    ("perplexity", None, "perplexity", "{:,.2f}"),
    ("tokens of the answers ranked first", None, "accuracy", "{:.1%}"),
    ("drafts that ended by themselves", "drafts", "ended", "{:.1%}"),
    ("drafts without text", "drafts", "empty", "{:.1%}"),
    ("distinct-2", "drafts", "distinct_2", "{:.3f}"),
    ("drafts with a repeated run of 4 tokens", "drafts", "repetition", "{:.1%}"),
    ("drafts copied from a training answer", "drafts", "copied", "{:.1%}"),
    ("median score of a draft (0 to 1)", "drafts", "score", "{:.3f}"),
    ("drafts with more than 20 words copied", "drafts", "copied_long", "{:.1%}"),
)


def gpt2_card(base: str, licence: str, metrics: dict[str, Any], made_with: dict[str, Any]) -> str:
    """Return the model card as Markdown with a YAML header.

    Args:
        base: Name of the base model.
        licence: Licence of the base model; "" if unknown.
        metrics: Content of metrics.json.
        made_with: Content of recipe.json: `recipe`, `pairs`, and `data`, if known, with `name`, `rows` and `sha256` of
            each file.
    """
    header = ModelCardData(
        language="ko",
        library_name="transformers",
        pipeline_tag="text-generation",
        license=licence.lower().replace(" ", "-") or None,
        tags=["korean", "dialogue", "kogpt2", "emojob"],
    )
    card = ModelCard.from_template(
        header,
        str(_TEMPLATE),
        escape=_escape,
        base=base,
        licence=licence,
        metrics=metrics,
        rows=_measures(metrics),
        data=[_file(file) for file in made_with.get("data", [])],
        pairs=made_with["pairs"],
        recipe=made_with["recipe"]["training"],
    )
    return f"{card}\n"


def _measures(metrics: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return (name, value before training, value after training) of each measure."""
    if not metrics.get("after"):
        return []
    before, after = metrics["before"], metrics["after"]
    return [
        (name, _shown(before, section, key, form), _shown(after, section, key, form))
        for name, section, key, form in MEASURES
    ]


def _shown(measures: dict[str, Any], section: str | None, key: str, form: str) -> str:
    value = (measures[section] if section else measures)[key]
    return "–" if value is None else form.format(value)


def _file(file: Any) -> dict[str, str]:
    """Return name, rows and sha256 of a data file as text."""
    fields = file if isinstance(file, dict) else {"name": str(file)}
    rows = fields.get("rows")
    return {
        "name": str(fields.get("name", "")),
        "rows": f"{rows:,}" if isinstance(rows, int) else "",
        "sha256": str(fields.get("sha256", "")),
    }


def _escape(text: str) -> str:
    """Escape Markdown characters in a name."""
    one_line = json.dumps(text, ensure_ascii=False)[1:-1]
    return "".join(f"\\{c}" if c in _MARKDOWN else c for c in one_line)
