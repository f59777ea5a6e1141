"""Checks that a run may write to OUT.

A run may write to OUT if OUT does not exist, is empty, or is a labelled archive with the settings of this run. The
settings are the model, --max-length, the context, the text column, the conversation column, the prefix and the privacy
options, and whether placeholders of messengers count as empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emojob.pipeline.output.layout import DERIVED_FOLDER, STATE_FOLDERS
from emojob.pipeline.privacy.policy import NOTHING
from emojob.pipeline.storage.paths import AnyPath, is_empty
from emojob.schemas.column_names import shown
from emojob.schemas.columns import folded
from emojob.schemas.errors import OutputError
from emojob.schemas.manifest import STATE_FOLDER


@dataclass(frozen=True)
class LabelSettings:
    """Settings that must be the same in all runs that write to the same OUT.

    Attributes:
        fingerprint: Hash of the model, --max-length and the context.
        model: Name of the model.
        labels: Labels of the model, in id order.
        text_column: Column with the text.
        conversation_column: Column that identifies conversations; None without --context.
        prefix: Prefix of the label columns.
        privacy: Privacy options, as `Privacy.as_json()` returns them.
        placeholders: Whether placeholders of messengers count as empty.
        columns: Names of the columns of the inputs; empty if unknown.
    """

    fingerprint: str
    model: str
    labels: tuple[str, ...]
    text_column: str
    conversation_column: str | None
    prefix: str
    privacy: Mapping[str, Any]
    placeholders: bool = True
    columns: tuple[str, ...] = ()


def is_archive(folder: AnyPath) -> bool:
    """Return whether a folder is a labelled archive. The archive may have no parts yet."""
    return (folder / STATE_FOLDER).is_dir()


def ensure_archive_or_empty(folder: AnyPath) -> None:
    """Raise OutputError unless OUT does not exist, is empty, or is a labelled archive."""
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"-o {folder} is a file: give a folder, or a file name that ends in .parquet")
    if folder.is_dir() and not is_archive(folder) and not is_empty(folder):
        raise OutputError(f"-o {folder} is neither empty nor a labelled archive: give a new or an empty folder")


def ensure_no_links(folder: AnyPath) -> None:
    """Raise OutputError if a folder of emojob in OUT is a link: through it, emojob would change files outside OUT."""
    for name in (*STATE_FOLDERS, DERIVED_FOLDER):
        path = folder / name
        if isinstance(path, Path) and path.is_symlink():
            raise OutputError(
                f"{path} is a link, so emojob would change files outside {folder}: move the folder to which the link "
                f"leads ({path.readlink()}) to {path}, then run the same command again"
            )


def ensure_same_settings(
    folder: AnyPath, fingerprints: Iterable[str], run_before: Mapping[str, Any], now: LabelSettings
) -> None:
    """Raise OutputError if the parts in OUT were labelled with other settings.

    Args:
        folder: OUT.
        fingerprints: Fingerprints of the parts in OUT (see `LabelSettings`).
        run_before: Contents of run.json from the last run.
        now: Settings of this run.
    """
    other = sorted(set(fingerprints) - {now.fingerprint})
    if other:
        model = run_before.get("model")
        model = model if isinstance(model, dict) else {}
        settings = "--max-length and --threshold" if "thresholds" in model else "--max-length"
        raise OutputError(
            f"{folder} was labelled with another model or another {settings.replace('and', 'or another')}: give "
            f"another path with -o, use the earlier model and {settings} again, or start over with --fresh. Earlier "
            f"run: model "
            f"{model.get('name', 'unknown')} (fingerprint {', '.join(other)}; labels {_words(model.get('labels'))}). "
            f"This run: model {now.model} (fingerprint {now.fingerprint}; labels {' '.join(now.labels)})"
        )
    for name in ("text_column", "conversation_column", "prefix"):
        value = getattr(now, name)
        before = run_before.get(name, value)
        if before != value:
            option = f"--{name.replace('_', '-')}"
            again = f"use {option} {before} again" if before else f"leave out {option}"
            if name.endswith("_column") and before and value and now.columns and before not in now.columns:
                again = f"rename the column {shown(value)} to {shown(str(before))} in the input"
            raise OutputError(
                f"{folder} was labelled with {option} {before!r}, but this run has {option} {value!r}: "
                f"give another path with -o, {again}, or start over with --fresh"
            )
    ensure_same_placeholders(str(folder), now.placeholders, run_before)
    ensure_same_privacy(str(folder), now.privacy, run_before.get("privacy"))


def ensure_same_placeholders(out: str, now: bool, run_before: Mapping[str, Any]) -> None:
    """Raise OutputError if OUT was labelled with another value of --placeholders.

    Args:
        out: Name of OUT in the message.
        now: Whether placeholders of messengers count as empty in this run.
        run_before: Contents of run.json. Earlier versions of emojob had no such option; they are compatible.
    """
    options = run_before.get("options")
    before = options.get("placeholders", now) if isinstance(options, dict) else now
    if before != now:
        names = {True: "--placeholders", False: "--no-placeholders"}
        raise OutputError(
            f"{out} was labelled with {names[bool(before)]}, but this run has {names[now]}: give another path with -o, "
            f"use {names[bool(before)]} again, or start over with --fresh"
        )


def ensure_same_names(
    folder: AnyPath, before: Iterable[str], now: Iterable[str], inputs: Mapping[str, Sequence[str]]
) -> None:
    """Raise OutputError if a column name differs from a name in OUT only in case or Unicode form.

    Args:
        folder: OUT.
        before: Names of the columns of the parts in OUT.
        now: Names of the columns of this run.
        inputs: {input of this run: names of its columns}, for the message.
    """
    known = set(before)
    by_form = {folded(name): name for name in known}
    other = [(by_form[folded(name)], name) for name in now if name not in known and folded(name) in by_form]
    if other:
        pairs = ", ".join(f"{shown(old)} and {shown(new)}" for old, new in other)
        where = next((name for name, columns in inputs.items() if other[0][1] in columns), "the input")
        raise OutputError(
            f"{where} has columns whose names differ from those in {folder} only in upper and lower case or in the "
            f"Unicode form: {pairs}; give the columns of the input the names in {folder}, or give another path with -o"
        )


def ensure_same_privacy(out: str, now: Mapping[str, Any], before: object) -> None:
    """Raise OutputError if OUT was labelled with other privacy options.

    Args:
        out: Name of OUT in the message.
        now: Privacy options of this run, as `Privacy.as_json()` returns them.
        before: Value of `privacy` in run.json. A value that is not a dict means that no privacy options were used.
    """
    then = {**NOTHING, **before} if isinstance(before, dict) else NOTHING
    for name, value in now.items():
        if value != then[name]:
            option = f"--{name.replace('_', '-').removesuffix('s')}"
            raise OutputError(
                f"{out} was labelled with {option} {_shown(then[name])}, but this run has {option} {_shown(value)}: "
                f"give another path with -o, {_again(option, then[name])}, or start over with --fresh"
            )


def _again(option: str, before: object) -> str:
    """Return the advice for an error message: use the privacy option as in the earlier run."""
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
