"""A report for the browser: one self-contained page of tiles, charts with their tables, conversations to look at."""

from __future__ import annotations

import datetime
import functools
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from pipeline.page import Spec, check_drawable, render, style_sheet, visible, write_whole
from pipeline.report.figures import Figures, Rows
from schemas.labels import ALARMING, EMOJI, ENGLISH

LANGUAGES = ("en", "ko")

_LONGEST_TEXT = 300  # characters of an utterance
_LONGEST_VALUE = 60


@dataclass(frozen=True)
class Cell:
    """A cell of a table: what is shown, and what it is sorted by."""

    shown: str
    key: str | float = ""

    @property
    def is_number(self) -> bool:
        """Whether it is sorted as a number, and stands right."""
        return not isinstance(self.key, str)


@dataclass(frozen=True)
class Table:
    """A table that sorts; name: of its CSV file."""

    name: str
    head: list[str]
    rows: list[list[Cell]]


@dataclass(frozen=True)
class Choice:
    """One of the things that a figure can show."""

    label: str
    table: Table


@dataclass(frozen=True)
class Figure:
    """A chart with its words and the table that says the same; several of each where there is something to choose."""

    id: str
    title: str
    caption: str
    choices: list[Choice]
    wide: bool = False


@dataclass
class _Charts:
    """The specifications of the charts, by the figure's id: one for each choice."""

    specs: dict[str, list[Spec]] = field(default_factory=dict)

    def add(self, figure: Figure, specs: Sequence[Spec]) -> Figure:
        self.specs[figure.id] = list(specs)
        return figure


def write_report(file: Path, figures: Figures, language: str = "en") -> None:
    """Write a report as a page. Raises OptionError where a package that draws is not installed."""
    write_whole(file, render_report(figures, language))


def render_report(figures: Figures, language: str = "en") -> bytes:
    """A report as a page, always the same for the same figures. Raises as `write_report`."""
    check_drawable()
    words = words_of(language)
    charts = _Charts()
    sections = _sections(figures, words, charts)
    return render(
        _part("report.html"),
        _part("report.js"),
        style_sheet(_part("report.css")),
        {"figures": charts.specs, "words": {"not_drawn": words["not_drawn"]}},
        words=words,
        title=words["report"].format(name=visible(figures.archive["name"])),
        subtitle=_subtitle(figures, words),
        headline=_headline(figures, words),
        tiles=_tiles(figures, words),
        sections=sections,
        to_look_at=_to_look_at(figures, words),
        has_conversations="conversations" in figures.archive,
        examples=_examples(figures, words),
        drift=_drift(figures, words),
        facts=_facts(figures, words),
    )


@functools.cache
def words_of(language: str) -> dict[str, Any]:
    """The words of a language."""
    return dict(tomllib.loads(_part("words.toml"))[language])


def label_shown(label: str, words: dict[str, Any]) -> str:
    """A label as it is read: with its face, and in English beside it where that is the page's language."""
    name = visible(label)
    if words["language"] == "en" and label in ENGLISH:
        name = f"{name} {ENGLISH[label]}"
    return f"{EMOJI[label]} {name}" if label in EMOJI else name


# -- sections ----------------------------------------------------------------------------------------------------------


def _sections(figures: Figures, words: dict[str, Any], charts: _Charts) -> list[tuple[str, list[Figure]]]:
    """(heading, figures) of each section that the archive has something for."""
    shown = [label_shown(label, words) for label in figures.labels]
    name = dict(zip(figures.labels, shown, strict=True))

    def named(rows: Rows, *columns: str) -> Rows:
        return [{**row, **{column: name.get(row[column], row[column]) for column in columns}} for row in rows]

    found: list[tuple[str, list[Figure]]] = []
    if figures.days:
        found.append((words["over_time"], _times(figures, named, shown, words, charts)))
    if figures.transitions or figures.arcs:
        found.append((words["talks"], _conversations(figures, named, shown, words, charts)))
    found.append((words["breakdowns"], _breakdowns(figures, named, shown, words, charts)))
    found.append((words["distributions"], _distributions(figures, named, shown, words, charts)))
    return [(heading, some) for heading, some in found if some]


Named = Callable[..., Rows]


def _times(figures: Figures, named: Named, shown: list[str], words: dict[str, Any], charts: _Charts) -> list[Figure]:
    from pipeline.report import charts as draw

    days = named([{**row, "day": row["day"].isoformat()} for row in figures.days], "emotion")
    quality = [{**row, "day": row["day"].isoformat()} for row in figures.quality if row["day"] is not None]
    by_emotion = [
        (label, named([row for row in figures.hours_of_week if row["emotion"] == label], "emotion"))
        for label in figures.labels
    ]
    weeks = [
        (label, [{**row, "weekday": words["weekdays"][row["weekday"] - 1]} for row in rows])
        for label, rows in by_emotion
        if rows
    ]
    return [
        charts.add(
            Figure("days", words["by_day"], words["by_day_caption"], [_wide(days, "day", shown, words)], wide=True),
            [draw.over_time(days, shown, words)],
        ),
        charts.add(
            Figure("volume", words["volume"], words["volume_caption"], [Choice("", _quality(quality, words))]),
            [draw.volume(quality, words)],
        ),
        charts.add(
            Figure(
                "clock", words["clock"], words["clock_caption"],
                [Choice(label_shown(label, words), _table("clock", rows, {
                    "weekday": "weekday", "hour_of_day": "hour", "rows": "rows", "share": "share",
                }, words)) for label, rows in weeks],
            ),
            [draw.clock(rows, words) for _, rows in weeks],
        ),
    ]  # fmt: skip


def _conversations(
    figures: Figures, named: Named, shown: list[str], words: dict[str, Any], charts: _Charts
) -> list[Figure]:
    from pipeline.report import charts as draw

    found = []
    if figures.arcs:
        arcs = named(figures.arcs, "emotion")
        tenths = [{**row, "tenth": f"{row['tenth'] * 10:02d}–{row['tenth'] * 10 + 10}"} for row in arcs]
        figure = Figure("arcs", words["arcs"], words["arcs_caption"], [_wide(tenths, "tenth", shown, words)])
        found.append(charts.add(figure, [draw.arcs(arcs, shown, words)]))
    for id_, rows, down, across, count in (
        ("transitions", figures.transitions, "emotion_before", "emotion", "times"),
        ("endings", figures.endings, "first_emotion", "last_emotion", "conversations"),
    ):
        if not rows:
            continue
        cells = [{**row, "times": row[count]} for row in named(rows, down, across)]
        second = "next_emotion" if id_ == "transitions" else "last_emotion"
        first = "emotion" if id_ == "transitions" else "first_emotion"
        table = _table(id_, cells, {down: first, across: second, "times": "rows", "share": "share"}, words)
        figure = Figure(id_, words[id_], words[f"{id_}_caption"], [Choice("", table)])
        found.append(charts.add(figure, [draw.matrix(cells, shown, down, across, words, id_)]))
    return found


def _breakdowns(
    figures: Figures, named: Named, shown: list[str], words: dict[str, Any], charts: _Charts
) -> list[Figure]:
    from pipeline.report import charts as draw

    choices, specs = [], []
    for column, rows in figures.breakdowns.items():
        told = [{**row, "value": _value(row, words)} for row in named(rows, "emotion")]
        choices.append(Choice(visible(column), _wide(told, "value", shown, words, visible(column)).table))
        specs.append(draw.by_value(told, shown, words))
    if not choices:
        return []
    figure = Figure("breakdowns", words["breakdowns"], words["breakdowns_caption"], choices, wide=True)
    return [charts.add(figure, specs)]


def _distributions(
    figures: Figures, named: Named, shown: list[str], words: dict[str, Any], charts: _Charts
) -> list[Figure]:
    from pipeline.report import charts as draw

    found = []
    for id_, rows, at, step in (
        ("confidences", figures.confidences, "confidence", 0.05),
        ("lengths", figures.lengths, "characters", 10),
    ):
        if rows:
            told = named(rows, "emotion")
            table = _table(id_, told, {"emotion": "emotion", at: at, "rows": "rows"}, words)
            figure = Figure(id_, words[id_], words[f"{id_}_caption"], [Choice("", table)])
            found.append(charts.add(figure, [draw.histogram(told, at, step, shown, words, id_)]))
    return found


# -- tables ------------------------------------------------------------------------------------------------------------


def _table(name: str, rows: Rows, columns: dict[str, str], words: dict[str, Any]) -> Table:
    """A table of these columns of the rows; columns: the word for each."""
    return Table(
        name, [words[word] for word in columns.values()], [[_cell(row[c], c) for c in columns] for row in rows]
    )


def _wide(rows: Rows, by: str, shown: list[str], words: dict[str, Any], head: str | None = None) -> Choice:
    """A table with a row for each value of `by` and a column for each emotion's share."""
    values: dict[str, dict[str, Any]] = {}
    for row in rows:
        values.setdefault(row[by], {})[row["emotion"]] = row
    lines = []
    for value, emotions in values.items():
        total = sum(row["rows"] for row in emotions.values())
        shares = [_cell(emotions[label]["share"] if label in emotions else 0.0, "share") for label in shown]
        lines.append([Cell(value, value), _cell(total, "rows"), *shares])
    return Choice("", Table(by, [head or words[by], words["rows"], *shown], lines))


def _quality(rows: Rows, words: dict[str, Any]) -> Table:
    columns = {"rows": "read", "labelled": "labelled", "empty": "empty", "truncated": "truncated", "unsure": "unsure"}
    return _table("quality", rows, {"day": "day", **columns, "mean_confidence": "mean_confidence"}, words)


def _cell(value: Any, column: str) -> Cell:
    if value is None:
        return Cell("–", -1.0)
    if column == "share":
        return Cell(f"{value:.1%}", float(value))
    if isinstance(value, float):
        return Cell(f"{value:.2f}", value)
    if isinstance(value, int):
        return Cell(f"{value:,}", float(value))
    return Cell(str(value), str(value))


def _value(row: dict[str, Any], words: dict[str, Any]) -> str:
    if row["others"]:
        return str(words["others"])
    return _cut(visible(row["value"]), _LONGEST_VALUE) or str(words["blank"])


# -- the rest ----------------------------------------------------------------------------------------------------------


def _subtitle(figures: Figures, words: dict[str, Any]) -> str:
    archive = figures.archive
    labelled = f"{archive['labelled']:,}"
    if archive["first_day"] is None:
        return str(words["no_period"].format(labelled=labelled))
    return str(words["period"].format(first=archive["first_day"], last=archive["last_day"], labelled=labelled))


def _headline(figures: Figures, words: dict[str, Any]) -> str:
    return str(words["headline"].format(day=figures.latest["day"]) if figures.latest else words["overall"])


def _tiles(figures: Figures, words: dict[str, Any]) -> list[dict[str, str]]:
    """What the last day came to, against those before it; without days, what all rows came to."""
    latest = figures.latest
    if not latest:
        tiles = [{"name": words["utterances"], "value": f"{figures.archive['labelled']:,}", "note": "", "colour": ""}]
        shares = {row["emotion"]: (row["share"], "") for row in figures.emotions}
    else:
        usual = latest["rows_a_day_before"]
        note = words["usual"].format(rows=f"{usual:,.0f}") if usual is not None else ""
        tiles = [{"name": words["utterances"], "value": f"{latest['rows']:,}", "note": note, "colour": ""}]
        shares = {row["emotion"]: (row["share"], _change(row["change"], latest, words)) for row in latest["emotions"]}
    for place, label in enumerate(figures.labels):
        share, note = shares.get(label, (0.0, ""))
        tiles.append(
            {"name": label_shown(label, words), "value": f"{share:.1%}", "note": note, "colour": str(place % 12)}
        )
    if "conversations" in figures.archive:
        soured = f"{words['soured']}: {figures.archive['soured']:,}"
        value = f"{figures.archive['conversations']:,}"
        tiles.append({"name": words["conversations"], "value": value, "note": soured, "colour": ""})
    return tiles


def _change(change: float | None, latest: dict[str, Any], words: dict[str, Any]) -> str:
    if change is None:
        return ""
    pattern = words["points_one" if latest["days_before"] == 1 else "points"]
    return str(pattern.format(change=f"{100 * change:+.1f}", days=latest["days_before"]))


def _to_look_at(figures: Figures, words: dict[str, Any]) -> dict[str, Any]:
    place = {label: i % 12 for i, label in enumerate(figures.labels)}

    def told(row: dict[str, Any]) -> dict[str, str]:
        return {
            "speaker": _cut(visible(row["speaker"] or ""), _LONGEST_VALUE),
            "at": _moment(row["said_at"]),
            "emotion": label_shown(row["emotion"], words) if row["emotion"] else "",
            "colour": str(place.get(row["emotion"], "")),
            "confidence": f"{row['confidence']:.0%}" if row["confidence"] is not None else "",
            "text": _cut(visible(row["text"] or ""), _LONGEST_TEXT),
        }

    alarming = ", ".join(label_shown(label, words) for label in figures.labels if label in ALARMING)
    return {
        "caption": words["to_look_at_caption"].format(
            alarming=alarming, shown=f"{len(figures.to_look_at):,}", all=f"{figures.archive.get('soured', 0):,}"
        ),
        "conversations": [
            {
                "conversation": _cut(visible(row["conversation"]), _LONGEST_VALUE),
                "speaker": _cut(visible(row["speaker"] or ""), _LONGEST_VALUE),
                "ended_at": _moment(row["ended_at"]),
                "first": label_shown(row["first_emotion"], words),
                "last": label_shown(row["last_emotion"], words),
                "colour": str(place.get(row["last_emotion"], "")),
                "confidence": f"{row['last_confidence']:.0%}",
                "utterances": list(map(told, row["utterances"])),
            }
            for row in figures.to_look_at
        ],
    }


def _drift(figures: Figures, words: dict[str, Any]) -> dict[str, Any] | None:
    """The checks of a nightly job, those with an alarm told first."""
    found = figures.drift
    if not found:
        return None

    def shown(value: float | None, check: str) -> str:
        if value is None:
            return "–"
        return f"{value:.2f}" if check == "emotions" else f"{value:,.0f}" if value > 2 else f"{value:.1%}"

    rows = [
        {
            "name": words["checks"][check["name"]],
            "cells": [shown(check[key], check["name"]) for key in ("value", "before", "limit")],
            "alarm": check["alarm"],
        }
        for check in sorted(found["checks"], key=lambda check: not check["alarm"])
    ]
    alarms = [row["name"] for row in rows if row["alarm"]]
    said = words["drift_alarm"].format(checks=", ".join(alarms)) if alarms else words["drift_none"]
    if not rows:
        said = words["drift_not_judged"].format(days=found["days_before"])
    return {"said": said, "alarm": bool(alarms), "rows": rows, "day": found["day"]}


def _examples(figures: Figures, words: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for place, label in enumerate(figures.labels):
        sides = {
            side: [
                (_cut(visible(row["text"]), _LONGEST_TEXT), f"{row['confidence']:.0%}")
                for row in getattr(figures, side)
                if row["emotion"] == label
            ]
            for side in ("typical", "uncertain")
        }
        if any(sides.values()):
            found.append({"label": label_shown(label, words), "colour": str(place % 12), **sides})
    return found


def _facts(figures: Figures, words: dict[str, Any]) -> list[tuple[str, str]]:
    archive, model = figures.archive, figures.model
    facts = {
        "archive": archive["name"],
        "inputs": f"{archive['inputs']:,}",
        "read": " ".join(
            (
                f"{archive['rows']:,} =",
                f"{archive['labelled']:,} {words['labelled']} +",
                f"{archive['empty']:,}",
                words["empty"],
            )
        ),
        "truncated": f"{archive['truncated']:,}",
        "without_time": f"{archive['without_time']:,}",
        "model": model.get("name"),
        "fingerprint": model.get("fingerprint"),
        "labels": ", ".join(map(str, figures.labels)),
        "max_length": model.get("max_length"),
    }
    return [(words[name], visible(str(value))) for name, value in facts.items() if value is not None]


def _moment(value: datetime.datetime | None) -> str:
    return "" if value is None else value.isoformat(" ", "minutes")


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _part(name: str) -> str:
    return (files("pipeline.report") / name).read_text(encoding="utf-8")
