"""Refuses an OUT that this run must not write to: a foreign folder, or an archive that other settings produced.

The settings are the model, the text and conversation columns, the prefix and the privacy options.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from emojob.pipeline.privacy.policy import NOTHING
from emojob.pipeline.storage.paths import AnyPath, is_empty
from emojob.schemas.errors import OutputError
from emojob.schemas.manifest import STATE_FOLDER


@dataclass(frozen=True)
class LabelSettings:
    """Settings that must be the same in every run into one OUT.

    Attributes:
        fingerprint: Fingerprint of the model.
        model: Name of the model.
        labels: Labels of the model, in id order.
        text_column: Column with the text.
        conversation_column: Column that identifies conversations; None without --context.
        prefix: Prefix of the label columns.
        privacy: `Privacy.as_json()`.
    """

    fingerprint: str
    model: str
    labels: tuple[str, ...]
    text_column: str
    conversation_column: str | None
    prefix: str
    privacy: Mapping[str, Any]


def is_archive(folder: AnyPath) -> bool:
    """Return whether a folder is a labelled archive. The archive may have no parts yet."""
    return (folder / STATE_FOLDER).is_dir()


def ensure_archive_or_empty(folder: AnyPath) -> None:
    """Raise OutputError if OUT is a file, or a folder with something other than a labelled archive."""
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"-o {folder} is a file: choose a folder, or a file name that ends in .parquet")
    if folder.is_dir() and not is_archive(folder) and not is_empty(folder):
        raise OutputError(f"-o {folder} is not empty and no labelled archive: choose a new or an empty folder")


def ensure_same_settings(
    folder: AnyPath, fingerprints: Iterable[str], run_before: Mapping[str, Any], now: LabelSettings
) -> None:
    """Raise OutputError if the parts in OUT were labelled with other settings.

    Args:
        folder: OUT.
        fingerprints: Model fingerprints of the parts in OUT.
        run_before: run.json of the last run.
        now: Settings of this run.
    """
    other = sorted(set(fingerprints) - {now.fingerprint})
    if other:
        model = run_before.get("model")
        model = model if isinstance(model, dict) else {}
        raise OutputError(
            f"{folder} was labelled with another model ({model.get('name', 'unknown')}, "
            f"{', '.join(other)}; labels {_words(model.get('labels'))}); this run uses {now.model} "
            f"({now.fingerprint}; labels {' '.join(now.labels)}): choose another -o, use the earlier model and "
            f"--max-length again, or start over with --fresh"
        )
    for name in ("text_column", "conversation_column", "prefix"):
        value = getattr(now, name)
        before = run_before.get(name, value)
        if before != value:
            option = f"--{name.replace('_', '-')}"
            again = f"use {option} {before} again" if before else f"leave out {option}"
            raise OutputError(
                f"{folder} was labelled with {option} {before!r}, but this run uses {value!r}: "
                f"choose another -o, {again}, or start over with --fresh"
            )
    ensure_same_privacy(str(folder), now.privacy, run_before.get("privacy"))


def ensure_same_privacy(out: str, now: Mapping[str, Any], before: object) -> None:
    """Raise OutputError if OUT was labelled with other privacy options.

    Args:
        out: Name of OUT in the message.
        now: `Privacy.as_json()` of this run.
        before: The object `privacy` of run.json. If it is not a dict, no privacy options were used.
    """
    then = {**NOTHING, **before} if isinstance(before, dict) else NOTHING
    for name, value in now.items():
        if value != then[name]:
            option = f"--{name.replace('_', '-').removesuffix('s')}"
            raise OutputError(
                f"{out} was labelled with {option} {_shown(then[name])}, but this run uses {_shown(value)}: "
                f"choose another -o, {_again(option, then[name])}, or start over with --fresh"
            )


def _again(option: str, before: object) -> str:
    """Return the advice that makes a privacy option equal to its value in the earlier run."""
    if not before:
        return f"leave out {option}"
    if isinstance(before, list):
        return f"use {' '.join(f'{option} {column}' for column in before)} again"
    return f"use {option} again" if before is True else "use the earlier key again"


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "on" if value is True else "off" if value is False else str(value or "none")


def _words(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else "unknown"
