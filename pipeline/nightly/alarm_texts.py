"""Writes drift alarms as lines, in the language of the report."""

from __future__ import annotations

import math
from typing import Any

from emojob.pipeline.nightly.calendar import Day
from emojob.pipeline.nightly.drift import UNSURE, Check
from emojob.pipeline.nightly.label_drift import LabelChange
from emojob.pipeline.report.words import words_of
from emojob.schemas.labels import ENGLISH

_MOST_DIGITS = 3  # maximum number of decimal places of a percentage


def alarm_line(day: Day, check: Check, language: str) -> str:
    """Return the line about an alarm. The language is en or ko."""
    line, name = words_of(language)["alarm_line"], check_name(check, language)
    return str(line.format(day=day, check=name, text=alarm_text(check, language)))


def check_name(check: Check, language: str) -> str:
    """Return the name of a check in a line. The language is en or ko."""
    return str(words_of(language)["checks"][check.name]).partition("(")[0] if language == "ko" else check.name


def alarm_text(check: Check, language: str) -> str:
    """Return the text of an alarm, such as "분노 3% -> 19%, 우울 4% -> 17%". The language is en or ko."""
    texts = words_of(language)["alarms"]
    if check.name == "emotions":
        changed = ", ".join(_change(change, language) for change in check.labels)
        index = texts["emotions"].format(index=f"{check.value:.3f}", limit=f"{check.limit:g}")
        return f"{changed} ({index})" if changed else str(index)
    if check.name == "rows":
        return _rows(check, texts)
    now, limit, before = (f"{share:.2%}" for share in (check.value, check.limit, check.before or 0.0))
    return str(texts[check.name].format(now=now, limit=limit, before=before, unsure=UNSURE))


def _rows(check: Check, texts: dict[str, Any]) -> str:
    usual = check.before or 0.0
    # `round` removes floating-point errors
    rows, limit = round(check.value * usual), round(check.limit * usual, 6)
    is_few = check.value < check.limit
    bound = math.ceil(limit) if is_few else math.floor(limit)
    text = texts["few_rows" if is_few else "many_rows"]
    return str(text.format(rows=f"{rows:,}", bound=f"{bound:,}", usual=f"{round(usual):,}"))


def _change(change: LabelChange, language: str) -> str:
    english = ENGLISH.get(change.label) if language == "en" else None
    name = f"{change.label} ({english})" if english else change.label
    before, now = _percentages(change.before, change.share)
    return f"{name} {before} -> {now}"


def _percentages(before: float, now: float) -> tuple[str, str]:
    """Return two shares as percentages, with as few decimal places as tell them apart."""
    for digits in range(_MOST_DIGITS + 1):
        texts = f"{before:.{digits}%}", f"{now:.{digits}%}"
        if len(set(texts)) > 1:
            break
    return texts
