"""Writes the section of a report page about the drift checks of a nightly run."""

from __future__ import annotations

import math
from typing import Any

from emojob.pipeline.report.figures import Figures
from emojob.pipeline.report.words import label_shown


def drift_section(figures: Figures, words: dict[str, Any]) -> dict[str, Any] | None:
    """Return the texts of the section, alarms first. Return None for a report without drift checks.

    Args:
        figures: Counts, shares and example texts of the report, from `make_figures`.
        words: Texts of the page, from `words_of`.
    """
    found = figures.drift
    if not found:
        return None
    rows = [
        {"name": words["checks"][check["name"]], "cells": _cells(check, words), "alarm": check["alarm"]}
        for check in sorted(found["checks"], key=lambda check: not check["alarm"])
    ]
    alarms = [row["name"] for row in rows if row["alarm"]]
    verdict = words["drift_alarm"].format(checks=", ".join(alarms)) if alarms else words["drift_none"]
    if not rows:
        reasons = {"no_rows": "drift_no_rows", "holiday": "drift_holiday"}
        word = reasons.get(found.get("reason_none", ""), "drift_not_judged")
        verdict = words[word].format(days=found["days_before"])
    changes = ", ".join(
        f"{label_shown(change['label'], words)} {change['before']:.1%} → {change['share']:.1%}"
        for check in found["checks"]
        for change in check.get("labels", ())
    )
    verdict += f" {words['drift_changes'].format(changes=changes)}" if changes else ""
    return {"verdict": verdict, "alarm": bool(alarms), "rows": rows, "day": found["day"]}


def _cells(check: dict[str, Any], words: dict[str, Any]) -> list[str]:
    """Return the figure of the day, the figure of the days before, and the limit, each with its unit."""
    value, before, limit = check["value"], check["before"], check["limit"]
    if check["name"] == "rows":  # `value` and `limit` are multiples of the usual number of rows
        usual = before or 0.0
        bound = round(limit * usual, 6)  # removes floating-point errors
        is_few = value < 1
        text = words["at_least" if is_few else "at_most"]
        rows = f"{round(value * usual):,}", f"{math.ceil(bound) if is_few else math.floor(bound):,}"
        return [f"{rows[0]} ({value:.0%})", f"{round(usual):,}", text.format(limit=rows[1])]
    if check["name"] == "emotions":
        return [f"{value:.2f}", "–", words["at_most"].format(limit=f"{limit:.2f}")]
    return [f"{value:.1%}", "–" if before is None else f"{before:.1%}", words["at_most"].format(limit=f"{limit:.1%}")]
