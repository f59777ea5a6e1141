"""Formats the output lines of `emojob predict`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emojob.jobs.terminal.text import json_line, plain
from emojob.schemas.labels import EMOJI

if TYPE_CHECKING:
    from emojob.pipeline.inference.scoring_model import Scored


@dataclass(frozen=True)
class LabelledText:
    """A text with its labels.

    Attributes:
        text: The text.
        label: The most probable label; "" if the text is blank.
        probabilities: {label: probability}.
        carried: The labels that the text carries, the most probable first; None if a text has exactly one label.
    """

    text: str
    label: str
    probabilities: dict[str, float]
    carried: list[str] | None


def labelled_texts(texts: Sequence[str], scored: Scored) -> Iterator[LabelledText]:
    """Yield the texts with their labels."""
    label_sets = [None] * len(texts) if scored.thresholds is None else scored.label_sets
    rows = zip(texts, scored.labels, scored.probabilities.tolist(), label_sets, strict=True)
    for text, label, probabilities, carried in rows:
        yield LabelledText(text, label, dict(zip(scored.names, probabilities, strict=True)), carried)


def label_line(one: LabelledText) -> str:
    """Return the output line of `emojob predict` for a text."""
    if not one.label:
        return "-  (no text)"
    if one.carried is None:
        return f"{_shown(one, one.label)}  {plain(one.text)}"
    if not one.carried:
        return f"-  (no label at its threshold; highest: {_shown(one, one.label)})  {plain(one.text)}"
    return f"{', '.join(_shown(one, label) for label in one.carried)}  {plain(one.text)}"


def _shown(one: LabelledText, label: str) -> str:
    return f"{EMOJI.get(label, '·')} {plain(label)}  {one.probabilities[label]:.3f}"


def label_json(one: LabelledText) -> str:
    """Return the output line of `emojob predict --json` for a text."""
    shown = {name: round(value, 6) for name, value in one.probabilities.items()} if one.label else None
    confidence = max(shown.values()) if shown else None
    emotions = {} if one.carried is None else {"emotions": one.carried if one.label else None}
    return json_line(
        {"text": one.text, "emotion": one.label or None, "confidence": confidence, **emotions, "probabilities": shown}
    )
