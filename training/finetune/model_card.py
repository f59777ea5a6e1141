"""Model card of a model that `emojob train` made: README.md in the model folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard, ModelCardData

from emojob.training.evaluation.intervals import FEWEST_TEXTS
from emojob.training.evaluation.metrics import Evaluation
from emojob.training.evaluation.words import too_few_legend, words_of

_TEMPLATE = Path(__file__).parent / "model_card.md"
_MARKDOWN = "|<>[]`*_#"


def trained_card(
    base: str, metrics: dict[str, Any], test: Evaluation | None, calibration: str, made_with: dict[str, Any]
) -> str:
    """Return the model card as Markdown with a YAML header.

    Args:
        base: Name of the base model.
        metrics: Content of metrics.json.
        test: Metrics on the test split; None if there is no test split.
        calibration: Summary of the calibration in one line.
        made_with: Content of recipe.json.
    """
    header = ModelCardData(
        language="ko",
        library_name="transformers",
        pipeline_tag="text-classification",
        tags=["korean", "emotion", "kobert", "emojob"],
    )
    card = ModelCard.from_template(
        header,
        str(_TEMPLATE),
        escape=_escape,
        base=base,
        labels=", ".join(made_with["labels"]),
        metrics=metrics,
        test=test,
        shown=test.shown() if test else {},
        intervals={name: str(one) for name, one in test.intervals().items()} if test else {},
        legend=too_few_legend(words_of("en")),
        fewest=FEWEST_TEXTS,
        calibration=calibration,
        counts=", ".join(f"{number:,} {name}" for name, number in made_with["counts"].items()),
        made_with=made_with,
    )
    return f"{card}\n"


def _escape(text: str) -> str:
    """Escape Markdown characters in a label or a file name."""
    one_line = json.dumps(text, ensure_ascii=False)[1:-1]
    return "".join(f"\\{c}" if c in _MARKDOWN else c for c in one_line)
