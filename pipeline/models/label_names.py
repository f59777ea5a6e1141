"""Reads the names of the labels in config.json, and finds names that contradict each other."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from emojob.schemas.messages import listed

_PLACEHOLDER = re.compile(r"LABEL_\d+")


def named_ids(config: dict[str, Any]) -> dict[str, str]:
    """Return {id: name} from id2label, which may be a dictionary or a list; empty if config.json has none."""
    named = config.get("id2label")
    if isinstance(named, list):
        return {str(i): str(name) for i, name in enumerate(named)}
    return {str(i): str(name) for i, name in named.items()} if isinstance(named, dict) else {}


def real_names(config: dict[str, Any], outputs: int) -> tuple[str, ...] | None:
    """Return the names of the labels in id order; None if config.json has no names, or only those of transformers."""
    named = named_ids(config)
    names = tuple(named.get(str(i), "") for i in range(outputs))
    return names if names and all(name and not is_placeholder(name) for name in names) else None


def is_placeholder(name: str) -> bool:
    """Return whether a name is one that transformers gives, such as LABEL_0."""
    return _PLACEHOLDER.fullmatch(name) is not None


def contradiction(config: dict[str, Any], shown: str, measure: str) -> list[str]:
    """Return a message if label2id gives a label another number than id2label; otherwise an empty list.

    Args:
        config: Content of config.json.
        shown: Name of the model, for the message.
        measure: What shows whether the names are right, for the message.
    """
    numbers = config.get("label2id")
    if not isinstance(numbers, dict):
        return []
    numbers = {_plain(str(name)): str(i) for name, i in numbers.items()}
    for i, name in named_ids(config).items():
        other = numbers.get(_plain(name), i)
        if other != i:
            return [
                f"config.json of {shown} contradicts itself: {listed([name])} has the number {i:.10} in id2label, and "
                f"{other:.10} in label2id; emojob uses id2label, and {measure} shows whether that is right"
            ]
    return []


def differences(names: Sequence[str], config: dict[str, Any], whose: str, is_own: bool) -> list[str]:
    """Return a message if the given names differ from those in config.json; otherwise an empty list.

    Args:
        names: The given names, in id order.
        config: Content of config.json.
        whose: Whose config.json it is, for the message.
        is_own: Whether it belongs to the checkpoint. The base model may have other labels, but not another order.
    """
    others = real_names(config, len(names))
    if others is None or [*map(_plain, others)] == [*map(_plain, names)]:
        return []
    is_order = {*map(_plain, others)} == {*map(_plain, names)}
    if not is_order and not is_own:
        return []
    what = "in another order than" if is_order else "other names than"
    order = ", ".join(f"{i} {name}" for i, name in enumerate(others))
    return [
        f"--labels are {what} id2label in config.json of {whose} ({order}); if one order is wrong, so are the labels: "
        f"--check FILE (texts with labels) shows the right order"
    ]


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip().casefold()
