"""Writes the notes of a report: which days and utterances count, and what emojob does not know."""

from __future__ import annotations

from typing import Any

from emojob.pipeline.html.page import visible
from emojob.pipeline.report.figures import Figures
from emojob.pipeline.report.words import LONGEST_VALUE, cut, label_shown

#: Maximum number of labels in a table or chart with a place for each label.
MOST_LABELS = 12

_MOST_INPUTS = 3  # number of inputs that are named


def conversation_notes(figures: Figures, words: dict[str, Any]) -> list[str]:
    """Return the notes as sentences. [] if the archive has no conversations.

    Args:
        figures: Counts, shares and example texts of the report, from `make_figures`.
        words: Texts of the page, from `words_of`.
    """
    if "conversations" not in figures.archive:
        return []
    return [*_meaning(figures, words), *_speakers(figures, words), *_counted(figures, words), *_ids(figures, words)]


def label_notes(figures: Figures, words: dict[str, Any], most: int = MOST_LABELS) -> list[str]:
    """Return the sentences about labels: that an utterance can carry several, and that only some are shown.

    Args:
        figures: Counts, shares and example texts of the report, from `make_figures`.
        words: Texts of the page, from `words_of`.
        most: Maximum number of labels in a table or chart with a place for each label.
    """
    notes = [str(words["label_sets"])] if figures.has_label_sets else []
    shown, every = len(leading_labels(figures, most)), len(figures.labels)
    return notes if shown == every else [*notes, str(words["some_labels"].format(shown=shown, all=every))]


def leading_labels(figures: Figures, most: int = MOST_LABELS) -> list[str]:
    """Return the `most` most frequent labels in id order, for tables and charts with a place for each label."""
    if len(figures.labels) <= most:
        return figures.labels
    counts = {row["emotion"]: row["rows"] for row in figures.emotions}
    ranked = sorted(figures.labels, key=lambda label: -counts.get(label, 0))[:most]
    return [label for label in figures.labels if label in ranked]


def unlabelled_notes(figures: Figures, words: dict[str, Any]) -> list[str]:
    """Return a sentence for each of the first inputs of which no row is labelled, and one for the others."""
    found = figures.unlabelled
    notes = [
        words["unlabelled"].format(
            input=cut(visible(row["input"]), LONGEST_VALUE),
            rejected=f"{row['rejected']:,}",
            reason=visible(row["reason"]),
        )
        for row in found[:_MOST_INPUTS]
    ]
    more = len(found) - _MOST_INPUTS
    return [*notes, str(words["unlabelled_more"].format(count=f"{more:,}"))] if more > 0 else notes


def set_aside(figures: Figures, words: dict[str, Any]) -> str:
    """Return the sentence about the days that are not compared. "" if there are none."""
    found = figures.latest.get("set_aside", [])
    days = ", ".join(words["set_aside_day"].format(day=row["day"], rows=f"{row['rows']:,}") for row in found)
    return str(words["set_aside"].format(days=days)) if days else ""


def turned_bad(figures: Figures, words: dict[str, Any]) -> str:
    """Return the number of conversations that turned bad. If emojob does not know the number, return "unknown"."""
    soured = figures.archive["soured"]
    return str(words["unknown"]) if soured is None else f"{soured:,}"


def none_to_look_at(figures: Figures, words: dict[str, Any]) -> str:
    """Return the sentence for a report without conversations to look at."""
    return str(words["none_to_look_at" if figures.archive.get("soured") is not None else "unknown_to_look_at"])


def transitions_caption(figures: Figures, words: dict[str, Any]) -> str:
    """Return the caption of the chart of transitions. It mentions speakers only if the archive has speakers."""
    without = figures.archive["without_speakers"]
    if not without:
        return str(words["transitions_caption"])
    mixed = without < figures.archive["counted_conversations"]
    return str(words["transitions_caption_mixed" if mixed else "transitions_caption_without_speakers"])


def _meaning(figures: Figures, words: dict[str, Any]) -> list[str]:
    unknown = ", ".join(label_shown(label, words) for label in figures.meaning["unknown"])
    if not unknown:
        return []
    return [str(words["some_unknown" if figures.meaning["negative"] else "all_unknown"].format(labels=unknown))]


def _speakers(figures: Figures, words: dict[str, Any]) -> list[str]:
    speakers = ", ".join(cut(visible(one), LONGEST_VALUE) for one in figures.archive["unknown_speakers"])
    return [str(words["unknown_speakers"].format(speakers=speakers))] if speakers else []


def _counted(figures: Figures, words: dict[str, Any]) -> list[str]:
    archive = figures.archive
    total, customers, others = (archive[name] for name in ("conversations", "of_customers", "of_others_than_agents"))
    if not total:
        return []
    if not customers and not others:
        names = ", ".join(cut(visible(one), LONGEST_VALUE) for one in figures.speakers.get("unknown", []))
        speakers = words["speakers_of_archive"].format(speakers=names) if names else ""
        return [str(words["counted_all"].format(speakers=speakers))]
    notes = []
    for name, count, role in (("counted_customers", customers, "customer"), ("counted_others", others, "agent")):
        if count:
            speakers = ", ".join(cut(visible(one), LONGEST_VALUE) for one in figures.speakers.get(role, []))
            notes.append(str(words[name].format(count=f"{count:,}", all=f"{total:,}", speakers=speakers)))
    rest = total - customers - others
    return [*notes, str(words["counted_rest"].format(count=f"{rest:,}"))] if rest else notes


def _ids(figures: Figures, words: dict[str, Any]) -> list[str]:
    archive, notes = figures.archive, []
    if archive["without_conversation"]:
        notes.append(str(words["without_conversation"].format(rows=f"{archive['without_conversation']:,}")))
    if archive["unknown_inputs"]:
        notes.append(str(words["unknown_inputs"]))
    shared, joined = archive["shared_ids"], archive["joined_ids"]
    if shared:
        counts = {"ids": f"{shared:,}", "joined": f"{joined:,}", "apart": f"{shared - joined:,}"}
        notes.append(str(words["shared_ids"].format(**counts)))
    return notes
