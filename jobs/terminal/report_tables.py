"""Prints a report as tables. If standard output is a pipe, the tables are 80 characters wide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from emojob.jobs.terminal.piped_console import OneLine, PipedConsole
from emojob.jobs.terminal.text import cut_to_width, plain
from emojob.schemas.labels import EMOJI

if TYPE_CHECKING:
    from emojob.pipeline.report.figures import Figures

_BAR = 7  # length of the longest bar, in characters
_MOST_LINES = 31  # maximum number of days, hours or column values in a table
_MOST_COLUMNS = 6  # maximum number of labels with a column of their own
_WIDEST_VALUE = 24  # maximum width of a label or a column value; a Hangul syllable has the width 2
_WIDEST_HEAD = 8  # maximum width of a label above a column
_WIDTH = 80  # line width in characters, if standard output is a pipe


def print_report(figures: Figures, by: str | None, words: dict[str, Any]) -> None:
    """Print a report: all emotions, the emotions by day, hour or column, and the conversations that need attention.

    Args:
        figures: The numbers of the report.
        by: day, hour or the name of a column, for the second table. If None: day. If None and the days are unknown,
            there is no second table.
        words: Headings and other fixed texts in the language of the report.
    """
    from emojob.pipeline.report.words import role_line, time_notes

    console = PipedConsole()
    if not console.is_terminal:
        console.width = _WIDTH

    archive = figures.archive
    console.print_line(f"\n  {words['report'].format(name=plain(archive['name']))}", "bold")
    console.print_line(f"  {_period(archive, words)}")
    console.print(Padding(Text(plain(role_line(archive, words))), (0, 2, 0, 2)))
    for note in time_notes(archive, words):
        console.print_line(f"  {plain(note)}")
    console.print_line("")
    if not figures.emotions:
        return
    console.print(_emotions(figures, words))
    from emojob.pipeline.report.notes import label_notes, set_aside

    notes = label_notes(figures, words, _MOST_COLUMNS)
    for note in filter(None, (words["intervals"], *notes, set_aside(figures, words))):
        console.print(Padding(Text(note, "dim"), (1, 2, 0, 2)))
    found = _breakdown(figures, by, words)
    if found:
        heading, table = found
        console.print_line(f"\n  {heading}", "bold")
        console.print(table)
    from emojob.pipeline.report.notes import conversation_notes

    if figures.to_look_at:
        console.print_line(f"\n  {words['to_look_at']}: {archive['soured']:,}", "bold")
        console.print(_to_look_at(figures, words))
    for note in conversation_notes(figures, words):
        console.print(Padding(Text(plain(note), "dim"), (1, 2, 0, 2)))
    console.print_line("")


def _period(archive: dict[str, Any], words: dict[str, Any]) -> str:
    labelled = f"{archive['labelled']:,}"
    if archive["first_day"] is None:
        return str(words["no_period"].format(labelled=labelled))
    return str(words["period"].format(first=archive["first_day"], last=archive["last_day"], labelled=labelled))


def _shown(label: str, words: dict[str, Any]) -> str:
    from emojob.pipeline.report.words import label_shown

    return cut_to_width(plain(label_shown(label, words)), _WIDEST_VALUE)


def _emotions(figures: Figures, words: dict[str, Any]) -> Table:
    """Return the table of all emotions, with the changes on the last day."""
    from emojob.pipeline.report.tables import half_width

    latest = {row["emotion"]: row for row in figures.latest.get("emotions", ())}
    table = Table(box=None, padding=(0, 1), header_style="dim", pad_edge=True)
    table.add_column("")
    for head in (words["rows"], words["share"]):
        table.add_column(head, justify="right")
    table.add_column("")
    if latest:
        table.add_column(str(figures.latest["day"]), justify="right")
        table.add_column(words["change"], justify="right")
    most = max(row["share"] for row in figures.emotions)
    for row in figures.emotions:
        bar = "█" * round(_BAR * row["share"] / most) or "▏"
        cells: list[Text | str] = [
            Text(_shown(row["emotion"], words)),
            f"{row['rows']:,}",
            f"{row['share']:.1%} ±{100 * half_width(row['share'], row['low'], row['high']):.1f}",
            Text(bar, "cyan"),
        ]
        if latest:
            day = latest.get(row["emotion"])
            too_few = figures.latest["too_few_rows"]
            cells += [f"{day['share']:.1%}" if day else "–", words["too_few"] if too_few else _change(day)]
        table.add_row(*cells)
    return table


def _change(row: dict[str, Any] | None) -> Text:
    """Return a change in percentage points, and the distance to the end of its interval. Bold: significant."""
    from emojob.pipeline.report.tables import change_half_width

    if row is None or row["change"] is None:
        return Text("–")
    text = f"{100 * row['change']:+.1f} ±{100 * change_half_width(row):.1f}"
    return Text(text, "bold" if row["significant"] else "")


def _breakdown(figures: Figures, by: str | None, words: dict[str, Any]) -> tuple[str, Table] | None:
    """Return (heading, table) with the emotions by day, hour or column. Return None if the days are unknown."""
    by = by or ("day" if figures.days else None)
    if by is None:
        return None
    from emojob.pipeline.report.grouping import grouping_column

    column = grouping_column(by, figures.breakdowns, figures.archive["roles"]["time"] is not None)
    if column is not None:
        rows, key, name = figures.breakdowns[column], "value", plain(column)
    elif by == "day":
        rows, key, name = figures.days, "day", words["by_day"]
    else:
        rows, key, name = figures.hours_of_day, "hour_of_day", words["hour"]
    if not rows:
        return name, _nothing(words)
    lines: dict[Any, dict[str, Any]] = {}
    for row in rows:
        value = words["others"] if row.get("others") else row[key]
        lines.setdefault(value, {})[row["emotion"]] = row
    table = Table(box=None, padding=(0, 1), header_style="dim", pad_edge=True)
    table.add_column("")
    table.add_column(words["rows"], justify="right")
    from emojob.pipeline.report.notes import leading_labels

    labels = leading_labels(figures, _MOST_COLUMNS)
    for label in labels:
        table.add_column(
            EMOJI.get(label) or Text(cut_to_width(plain(label), _WIDEST_HEAD)), justify="right", no_wrap=True
        )
    shown = list(lines.items())[-_MOST_LINES:] if key == "day" else list(lines.items())[:_MOST_LINES]
    from emojob.pipeline.report.group_sizes import group_size
    from emojob.pipeline.report.tables import share_text

    designs = [figures.design_effects.get(label, 1.0) for label in labels]
    for value, emotions in shown:
        total = group_size(emotions.values())
        shares = [share_text(emotions.get(label), total, one) for label, one in zip(labels, designs, strict=True)]
        table.add_row(OneLine(str(value) or words["blank"]), f"{total:,}", *shares)
    return name, table


def _nothing(words: dict[str, Any]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2))
    table.add_row(words["nothing_by"])
    return table


def _to_look_at(figures: Figures, words: dict[str, Any]) -> Table:
    table = Table(box=None, padding=(0, 1), header_style="dim", pad_edge=True)
    for head in (words["conversation"], words["ended_at"], words["last_emotion"]):
        table.add_column(head, no_wrap=True)
    table.add_column(words["text"])  # the texts are as wide as the rest of the line
    for row in figures.to_look_at[:10]:
        ended = row["ended_at"].isoformat(" ", "minutes") if row["ended_at"] else ""
        said = next((one for one in row["utterances"] if one["is_last"]), None)
        table.add_row(
            Text(cut_to_width(plain(row["conversation"]), _WIDEST_VALUE)),
            Text(ended),
            Text(f"{EMOJI.get(row['last_emotion'], '')} {row['last_confidence']:.0%}"),
            OneLine((said["text"] or "") if said else ""),
        )
    return table
