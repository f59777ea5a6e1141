"""Writes a report as one self-contained HTML page with charts and tables."""

from __future__ import annotations

import datetime
from typing import Any

from emojob.pipeline.html.page import check_drawable, render, style_sheet, visible
from emojob.pipeline.report.drift_table import drift_section
from emojob.pipeline.report.figures import Figures
from emojob.pipeline.report.notes import (
    conversation_notes,
    label_notes,
    leading_labels,
    none_to_look_at,
    set_aside,
    turned_bad,
    unlabelled_notes,
)
from emojob.pipeline.report.tables import change_half_width, half_width
from emojob.pipeline.report.words import COLOURS, LONGEST_VALUE, cut, label_shown, part, role_line, time_notes, words_of

_LONGEST_TEXT = 300  # maximum number of characters of an utterance; longer utterances are shortened


def render_report(figures: Figures, language: str = "en") -> bytes:
    """Return a report as an HTML page in UTF-8. Equal figures give equal bytes.

    Args:
        figures: Counts, shares and example texts of the report, from `make_figures`.
        language: en or ko.

    Raises:
        OptionError: A package of the pip extra `report` is not installed.
    """
    check_drawable()
    from emojob.pipeline.report.sections import sections  # needs the pip extra `report`

    words = words_of(language)
    found = sections(figures, words)
    specs = {chart.figure.id: chart.specs for _, charts in found for chart in charts}
    return render(
        part("report.html"),
        part("report.js"),
        style_sheet(part("report.css")),
        {"figures": specs, "words": {"not_drawn": words["not_drawn"]}},
        words=words,
        mark=figures.mark,
        title=words["report"].format(name=visible(figures.archive["name"])),
        subtitle=_subtitle(figures, words),
        notes=[
            role_line(figures.archive, words),
            *label_notes(figures, words),
            *unlabelled_notes(figures, words),
            *time_notes(figures.archive, words),
        ],
        headline=_headline(figures, words),
        tiles=_tiles(figures, words),
        set_aside=set_aside(figures, words),
        sections=found,
        to_look_at=_to_look_at(figures, words),
        has_conversations="conversations" in figures.archive,
        has_times=bool(figures.days),
        none_to_look_at=none_to_look_at(figures, words),
        conversation_notes=conversation_notes(figures, words),
        examples=_examples(figures, words),
        drift=drift_section(figures, words),
        facts=_facts(figures, words),
    )


def _subtitle(figures: Figures, words: dict[str, Any]) -> str:
    archive = figures.archive
    labelled = f"{archive['labelled']:,}"
    if archive["first_day"] is None:
        return str(words["no_period"].format(labelled=labelled))
    return str(words["period"].format(first=archive["first_day"], last=archive["last_day"], labelled=labelled))


def _headline(figures: Figures, words: dict[str, Any]) -> str:
    return str(words["headline"].format(day=figures.latest["day"]) if figures.latest else words["overall"])


def _colours(figures: Figures) -> dict[str, str]:
    """Return {label: number of the label's colour in report.css}."""
    return {label: str(i % COLOURS) for i, label in enumerate(figures.labels)}


def _tiles(figures: Figures, words: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the tiles: numbers of the last day, or totals if the archive has no times."""
    latest = figures.latest
    if not latest:
        tiles = [_tile(words["utterances"], f"{figures.archive['labelled']:,}")]
        shares = {row["emotion"]: (row, "", False) for row in figures.emotions}
    else:
        usual = latest["rows_a_day_before"]
        note = words["usual"].format(rows=f"{usual:,.0f}") if usual is not None else ""
        tiles = [_tile(words["utterances"], f"{latest['rows']:,}", note)]
        shares = {row["emotion"]: (row, _change(row, latest, words), row["significant"]) for row in latest["emotions"]}
    colours = _colours(figures)
    for label in leading_labels(figures):
        row, note, significant = shares.get(label, ({}, "", False))
        half = f"±{100 * half_width(row['share'], row['low'], row['high']):.1f}" if row else ""
        value = f"{row.get('share', 0.0):.1%}"
        tiles.append(_tile(label_shown(label, words), value, note, colours[label], half, significant))
    if "conversations" in figures.archive:
        soured = f"{words['soured']}: {turned_bad(figures, words)}"
        name = words["conversations_all_days" if latest else "conversations"]  # the other tiles are about the last day
        tiles.append(_tile(name, f"{figures.archive['conversations']:,}", soured))
    return tiles


def _tile(
    name: str, value: str, note: str = "", colour: str = "", half: str = "", significant: bool = False
) -> dict[str, Any]:
    return {"name": name, "value": value, "half": half, "note": note, "colour": colour, "significant": significant}


def _change(row: dict[str, Any], latest: dict[str, Any], words: dict[str, Any]) -> str:
    if row["change"] is None:
        return ""
    if latest["too_few_rows"]:
        return str(words["too_few_changes"])
    pattern = words["points_one" if latest["days_before"] == 1 else "points"]
    change, half = f"{100 * row['change']:+.1f}", f"{100 * change_half_width(row):.1f}"
    return str(pattern.format(change=change, half=half, days=latest["days_before"]))


def _to_look_at(figures: Figures, words: dict[str, Any]) -> dict[str, Any]:
    colours = _colours(figures)

    def utterance(row: dict[str, Any]) -> dict[str, str]:
        return {
            "speaker": cut(visible(row["speaker"] or ""), LONGEST_VALUE),
            "at": _moment(row["said_at"]),
            "emotion": label_shown(row["emotion"], words) if row["emotion"] else "",
            "colour": colours.get(row["emotion"], ""),
            "confidence": f"{row['confidence']:.0%}" if row["confidence"] is not None else "",
            "text": cut(visible(row["text"] or ""), _LONGEST_TEXT),
        }

    alarming = ", ".join(label_shown(label, words) for label in figures.meaning["alarming"])
    has_shared_ids = bool(figures.archive.get("shared_ids"))
    return {
        "caption": words["to_look_at_caption"].format(
            alarming=alarming, shown=f"{len(figures.to_look_at):,}", all=f"{figures.archive.get('soured') or 0:,}"
        ),
        "conversations": [
            {
                "conversation": cut(visible(row["conversation"]), LONGEST_VALUE),
                "input": cut(visible(row["input"] or ""), LONGEST_VALUE) if has_shared_ids else "",
                "speaker": cut(visible(row["speaker"] or ""), LONGEST_VALUE),
                "ended_at": _moment(row["ended_at"]),
                "first": label_shown(row["first_emotion"], words),
                "last": label_shown(row["last_emotion"], words),
                "colour": colours.get(row["last_emotion"], ""),
                "confidence": f"{row['last_confidence']:.0%}",
                "text": next(
                    (cut(visible(one["text"] or ""), _LONGEST_TEXT) for one in row["utterances"] if one["is_last"]), ""
                ),
                "utterances": list(map(utterance, row["utterances"])),
            }
            for row in figures.to_look_at
        ],
    }


def _examples(figures: Figures, words: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for label, colour in _colours(figures).items():
        sides = {
            side: [
                (cut(visible(row["text"]), _LONGEST_TEXT), _confidence(row, words))
                for row in getattr(figures, side)
                if row["emotion"] == label
            ]
            for side in ("typical", "uncertain")
        }
        if any(sides.values()):
            found.append({"label": label_shown(label, words), "colour": colour, **sides})
    return found


def _confidence(row: dict[str, Any], words: dict[str, Any]) -> str:
    times = words["times"].format(count=f"{row['times']:,}")
    return f"{row['confidence']:.0%} · {times}" if row["times"] > 1 else f"{row['confidence']:.0%}"


def _facts(figures: Figures, words: dict[str, Any]) -> list[tuple[str, str]]:
    archive, model = figures.archive, figures.model
    is_default = model.get("name") == words_of("en")["default_model"]
    rows = f"{archive['rows']:,} = {archive['labelled']:,} {words['labelled']} + {archive['empty']:,} {words['empty']}"
    facts = {
        "archive": archive["name"],
        "inputs": f"{archive['inputs']:,}",
        "read": rows,
        "truncated": f"{archive['truncated']:,}",
        "without_time": f"{archive['without_time']:,}",
        "model": words["default_model"] if is_default else model.get("name"),
        "fingerprint": model.get("fingerprint"),
        "labels": ", ".join(map(str, figures.labels)),
        "max_length": model.get("max_length"),
    }
    return [(words[name], visible(str(value))) for name, value in facts.items() if value is not None]


def _moment(value: datetime.datetime | None) -> str:
    return "" if value is None else value.isoformat(" ", "minutes")
