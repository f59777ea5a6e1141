"""Formats the output lines of `emojob predict`."""

from __future__ import annotations

from emojob.jobs.terminal.text import json_line, plain
from emojob.schemas.labels import EMOJI


def label_line(text: str, label: str, confidence: float) -> str:
    """Return the output line of `emojob predict` for a text. `label` is "" if `text` is blank."""
    if not label:
        return "-  (no text)"
    return f"{EMOJI.get(label, '·')} {plain(label)}  {confidence:.3f}  {plain(text)}"


def label_json(text: str, label: str, probabilities: dict[str, float]) -> str:
    """Return the output line of `emojob predict --json` for a text. `label` is "" if `text` is blank."""
    shown = {name: round(value, 6) for name, value in probabilities.items()} if label else None
    confidence = max(shown.values()) if shown else None
    return json_line({"text": text, "emotion": label or None, "confidence": confidence, "probabilities": shown})
