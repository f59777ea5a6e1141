"""Reads the English and Korean texts of a report, adds emoji to labels, and shortens long texts."""

from __future__ import annotations

import functools
import tomllib
from importlib.resources import files
from typing import Any

from emojob.pipeline.html.page import visible
from emojob.schemas.labels import EMOJI, ENGLISH

#: Number of emotion colours in report.css. Label 12 gets the colour of label 0.
COLOURS = 12

LONGEST_VALUE = 60  # maximum number of characters of a column value; longer values are shortened


def part(name: str) -> str:
    """Return the text of a file in pipeline/report/, such as report.css."""
    return (files("emojob.pipeline.report") / name).read_text(encoding="utf-8")


@functools.cache
def words_of(language: str) -> dict[str, Any]:
    """Return the texts of the page as {name: text}. The language is en or ko."""
    return dict(tomllib.loads(part("words.toml"))[language])


def label_shown(label: str, words: dict[str, Any]) -> str:
    """Return a label as the page shows it: with an emoji, and on English pages with an English name.

    Args:
        label: A label of the model.
        words: Texts of the page, from `words_of`.
    """
    name = visible(label)
    if words["language"] == "en" and label in ENGLISH:
        name = f"{name} {ENGLISH[label]}"
    return f"{EMOJI[label]} {name}" if label in EMOJI else name


def time_notes(archive: dict[str, Any], words: dict[str, Any]) -> list[str]:
    """Return a line for each reason why values of the time column have no time.

    Args:
        archive: `Figures.archive`.
        words: Texts of the page, from `words_of`.
    """
    counts = {name: archive.get(name, 0) for name in ("times_undecided", "times_unclear", "times_serials")}
    counts["times_unread"] = archive["times_unread"] - sum(counts.values())
    column, clock = visible(str(archive["time_column"])), archive.get("times_without_clock")
    notes = [words[name].format(count=f"{count:,}", column=column) for name, count in counts.items() if count]
    if notes and archive.get("times_form"):
        share = archive["times_unread"] / archive["times_values"]
        notes.append(words["times_form"].format(share=f"{share:.0%}", form=visible(archive["times_form"])))
    if notes and archive["times_unread"] == archive.get("times_values"):
        notes.append(words["times_none"].format(column=column))
    if clock:
        notes.append(words["times_clock"].format(column=column, clock=visible(clock)))
    return notes


def role_line(archive: dict[str, Any], words: dict[str, Any]) -> str:
    """Return a line with the columns that serve as text, time, conversation and speaker.

    Args:
        archive: `Figures.archive`.
        words: Texts of the page, from `words_of`.
    """
    found = [
        f"{words[f'role_{role}']} "
        + (cut(visible(name), LONGEST_VALUE) if name else words["no_role"].format(option=f"--{role}-column"))
        for role, name in archive["roles"].items()
    ]
    return f"{words['roles']}: {', '.join(found)}"


def cut(text: str, longest: int) -> str:
    """Shorten a text to at most `longest` characters. A shortened text ends in an ellipsis (…)."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
